"""Whole episodes, recorded for measurement: what everyone did, and how well the learner foresaw what it would see."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key, Shaped

from jaxsocial.agents.networks.network import Parameters
from jaxsocial.config.config import Config
from jaxsocial.config.traced import evaluation_rules, player_noise, traced_config
from jaxsocial.env import objects
from jaxsocial.env.core import make_env
from jaxsocial.env.observations import vision
from jaxsocial.env.scenario import Scenario
from jaxsocial.env.settings import changed
from jaxsocial.env.types import NEVER, Rules, State, make_dropout
from jaxsocial.learning.losses import prediction_loss
from jaxsocial.learning.rollout import AgentSetup, RolloutState, rollout, start
from jaxsocial.train.build import make_agent_setup
from jaxsocial.train.program import seed_keys


class Episodes(NamedTuple):
    """E episodes of each of S seeds, T steps long; after an episode's end nothing counts."""

    reward: Float[np.ndarray, "S E T A"]
    goal: Int[np.ndarray, "S E T A"]
    """The goal entered with this step, -1 where none was."""
    right: Bool[np.ndarray, "S E T A"]
    """The goal entered was the next in order, or any where there is no order."""
    present: Bool[np.ndarray, "S E T A"]
    """Acted in this step."""
    prediction_error: Float[np.ndarray, "S E T L"] | None = None
    """Of the frame that each learner foretold, 0 to about 1; NaN where nothing is predicted. Recorded if asked for."""
    other_in_view: Bool[np.ndarray, "S E T L"] | None = None
    """Whether the frame that is foretold shows another agent. Recorded if asked for."""


def without_teacher(config: Config) -> Config:
    """The config by which a learner acts itself, as it does in every evaluation."""
    return dataclasses.replace(config, teacher="")


def beside(config: Config, partners: tuple[str, ...], world: Scenario | None = None) -> Config:
    """The config of a run with other partners, however many, who do not err; in another world if one is given.

    Raises:
      ValueError: the world has no room for them.
    """
    world = changed(config.world if world is None else world, agents=config.sizes.learners + len(partners))
    partner_schedule = config.partner_schedule._replace(epsilon=(0.0,))
    return dataclasses.replace(config, world=world, partners=partners, partner_schedule=partner_schedule)


def episode_player(
    configs: Config | Sequence[Config],
    episodes: int,
    alone: bool = False,
    gone_from: int | None = None,
    foresight: bool = False,
) -> Callable[..., Episodes]:
    """A function, compiled once, that plays whole episodes with the parameters of each seed.

    It always plays the same worlds, and charges the whole penalty. It takes parameters, and for as many members of the
    same shapes, other configs.

    Args:
      configs: the run's, or several that differ in nothing but numbers and seeds; parameters are those of all their
        seeds, one config after the other.
      episodes: how many of each seed.
      alone: whether partners are missing.
      gone_from: the step from which on partners are gone; never if not given.
      foresight: whether what learners foretell is recorded too, which takes longer.

    Raises:
      ValueError: see `make_agent_setup`.
    """
    configs = [configs] if isinstance(configs, Config) else list(configs)
    setup = make_agent_setup(without_teacher(configs[0]))
    # Episodes are not to restart: what happened with the last step is read from the state.
    setup = setup._replace(env=dataclasses.replace(setup.env, auto_reset=False))

    @jax.jit
    def play(parameters, provenance: _Circumstances, players):
        of_seed = functools.partial(_record, players=players, setup=setup, foresight=foresight)
        return jax.vmap(of_seed)(parameters, provenance)

    def play_all(parameters: Parameters, others: Sequence[Config] | None = None) -> Episodes:
        each = [_circumstances(without_teacher(c), episodes, alone, gone_from) for c in others or configs]
        # From wherever they were trained onto one device: else every device would play everything.
        own = jax.device_get(parameters)
        return _on_host(*play(own, jax.tree.map(lambda *x: jnp.concatenate(x), *each), setup.partners.parameters))

    return play_all


class _Circumstances(NamedTuple):
    """What the seeds of a config play in, seeds as the first axis."""

    key: Key[Array, " S"]
    rules: Rules
    noise: Float[Array, "S partners"]


def _circumstances(config: Config, episodes: int, alone: bool, gone_from: int | None) -> _Circumstances:
    rules = evaluation_rules(config, episodes, alone)
    if gone_from is not None:
        leaving = make_dropout(gone_from=[NEVER] * config.sizes.learners + [gone_from] * len(config.partners))
        rules = rules._replace(dropout=jax.tree.map(lambda x: jnp.broadcast_to(x, (episodes, *x.shape)), leaving))
    shared = rules, player_noise(traced_config(config), config)
    return _Circumstances(
        evaluation_keys(config), *jax.tree.map(lambda x: jnp.broadcast_to(x, (config.seeds, *x.shape)), shared)
    )


