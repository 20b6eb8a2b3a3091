"""The terminal of a game: keys in, frames out. Its settings are restored, however the game ends."""

import contextlib
import os
import re
import select
import sys
from collections.abc import Iterator

import jax
import jax.numpy as jnp
from rich.console import Console

from jaxsocial.env import render
from jaxsocial.play.game import GameSetup, Session, press
from jaxsocial.play.screen import Screen, frame

COLOURS = {"truecolor": render.true_colour, "256": render.palette_colour}
"""By rich's names of color systems."""
OTHER_SCREEN, OWN_SCREEN = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
HOME, REST_OF_LINE, REST_OF_SCREEN = "\x1b[H", "\x1b[K", "\x1b[J"
ARROWS = {"A": "up", "B": "down", "C": "right", "D": "left"}
_KEY = re.compile(r"\x1b[\[O]([A-D])|\x1b(?:\[[0-9;]*[@-~])?|(.)", re.DOTALL)
UNFINISHED = (b"\x1b", b"\x1b[", b"\x1bO")
ESCAPE_SECONDS = 0.05
"""How long the rest of an arrow key may take to arrive."""
RESIZE_SECONDS = 0.5
"""How often the terminal's size is checked."""


def play(setup: GameSetup, seed: int, console: Console) -> Session:
    """Plays until the person leaves; returns the session as it ended.

    Args:
      setup: the game's setup.
      seed: of the first episode.
      console: the terminal.

    Raises:
      ValueError: this terminal cannot show the game, with the remedy.
    """
    refuse_unfit(console)
    with _game_screen():
        _show("compiling, a few seconds ...")
        screen, lacks = _screen(console)
        session = Session(setup.begin(jax.random.key(seed)), note=lacks)
        # A turn whose result is dropped, so that the person's first turn does not wait for the compiler.
        setup.turn(session.game._replace(key=jax.random.clone(session.game.key)), jnp.int32(0))
        shown = frame(session, setup, screen)
        with contextlib.suppress(KeyboardInterrupt):
            while not session.left:
                _show(shown)
                for key in _next_keys(console):
                    session = press(key, session, setup)
                try:
                    shown = frame(session, setup, _screen(console)[0])
                except ValueError as error:  # the terminal was made smaller
                    shown = str(error)
    return session


def refuse_unfit(console: Console) -> None:
    """Refuses a terminal in which no game can be played.

    Raises:
      ValueError: what it lacks, with the remedy.
    """
    instead = "or use jaxsocial draw for a picture"
    if sys.platform == "win32":
        raise ValueError(f"play needs a terminal of the Unix kind: on Windows use WSL, {instead}")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ValueError(f"play needs a terminal for keys and screen: redirect neither, {instead}")
    if console.is_dumb_terminal:
        raise ValueError(
            f"play cannot move the cursor where TERM={os.environ['TERM']}: use another terminal, {instead}"
        )


def _screen(console: Console) -> tuple[Screen, str]:
    """Returns the terminal's abilities, and what would give it pictures, or better ones."""
    colours = None if console.no_color else COLOURS.get(console.color_system or "")
    unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    lacks = "256 colours: set COLORTERM=truecolor for all" if colours is render.palette_colour else ""
    if console.no_color:
        lacks = "no colours: unset NO_COLOR for pictures"
    elif colours is None:
        lacks = "no colours: set COLORTERM=truecolor for pictures"
    elif not unicode:
        lacks = "no Unicode: choose a UTF-8 locale for pictures"
    pictures = colours is not None and unicode
    return Screen(console.size.width, console.size.height, colours or render.no_colour, pictures), lacks


def _show(lines: str) -> None:
    # Each line is erased before it is written: after a full line, erasing would remove its last character.
    *above, last = lines.split("\n")
    text = "".join(f"{REST_OF_LINE}{line}\n" for line in above)
    sys.stdout.write(f"{HOME}{text}{REST_OF_SCREEN}{last}")
    sys.stdout.flush()


def _next_keys(console: Console) -> list[str]:
    """Waits for keys; returns none if the terminal's size changes, and q if the input ends."""
    descriptor, size = sys.stdin.fileno(), console.size
    while not _ready(descriptor, RESIZE_SECONDS):
        if console.size != size:
            return []
    data = os.read(descriptor, 1024)
    while data.endswith(UNFINISHED) and _ready(descriptor, ESCAPE_SECONDS):
        data += os.read(descriptor, 1024)
    return keys_in(data.decode(errors="replace")) if data else ["q"]


def _ready(descriptor: int, seconds: float) -> bool:
    return bool(select.select([descriptor], [], [], seconds)[0])


def keys_in(typed: str) -> list[str]:
    """Returns the keys that a terminal sends: letters in lower case, and arrows by their names.

    >>> keys_in("\\x1b[AW")
    ['up', 'w']
    """
    return [ARROWS[arrow] if arrow else letter.lower() for arrow, letter in _KEY.findall(typed) if arrow or letter]


@contextlib.contextmanager
def _game_screen() -> Iterator[None]:
    """Enters another screen, where keys arrive one by one without an echo; restores the terminal on exit."""
    import termios  # noqa: PLC0415, Windows has neither
    import tty  # noqa: PLC0415

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        # A suspended game would leave the shell without echo.
        quiet = termios.tcgetattr(descriptor)
        quiet[6][termios.VSUSP] = b"\0"
        termios.tcsetattr(descriptor, termios.TCSADRAIN, quiet)
        sys.stdout.write(OTHER_SCREEN)
        yield
    finally:
        sys.stdout.write(OWN_SCREEN)
        sys.stdout.flush()
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
