"""The terminal of a game: keys in, frames out. It is put back as it was, however the game ends."""

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
from jaxsocial.play.game import Game, GameSetup, Session, press
from jaxsocial.play.screen import Screen, frame

COLOURS = {"truecolor": render.true_colour, "256": render.palette_colour}
"""By the names that rich gives to what terminals can do."""
OTHER_SCREEN, OWN_SCREEN = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
HOME, REST_OF_LINE, REST_OF_SCREEN = "\x1b[H", "\x1b[K", "\x1b[J"
ARROWS = {"A": "up", "B": "down", "C": "right", "D": "left"}
_KEY = re.compile(r"\x1b[\[O]([A-D])|\x1b(?:\[[0-9;]*[@-~])?|(.)", re.DOTALL)
UNFINISHED = (b"\x1b", b"\x1b[", b"\x1bO")
ESCAPE_SECONDS = 0.05
"""How long the rest of an arrow key may take to arrive."""
RESIZE_SECONDS = 0.5
"""How often the terminal's size is looked at."""


def play(setup: GameSetup, seed: int, console: Console) -> Session:
    """Plays until the person leaves; returns how the game then stood.

    Raises:
      ValueError: this terminal cannot show the game, with the cure.
    """
    refuse_unfit(console)
    with _game_screen():
        _show("compiling, a few seconds ...")
        session = Session(setup.begin(jax.random.key(seed)), note=_shortcoming(console))
        _compile_turn(session.game, setup)
        shown = frame(session, setup, _screen(console))
        with contextlib.suppress(KeyboardInterrupt):
            while not session.left:
                _show(shown)
                for key in _next_keys(console):
                    session = press(key, session, setup)
                shown = _frame(session, setup, console)
    return session


def _compile_turn(game: Game, setup: GameSetup) -> None:
    """Plays a turn that does not count, so that the first that does is not a long wait."""
    setup.turn(game._replace(key=jax.random.clone(game.key)), jnp.int32(0))


def refuse_unfit(console: Console) -> None:
    """Refuses a terminal that no game can be played in.

    Raises:
      ValueError: what it lacks, with the cure.
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


def _colours(console: Console) -> render.Colours | None:
    return None if console.no_color else COLOURS.get(console.color_system or "")


def _speaks_unicode() -> bool:
    return (sys.stdout.encoding or "").lower().startswith("utf")


def _screen(console: Console) -> Screen:
    colours = _colours(console)
    columns, rows = console.size
    return Screen(columns, rows, colours or render.no_colour, pictures=colours is not None and _speaks_unicode())


def _shortcoming(console: Console) -> str:
    """What would make pictures, or better ones, of what this terminal shows."""
    if console.no_color:
        return "no colours: unset NO_COLOR for pictures"
    if _colours(console) is None:
        return "no colours: set COLORTERM=truecolor for pictures"
    if not _speaks_unicode():
        return "no Unicode: choose a UTF-8 locale for pictures"
    return "256 colours: set COLORTERM=truecolor for all" if _colours(console) is render.palette_colour else ""


def _frame(session: Session, setup: GameSetup, console: Console) -> str:
    """A frame, or what the terminal lacks since it was made smaller."""
    try:
        return frame(session, setup, _screen(console))
    except ValueError as error:
        return str(error)


def _show(lines: str) -> None:
    # Each line is erased before it is written: behind a full one, erasing would take its last character.
    *above, last = lines.split("\n")
    text = "".join(f"{REST_OF_LINE}{line}\n" for line in above)
    sys.stdout.write(f"{HOME}{text}{REST_OF_SCREEN}{last}")
    sys.stdout.flush()


def _next_keys(console: Console) -> list[str]:
    """Waits for keys; returns none where the terminal's size has changed, and q where there will be no more."""
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
    """The keys behind what a terminal sends: letters in lower case, and the arrows by their names."""
    return [ARROWS[arrow] if arrow else letter.lower() for arrow, letter in _KEY.findall(typed) if arrow or letter]


@contextlib.contextmanager
def _game_screen() -> Iterator[None]:
    """While inside, keys arrive one by one and unseen, and what is shown leaves no trace."""
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
