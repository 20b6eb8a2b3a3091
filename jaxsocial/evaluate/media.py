"""Pictures of a run: an episode as a GIF or PNG, and the learning curve."""

import dataclasses
import math
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8

from jaxsocial.agents.networks.network import Parameters
from jaxsocial.config.config import Config
from jaxsocial.config.traced import evaluation_rules
from jaxsocial.env.observations import pixels
from jaxsocial.env.observations.observe import first_observation
from jaxsocial.env.scenario import Scenario
from jaxsocial.env.types import Rules, State
from jaxsocial.evaluate.returns import Result, learner_names
from jaxsocial.learning.rollout import AgentSetup, RolloutState, Trajectory, rollout, start
from jaxsocial.training.metrics import Row, learner_return

TILE = 32
"""Width of a cell of the world, pixels."""
SMALLEST_VIEW = 126
"""Width that an agent's view is enlarged to at least, pixels."""
MARGIN = 16
LINE = 16
BACKGROUND = (24, 24, 28)
INK = (235, 235, 235)
FRAMES_PER_SECOND = 6
CANDIDATES = 15
"""Number of episodes among which a typical one is chosen."""

Picture = UInt8[np.ndarray, "height width 3"]


class Moment(NamedTuple):
    """The state between two steps of an episode."""

    play: RolloutState
    returns: Float[np.ndarray, " A"]
    """Sum of rewards so far."""
    row: Trajectory | None = None
    """What the learners did in the step before; None at first. Each field begins with the axes L and N = 1."""


PlayedEpisode = Callable[..., Iterator[Moment]]
"""(number, alone=False) -> plays the episode of a number; if alone, without partners on the same level."""


class Scene(NamedTuple):
    """What a picture of a moment shows, on the host."""

    world: Picture
    views: UInt8[np.ndarray, "A P P 3"]
    returns: list[float]
    learner: tuple[int, int]
    """The first learner's cell (row, column)."""
    step: int


def moments(config: Config, parameters: Parameters, setup: AgentSetup) -> PlayedEpisode:
    """Returns a function that plays the episode of a number, from its first state to the state after its last step.

    It compiles once, for episodes with partners and without.

    Args:
      config: of the run.
      parameters: of one seed's learners.
      setup: environment, network and partners.
    """
    # Under vmap jax refuses NumPy constants in functions with a gradient of their own; runs of several hosts have such.
    parameters = jax.tree.map(jnp.asarray, parameters)
    # An end is to be seen, and not the world that would follow.
    setup = setup._replace(env=dataclasses.replace(setup.env, auto_reset=False))

    @jax.jit
    def begin(key, rules: Rules):
        return start(key, rules, setup)

    @jax.jit
    def one_step(key, play: RolloutState, rules: Rules):
        play, rows, outcome = rollout(key, play, parameters, setup.partners.parameters, rules, setup, 1)
        row = jax.tree.map(lambda x: x[0], rows)
        return play, outcome.episode_stats.return_[0, 0], row, outcome.ended[0, 0]

    def episode(number: int, alone: bool = False) -> Iterator[Moment]:
        rules = evaluation_rules(config, 1, alone)
        start_key, *step_keys = jax.random.split(jax.random.key(number), config.world.max_steps + 1)
        play, ended = begin(start_key, rules), False
        yield Moment(play, np.zeros(config.world.agents))
        while not ended:
            play, returns, row, ended = one_step(step_keys.pop(), play, rules)
            yield Moment(play, np.asarray(returns), row)

    return episode


def scenes(config: Config, episode: Iterator[Moment]) -> Iterator[Scene]:
    """Draws every moment of an episode."""
    rules = jax.tree.map(lambda x: x[0], evaluation_rules(config, 1))

    @jax.jit
    def draw(play: RolloutState):
        state = jax.tree.map(lambda x: x[0], play.state)
        return pixels.whole_world(state, rules, config.world, TILE), views(play, state, rules, config.world)

    for step, (play, returns, _) in enumerate(episode):
        row, column = np.asarray(play.state.position[0, 0]).tolist()
        world, seen = map(np.asarray, draw(play))
        yield Scene(world, seen, returns.tolist(), (row, column), step)


