"""Pictures of a run: an episode as a GIF or PNG, and the learning curve."""

import dataclasses
import math
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import imageio.v3 as imageio
import jax
import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.figure import Figure
from PIL import Image, ImageDraw

from jaxsocial.agents.networks.network import Parameters
from jaxsocial.config.config import Config
from jaxsocial.config.traced import evaluation_rules
from jaxsocial.env.observations import pixels
from jaxsocial.evaluate.returns import Result, learner_names
from jaxsocial.learning.rollout import AgentSetup, RolloutState, rollout, start
from jaxsocial.train.metrics import Row, learner_return

TILE = 32
"""Pixels on a side of a cell in pictures for people."""
SMALLEST_VIEW = 126
"""Pixels on a side that an agent's view has at least."""
MARGIN = 16
LINE = 16
BACKGROUND = (24, 24, 28)
INK = (235, 235, 235)
FRAMES_A_SECOND = 6
CANDIDATES = 15
"""Episodes among which a typical one is chosen."""

Picture = UInt8[np.ndarray, "height width 3"]


class Moment(NamedTuple):
    """Between two steps of an episode."""

    play: RolloutState
    returns: Float[np.ndarray, " A"]
    """Of every agent so far."""


class Scene(NamedTuple):
    """A moment as people see it, on the host."""

    world: Picture
    views: UInt8[np.ndarray, "A P P 3"]
    returns: list[float]
    learner: tuple[int, int]
    """The cell it stands in, (row, column)."""
    step: int


def moments(config: Config, parameters: Parameters, setup: AgentSetup) -> Callable[[int], Iterator[Moment]]:
    """Plays the episode of a number, from its first moment to what its last step led to.

    ``parameters`` are those of all its learners.
    """
    rules = evaluation_rules(config, 1)
    # An end is to be seen, and not the world that would follow.
    setup = setup._replace(env=dataclasses.replace(setup.env, auto_reset=False))

    @jax.jit
    def one_step(key, play: RolloutState):
        play, _, outcome = rollout(key, play, parameters, setup.partners.parameters, rules, setup, 1)
        return play, outcome.episode_stats.return_[0, 0], outcome.ended[0, 0]

    def episode(number: int) -> Iterator[Moment]:
        start_key, *step_keys = jax.random.split(jax.random.key(number), config.world.max_steps + 1)
        play, ended = start(start_key, rules, setup), False
        yield Moment(play, np.zeros(config.world.agents))
        while not ended:
            play, returns, ended = one_step(step_keys.pop(), play)
            yield Moment(play, np.asarray(returns))

    return episode


def scenes(config: Config, episode: Iterator[Moment]) -> Iterator[Scene]:
    """An episode as people see it."""
    rules = jax.tree.map(lambda x: x[0], evaluation_rules(config, 1))

    @jax.jit
    def draw(play: RolloutState):
        return pixels.whole_world(jax.tree.map(lambda x: x[0], play.state), rules, config.world, TILE)

    for step, (play, returns) in enumerate(episode):
        row, column = np.asarray(play.state.position[0, 0]).tolist()
        views = np.asarray(play.observation.image[0])
        yield Scene(np.asarray(draw(play)), views, returns.tolist(), (row, column), step)


