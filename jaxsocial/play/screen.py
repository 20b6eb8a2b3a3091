"""The frames of a game: characters and colour codes for a terminal."""

import textwrap
from typing import NamedTuple

import jax
import numpy as np

from jaxsocial.env import objects, render
from jaxsocial.env.observations import pixels, symbolic, vision
from jaxsocial.env.text import alphabet
from jaxsocial.play.game import YOU, GameSetup, Session

SMALLEST_TILE, LARGEST_TILE = 3, 16
"""Pixels on a side of a cell. Below the smallest, agents are dots, and a map in characters tells more."""
WHITE = 255
SEPARATOR, UNBROKEN = "   ", "\xa0"


class Screen(NamedTuple):
    """The size and the abilities of a terminal."""

    columns: int
    rows: int
    colours: render.Colours
    pictures: bool
    """Whether it has the colours and characters for pictures; else it shows maps."""


def frame(session: Session, setup: GameSetup, screen: Screen) -> str:
    """Returns the world, or the person's view of it, above the lines of `status`.

    Args:
      session: the game, and how to show it.
      setup: the game's setup.
      screen: the terminal.

    Raises:
      ValueError: not even a map fits.
    """
    below = status(session, setup, screen)
    side = setup.scenario.agent_views[YOU].size
    height, width = (side, side) if session.own_view else (setup.scenario.height, setup.scenario.width)
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


def _picture(session: Session, setup: GameSetup, tile: int) -> render.Picture:
    """Returns the view, or the world with white corners in front of the person's agent, so that it is found."""
    state = session.game.state
    if session.own_view:
        return render.view(state, YOU, setup.rules, setup.scenario, tile)
    picture = render.image(state, setup.rules, setup.scenario, tile).copy()
    row, column = np.asarray(state.position[YOU]).tolist()
    if row >= 0:
        cell = picture[row * tile :, column * tile :][:tile, :tile]
        upright = np.rot90(cell, int(state.heading[YOU]) + 1)  # a view of the picture, not a copy
        size = max(tile // 6, 1)
        upright[:size, :size] = upright[:size, -size:] = WHITE
    return picture


_whole_world = jax.jit(symbolic.whole_world, static_argnums=2)
_view = jax.jit(symbolic.observe, static_argnums=(1, 2, 4))


def _map(session: Session, setup: GameSetup, screen: Screen) -> str:
    state, scenario = session.game.state, setup.scenario
    if session.own_view:
        view = scenario.agent_views[YOU]
        seen = np.asarray(_view(state, (YOU,), view, setup.rules, scenario)[0][0])
        row, column = np.argwhere(np.asarray(vision.own_cell(state.heading[:1], view)[..., 0]))[0].tolist()
        return render.symbols_text(seen, screen.colours, {}, (row, column))
    tints = np.asarray(pixels.tint(state, setup.rules, scenario)).tolist()
    cells = [(row, column) for row, column in np.asarray(state.position).tolist()]
    colours = {cells[agent]: tuple(tints[agent]) for agent in np.flatnonzero(vision.is_drawn(state)).tolist()}
    return render.symbols_text(
        np.asarray(_whole_world(state, setup.rules, scenario)), screen.colours, colours, cells[YOU]
    )


def status(session: Session, setup: GameSetup, screen: Screen) -> list[str]:
    """Returns the lines below the world: the step, the returns, and what keys do.

    Args:
      session: the game, and how it is shown.
      setup: the game's setup.
      screen: the terminal.
    """
    game, scenario = session.game, setup.scenario
    shown = "your view" if session.own_view else "the whole world"
    step = "the episode is over" if game.over else f"step {int(game.state.clock)} of {scenario.max_steps}"
    scores = [
        f"{name} {total:+.2f}" + (f" ({reward:+.2f})" if reward else "")
        for name, reward, total in zip(setup.names, game.last.reward.tolist(), game.returns.tolist(), strict=True)
    ]
    carrying = int(game.state.carrying[YOU])
    if game.state.finished[YOU] and not game.over:
        scores.append("your end: keys that act let the others go on")
    elif carrying != objects.EMPTY:
        scores.append(f"you carry: {alphabet.in_words(carrying)}")
    keys = ["arrows or w a d: move"]
    if scenario.actions > objects.DONE:
        keys += ["p: pick up", "x: put down", "space: open"] if scenario.grid_changes else []
        keys += [".: wait"]
    keys += ["v: your view", "t: text", "r: restart", "q: quit"]
    # Spaces within one key's help are made unbreakable while lines are wrapped.
    wrapped = textwrap.wrap(SEPARATOR.join(key.replace(" ", UNBROKEN) for key in keys), screen.columns)
    lines = [SEPARATOR.join([scenario.name, step, session.note or shown]), SEPARATOR.join(scores), *wrapped]
    return [line.replace(UNBROKEN, " ")[: screen.columns] for line in lines]