def views(play: RolloutState, state: State, rules: Rules, world: Scenario) -> UInt8[Array, "A P P 3"]:
    """Returns what each agent sees as pictures, square; symbols are drawn.

    Args:
      play: one world, with its observation.
      state: of this world, without the axis of worlds.
      rules: of this world.
      world: its sizes.
    """
    if world.observation == "rgb":
        return play.observation.image[0]
    if world.observation == "symbolic":
        return first_observation(state, rules, dataclasses.replace(world, observation="rgb", inputs=())).image
    picture = pixels.whole_world(state, rules, world, world.tile_pixels)
    side = max(picture.shape)
    padded = jnp.pad(picture, ((0, side - picture.shape[0]), (0, side - picture.shape[1]), (0, 0)))
    return jnp.broadcast_to(padded, (world.agents, *padded.shape))


def typical(episode: PlayedEpisode) -> int:
    """Returns which of the first `CANDIDATES` episodes has the median return of the first learner."""
    # A deque of length 1 keeps only the last moment.
    returns = [deque(episode(number), maxlen=1)[0].returns[0] for number in range(CANDIDATES)]
    return int(np.argsort(returns, stable=True)[CANDIDATES // 2])


def compose(scene: Scene, names: list[str]) -> Picture:
    """Draws the world with a frame around the learner, and beside it each agent's view, name and return so far."""
    from PIL import Image, ImageDraw  # noqa: PLC0415, slow to import

    height, width, _ = scene.world.shape
    target = max(height // max(len(names), 2) - LINE - MARGIN, SMALLEST_VIEW)
    side = scene.views.shape[1] * max(target // scene.views.shape[1], 1)
    each = side + LINE + MARGIN
    canvas = Image.new(
        "RGB", (width + side + 3 * MARGIN, max(height + LINE, each * len(names) - MARGIN) + 2 * MARGIN), BACKGROUND
    )
    pen = ImageDraw.Draw(canvas)
    canvas.paste(Image.fromarray(scene.world), (MARGIN, MARGIN))
    top, left = (MARGIN + index * TILE for index in scene.learner)
    pen.rectangle((left, top, left + TILE - 1, top + TILE - 1), outline=INK, width=2)
    pen.text((MARGIN, MARGIN + height + 4), f"step {scene.step}", INK)
    for number, (view, name, return_) in enumerate(zip(scene.views, names, scene.returns, strict=True)):
        top = MARGIN + number * each
        pen.text((width + 2 * MARGIN, top), f"{name}  {return_:+.1f}", INK)
        enlarged = Image.fromarray(view).resize((side, side), Image.Resampling.NEAREST)
        canvas.paste(enlarged, (width + 2 * MARGIN, top + LINE))
    return np.asarray(canvas)


def player_names(config: Config) -> list[str]:
    """Returns the name of each agent in pictures.

    >>> from jaxsocial.config.presets import preset
    >>> player_names(preset("quickstart"))
    ['learner', 'searching_expert', 'searching_expert']
    """
    return [*learner_names(config), *(name.rstrip("/").split("/")[-1] for name in config.partners)]


def write_episode(path: Path, config: Config, episode: PlayedEpisode, number: int | None = None) -> None:
    """Plays an episode and writes it as a GIF, or its last moment as a PNG.

    Args:
      path: ends in ``.gif`` or ``.png``.
      config: of the run.
      episode: plays it.
      number: of the episode; a typical one if not given.
    """
    import imageio.v3 as imageio  # noqa: PLC0415, slow to import

    names = player_names(config)
    chosen = typical(episode) if number is None else number
    frames = [compose(scene, names) for scene in scenes(config, episode(chosen))]
    if path.suffix == ".png":
        imageio.imwrite(path, frames[-1])
    else:
        imageio.imwrite(path, np.stack(frames), duration=1000 / FRAMES_PER_SECOND, loop=0)


def write_learning_curve(path: Path, rows: list[Row], results: list[Result], config: Config) -> None:
    """Draws return over learner steps, a curve for each seed and learner, other players as horizontal lines.

    Args:
      path: of the picture.
      rows: metrics of the run.
      results: of its evaluation.
      config: of the run.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415, slow to import

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
    """Draws the penalty as an area at the bottom if it changed in training, since returns depend on it."""
    penalty = {row["step"] / 1e6: row["penalty"] for row in rows}
    if len(set(penalty.values())) < 2:
        return
    other = axes.twinx()
    other.fill_between(list(penalty), list(penalty.values()), color="tab:red", alpha=0.15, linewidth=0)
    # The area stays in the lowest fifth, below the curves.
    other.set_ylim(0, 5 * max(penalty.values()))
    other.set_yticks([0, max(penalty.values())], ["0", f"{max(penalty.values()):.2g}"])
    other.set_ylabel("penalty in training", color="tab:red")
    other.spines[["top", "left"]].set_visible(False)