def typical(episode: Callable[[int], Iterator[Moment]]) -> int:
    """The number of the episode in which the first learner gets the median return among the first few."""
    returns = [deque(episode(number), maxlen=1)[0].returns[0] for number in range(CANDIDATES)]
    return int(np.argsort(returns, stable=True)[CANDIDATES // 2])


def compose(scene: Scene, names: list[str]) -> Picture:
    """The world at the left, the learner framed; at its right what each agent sees, its name and return so far."""
    height, width, _ = scene.world.shape
    views = [_view(view, max(height // max(len(names), 2) - LINE - MARGIN, SMALLEST_VIEW)) for view in scene.views]
    side = views[0].width
    each = side + LINE + MARGIN
    canvas = Image.new(
        "RGB", (width + side + 3 * MARGIN, max(height + LINE, each * len(views) - MARGIN) + 2 * MARGIN), BACKGROUND
    )
    pen = ImageDraw.Draw(canvas)
    canvas.paste(Image.fromarray(scene.world), (MARGIN, MARGIN))
    top, left = (MARGIN + place * TILE for place in scene.learner)
    pen.rectangle((left, top, left + TILE - 1, top + TILE - 1), outline=INK, width=2)
    pen.text((MARGIN, MARGIN + height + 4), f"step {scene.step}", INK)
    for number, (view, name, return_) in enumerate(zip(views, names, scene.returns, strict=True)):
        top = MARGIN + number * each
        pen.text((width + 2 * MARGIN, top), f"{name}  {return_:+.1f}", INK)
        canvas.paste(view, (width + 2 * MARGIN, top + LINE))
    return np.asarray(canvas)


def _view(view: Picture, target: int) -> Image.Image:
    scale = max(target // view.shape[0], 1)
    return Image.fromarray(view).resize((view.shape[1] * scale, view.shape[0] * scale), Image.Resampling.NEAREST)


def player_names(config: Config) -> list[str]:
    """What each agent is called in pictures."""
    return [*learner_names(config), *(name.rstrip("/").split("/")[-1] for name in config.partners)]


def write_episode(
    path: Path, config: Config, parameters: Parameters, setup: AgentSetup, number: int | None = None
) -> None:
    """The episode of a number, a typical one if none is given, as a GIF; as a PNG its last moment."""
    episode, names = moments(config, parameters, setup), player_names(config)
    chosen = typical(episode) if number is None else number
    frames = [compose(scene, names) for scene in scenes(config, episode(chosen))]
    if path.suffix == ".png":
        imageio.imwrite(path, frames[-1])
    else:
        imageio.imwrite(path, np.stack(frames), duration=1000 / FRAMES_A_SECOND, loop=0)


def write_learning_curve(path: Path, rows: list[Row], results: list[Result], config: Config) -> None:
    """Return over learner steps, every seed on its own, with the partners and an untrained learner as lines."""
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    names = learner_names(config)
    for seed, learner in dict.fromkeys((row["seed"], row["learner"]) for row in rows):
        own = [row for row in rows if (row["seed"], row["learner"]) == (seed, learner)]
        points = [(row["step"] / 1e6, learner_return(row)) for row in own if not math.isnan(learner_return(row))]
        axes.plot(*zip(*points, strict=True), label=f"{names[learner]}, seed {seed}")
    for number, name in enumerate(dict.fromkeys(r.player for r in results if r.player not in names)):
        mean = float(np.mean([result.return_.mean for result in results if result.player == name]))
        axes.axhline(mean, linestyle=("--", ":", "-.")[number % 3], color="0.4", label=f"{name} ({mean:.1f})")
    axes.set(xlabel="learner steps (millions)", ylabel="return of an episode", title=config.preset)
    axes.legend(frameon=False, fontsize="small")
    axes.spines[["top", "right"]].set_visible(False)
    draw_penalty(axes, rows)
    figure.savefig(path, dpi=150)


def draw_penalty(axes, rows: list[Row]) -> None:
    """The penalty in force as an area at the foot, where it was not the same throughout: returns depend on it."""
    penalty = {row["step"] / 1e6: row["penalty"] for row in rows}
    if len(set(penalty.values())) < 2:
        return
    other = axes.twinx()
    other.fill_between(list(penalty), list(penalty.values()), color="tab:red", alpha=0.15, linewidth=0)
    # The area keeps to the lowest fifth, out of the curves' way.
    other.set_ylim(0, 5 * max(penalty.values()))
    other.set_yticks([0, max(penalty.values())], ["0", f"{max(penalty.values()):.2g}"])
    other.set_ylabel("penalty in training", color="tab:red")
    other.spines[["top", "left"]].set_visible(False)
