"""The replay page: one HTML file that holds recorded episodes and what plays them, and loads nothing else."""

import html
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jaxsocial.config.config import Config
from jaxsocial.config.network import network_of
from jaxsocial.env import objects
from jaxsocial.env.observations import pixels
from jaxsocial.evaluate import media
from jaxsocial.evaluate.episodes import played_config, without_teacher
from jaxsocial.training import checkpoint
from jaxsocial.training.build import make_agent_setup
from jaxsocial.training.folder import config_of
from jaxsocial.training.pretrained import Source, load_learners, with_partners_of
from jaxsocial.viewer import predictions
from jaxsocial.viewer.packing import TileSheet, packed, sheet
from jaxsocial.viewer.record import Episode, EpisodeRecorder, episode_recorder
from jaxsocial.viewer.template import assets, filled, script_data

SPRITE = 48
"""Pixels on a side of a thing in the picture of the world."""
ERROR_LEVELS = 31
"""Errors of cells are rounded to so many steps: the page shows them as shades."""


class Side(NamedTuple):
    """One run among some partners: a column of the page."""

    title: str
    about: str
    config: Config
    episodes: list[Episode]


class Comparison(NamedTuple):
    """Sides that stand beside each other. They have as many episodes each, and those of an index play in step."""

    title: str
    about: str
    """A line above the sides; empty for none."""
    sides: Sequence[Side]


SideRecorder = Callable[..., Side]
"""(numbers, alone=False) -> the episodes of these numbers; if alone, without partners on the same levels."""


def side_recorder(source: Source, partners: Sequence[str] | None = None) -> SideRecorder:
    """Returns a function, compiled once, that plays and records episodes of a run.

    Args:
      source: the run.
      partners: other partners, of any number; those of the run if None.

    Raises:
      ValueError: there is no such run, checkpoint or seed.
    """
    config = played_config(config_of(source.folder), partners)
    seated = with_partners_of(without_teacher(config), source.seed)
    learners = load_learners(source.folder, source.seed, source.steps)
    setup = make_agent_setup(seated)
    record = episode_recorder(seated, learners, setup, media.moments(seated, learners, setup))
    steps = source.steps
    if steps is None:
        iteration = checkpoint.latest(source.folder)
        assert iteration is not None, "there is a checkpoint, which was loaded"
        steps = iteration * config.iteration_steps
    return side_of(record, config, source.folder, config.seed if source.seed is None else source.seed, steps)


def side_of(record: EpisodeRecorder, config: Config, folder: Path, seed: int, steps: int) -> SideRecorder:
    """Returns a function that records episodes of a run, and says whose they are.

    Args:
      record: records an episode.
      config: of the run.
      folder: of the run.
      seed: the seed that plays.
      steps: its learner steps.
    """
    name, beside = folder.resolve().name, ", ".join(media.player_names(config)[config.sizes.learners :]) or "no one"

    def recorded(numbers: Sequence[int], alone: bool = False) -> Side:
        about = f"{config.preset}, seed {seed}, {steps:,} steps, " + ("alone" if alone else f"beside {beside}")
        return Side(f"{name}, alone" if alone else name, about, config, [record(number, alone) for number in numbers])

    return recorded


def write_page(path: Path, sides: Sequence[Side]) -> None:
    """Writes the replay page of one run, or of several side by side.

    Args:
      path: of the HTML file.
      sides: with the same number of episodes each. Episodes of equal indices are shown together.
    """
    path.write_text(page(sides), encoding="utf-8")


def page(sides: Sequence[Side]) -> str:
    """Returns the replay page as text, see `write_page`."""
    title = " and ".join(side.title for side in sides)
    return composed(f"Replay of {title}", "Replay", [plain_comparison(Comparison(title, "", sides))])


def composed(title: str, heading: str, comparisons: Sequence[dict[str, Any]]) -> str:
    """Returns a page as text.

    Args:
      title: of the window.
      heading: at the top.
      comparisons: as `plain_comparison` returns them. If there are several, a menu chooses among them.
    """
    template, style, script = assets("jaxsocial.viewer", "replay.html", "replay.css", "replay.js")
    parts = {
        "<!-- title -->": html.escape(title),
        "<!-- heading -->": html.escape(heading),
        "/* style */": style,
        "/* data */": script_data(comparisons),
        "/* script */": script,
    }
    return filled(template, parts)


def plain_comparison(comparison: Comparison) -> dict[str, Any]:
    """Returns a comparison as the page's script reads it."""
    sides = [plain(side) for side in comparison.sides]
    return {"title": comparison.title, "about": comparison.about, "sides": sides}


def plain(side: Side) -> dict[str, Any]:
    """Returns a side as the page's script reads it."""
    config, world = side.config, side.config.world
    tiles = TileSheet(predictions.tile_of(world))
    episodes = [_plain_episode(episode, tiles, config) for episode in side.episodes]
    own, target = world.agent_views[0], network_of(config).target
    return {
        "title": side.title,
        "about": side.about,
        "agents": media.player_names(config),
        "learners": config.sizes.learners,
        "actions": objects.ACTION_NAMES[: world.actions],
        "kinds": list(objects.KINDS.values()),
        "world": {"height": world.height, "width": world.width, "ordered": world.may_hold(objects.BONUS)},
        # Who sees the whole world has no window to outline in it.
        "window": None if world.observation == "symbolic_world" else {"size": own.size, "offset": own.offset},
        "target": config.sizes.prediction,
        "of_next": target is None or target.of_next,
        "predicts": predictions.KINDS.get(config.sizes.prediction),
        "sprites": sheet(pixels.atlas(pixels.things_of(world), SPRITE)[objects.UP]),
        "tiles": tiles.picture(),
        "episodes": episodes,
    }


def _plain_episode(episode: Episode, tiles: TileSheet, config: Config) -> dict[str, Any]:
    """Returns an episode as the page's script reads it; adds the tiles of its views to those of the page."""
    states, steps = episode.states._asdict(), {k: v for k, v in episode.steps._asdict().items() if v is not None}
    arrays = states | steps | {"view": tiles.indices(states["view"])}
    pictures = arrays.pop("picture", None)
    frames = None
    if pictures is not None and predictions.KINDS[config.sizes.prediction] == predictions.FRAMES:
        # No tile of a predicted frame repeats.
        frames = sheet(pictures.reshape(-1, *pictures.shape[-3:]), lossless=False)
    elif pictures is not None:
        arrays["picture"] = tiles.indices(pictures)
    return {
        "number": episode.number,
        "steps": len(episode.steps.goal),
        "goals": episode.goals.tolist(),
        "leads": [lead._asdict() for lead in episode.leads],
        "frames": frames,
        **packed(arrays, {"error": ERROR_LEVELS}),
    }