def evaluation_keys(config: Config) -> Key[Array, " seeds"]:
    """Keys of evaluation, apart from those of training."""
    return jax.vmap(lambda key: jax.random.fold_in(key, 2**31 - 1))(seed_keys(config))


def _record(
    parameters: Parameters, here: _Circumstances, players, setup: AgentSetup, foresight: bool
) -> tuple[dict[str, Shaped[Array, "T E *K"]], Bool[Array, "T E"]]:
    """One episode in every world, as the fields of `Episodes`, and which worlds' episodes ended with each step."""
    start_key, play_key = jax.random.split(here.key)
    players, rules = players._replace(epsilon=here.noise), here.rules

    def one_step(play: RolloutState, step_key):
        after, trajectory, outcome = rollout(step_key, play, parameters, players, rules, setup, 1)
        row = jax.tree.map(lambda x: x[0], trajectory)
        goal = jax.vmap(_goal_entered)(play.state, after.state)
        moment = {
            "reward": outcome.episode_stats.return_[0] - play.episode_stats.return_,
            "goal": goal,
            "right": _is_right(goal, play.state.last_goal, setup.env.scenario),
            "present": play.present,
        }
        if foresight:
            # An autoencoder's frame is the one before the step.
            shown = play.state if setup.sizes.prediction == "current" else after.state
            moment["prediction_error"] = _prediction_error(parameters, after, row, setup)
            moment["other_in_view"] = _others_in_view(shown, rules, setup)
        return after, (moment, outcome.ended[0])

    play = start(start_key, rules, setup)
    return jax.lax.scan(one_step, play, jax.random.split(play_key, setup.env.scenario.max_steps))[1]


def _goal_entered(before: State, after: State) -> Int[Array, " A"]:
    """The goal that each agent entered between two states, -1 for none."""
    moved = (before.position != after.position).any(-1)
    # Who came to an end may have been put elsewhere in the same step.
    ahead = before.position + jnp.asarray(objects.STEP)[before.heading]
    entered = jnp.where(before.active[:, None], ahead, after.position)
    here = (entered[:, None] == after.goals[None]).all(-1) & moved[:, None]
    number = jnp.arange(len(after.goals))
    return jnp.max(jnp.where(here, number, -1), axis=-1, initial=-1)


def _is_right(goal: Int[Array, "E A"], last: Int[Array, "E A"], scenario: Scenario) -> Bool[Array, "E A"]:
    """Whether these entries, -1 for none, follow the goals that were last taken."""
    if not scenario.may_hold(objects.BONUS):
        return goal >= 0
    follows = (last < 0) | (goal == (last + 1) % max(scenario.goals, 1))
    # A single goal counts as just taken.
    return (goal >= 0) & follows & (scenario.goals > 1)


def _prediction_error(parameters, after: RolloutState, row, setup: AgentSetup) -> Float[Array, "E L"]:
    """How far the frame that followed is from the one foretold."""
    if setup.sizes.prediction == "none":
        return jnp.full((len(after.first), setup.sizes.learners), jnp.nan)
    target = row.observation_next if setup.sizes.prediction == "next" else row.observation
    frame = jax.vmap(setup.network.predict, (0, 1, 0))(parameters, after.memory.hidden, row.action)
    return prediction_loss(frame, target).T


def _others_in_view(state: State, rules: Rules, setup: AgentSetup) -> Bool[Array, "E L"]:
    learners = setup.sizes.learners
    scenario = dataclasses.replace(setup.env.scenario, observation="symbolic", inputs=())
    seen = jax.vmap(make_env(scenario).reset_to)(state, rules)[1].observation.image[:, :learners]
    view = scenario.agent_views[0]
    own_cell = jax.vmap(lambda heading: vision.own_cell(heading, view))(state.heading[:, :learners])
    return ((seen[..., 0] == objects.AGENT) & ~own_cell).any((-2, -1))


def _on_host(moments: dict[str, Shaped[Array, "S T E *K"]], ended: Bool[Array, "S T E"]) -> Episodes:
    """Episodes before steps, and nothing present after the first end."""
    found = Episodes(**{name: np.moveaxis(np.asarray(values), 1, 2) for name, values in moments.items()})
    ends = np.moveaxis(np.asarray(ended), 1, 2).astype(int)
    over = ends.cumsum(-1) - ends > 0
    return found._replace(present=found.present & ~over[..., None])
