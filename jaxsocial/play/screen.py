"""What a terminal shows of a game, as characters and colour codes."""

import textwrap
from typing import NamedTuple

import jax
import numpy as np

from jaxsocial.env import objects, render
from jaxsocial.env.observations import pixels, symbolic, vision
from jaxsocial.env.text import alphabet
from jaxsocial.play.game import YOU, GameSetup, Session

SMALLEST_TILE, LARGEST_TILE = 3, 16
"""Pixels on a side of a cell; below the smallest, agents are dots, and the map in characters says more."""
WHITE = 255
SEPARATOR, UNBROKEN = "   ", "\xa0"


class Screen(NamedTuple):
    """What a terminal can show."""

    columns: int
    rows: int
    colours: render.Colours
    pictures: bool
    """Whether it has the colours and characters for pictures; else it shows maps."""


def frame(session: Session, setup: GameSetup, screen: Screen) -> str:
    """The world, or the person's view of it, and below it how the game stands.

    Raises:
      ValueError: not even a map has room.
    """
    below = status(session, setup, screen)
    height, width = _shape(session, setup)
    rows = screen.rows - len(below)
    if width > screen.columns or height > rows:
        raise ValueError(
            f"this world needs a terminal of {width} columns and {height + len(below)} rows, this one has "
            f"{screen.columns} and {screen.rows}: enlarge it, or choose a smaller world"
        )
    tile = min(screen.columns // width, 2 * rows // height, LARGEST_TILE)
    if screen.pictures and tile >= SMALLEST_TILE and not session.as_text:
        world = render.half_blocks(_picture(session, setup, tile), screen.colours)
    else:
        world = _map(session, setup, screen)
    return "\n".join([world, *below])


def _shape(session: Session, setup: GameSetup) -> tuple[int, int]:
    """Rows and columns of cells to be shown."""
    side = setup.scenario.agent_views[YOU].size
    return (side, side) if session.own_view else (setup.scenario.height, setup.scenario.width)


def _picture(session: Session, setup: GameSetup, tile: int) -> render.Picture:
    state = session.game.state
    if session.own_view:
        return render.view(state, YOU, setup.rules, setup.scenario, tile)
    picture = render.image(state, setup.rules, setup.scenario, tile).copy()
    row, column = np.asarray(state.position[YOU]).tolist()
    if row >= 0:
        _mark(picture[row * tile :, column * tile :][:tile, :tile], int(state.heading[YOU]))
    return picture


def _mark(cell: render.Picture, heading: int) -> None:
    """Whitens the corners in front, so that a person finds its agent and sees where it looks."""
    size = max(len(cell) // 6, 1)
    looking_up = np.rot90(cell, heading + 1)  # no copy
    looking_up[:size, :size] = looking_up[:size, -size:] = WHITE


_whole_world = jax.jit(symbolic.whole_world, static_argnums=1)
_view = jax.jit(symbolic.observe, static_argnums=(1, 2, 3))


def _map(session: Session, setup: GameSetup, screen: Screen) -> str:
    state, scenario = session.game.state, setup.scenario
    if session.own_view:
        view = scenario.agent_views[YOU]
        seen = np.asarray(_view(state, (YOU,), view, scenario)[0])
        row, column = np.argwhere(np.asarray(vision.own_cell(state.heading[:1], view)[0]))[0].tolist()
        return render.symbols_text(seen, screen.colours, {}, (row, column))
    tints = np.asarray(pixels.tint(state, setup.rules, scenario)).tolist()
    places = [(row, column) for row, column in np.asarray(state.position).tolist()]
    first = np.flatnonzero(vision.is_drawn(state)).tolist()
    colours = {places[agent]: tuple(tints[agent]) for agent in first}
    return render.symbols_text(np.asarray(_whole_world(state, scenario)), screen.colours, colours, places[YOU])


def status(session: Session, setup: GameSetup, screen: Screen) -> list[str]:
    """Lines below the world: where the game stands, who has what, and what keys do."""
    # Lines are not broken within what one key does.
    keys = SEPARATOR.join(key.replace(" ", UNBROKEN) for key in _help(setup))
    keys = [line.replace(UNBROKEN, " ") for line in textwrap.wrap(keys, screen.columns)]
    return [line[: screen.columns] for line in [_progress(session, setup), _scores(session, setup), *keys]]


def _progress(session: Session, setup: GameSetup) -> str:
    game, scenario = session.game, setup.scenario
    shown = "your view" if session.own_view else "the whole world"
    over = "the episode is over" if game.over else f"step {int(game.state.clock)} of {scenario.max_steps}"
    return SEPARATOR.join([scenario.name, over, session.note or shown])


def _scores(session: Session, setup: GameSetup) -> str:
    """Everyone's return, what the last turn brought, and what there is to know of the person's agent."""
    rewards, returns = np.asarray(session.game.reward).tolist(), np.asarray(session.game.returns).tolist()
    scores = [
        f"{name} {total:+.2f}" + (f" ({reward:+.2f})" if reward else "")
        for name, reward, total in zip(setup.names, rewards, returns, strict=True)
    ]
    return SEPARATOR.join([*scores, *_your_state(session)])


def _your_state(session: Session) -> list[str]:
    state = session.game.state
    if state.finished[YOU] and not session.game.over:
        return ["your end: keys that act let the others go on"]
    carrying = int(state.carrying[YOU])
    return [] if carrying == objects.EMPTY else [f"you carry: {alphabet.in_words(carrying)}"]


def _help(setup: GameSetup) -> list[str]:
    scenario = setup.scenario
    keys = ["arrows or w a d: move"]
    if scenario.actions > objects.DONE:
        keys += ["p: pick up", "x: put down", "space: open"] if scenario.grid_changes else []
        keys += [".: wait"]
    return [*keys, "v: your view", "t: text", "r: restart", "q: quit"]
