"""Whole recorded episodes: rewards and goals of every agent, and errors of learners' predictions."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key, Shaped

from jaxsocial.agents.networks.network import Parameters
from jaxsocial.agents.seating import with_own
from jaxsocial.config.config import Config
from jaxsocial.config.traced import evaluation_rules, player_noise, traced_config
from jaxsocial.env import objects
from jaxsocial.env.actions import ENTERED_EARLY, PHASES
from jaxsocial.env.core import make_env
from jaxsocial.env.observations.observe import first_observation
from jaxsocial.env.scenario import Scenario
from jaxsocial.env.settings import changed
from jaxsocial.env.spawning import acts_next
from jaxsocial.env.types import NEVER, Rules, State, make_dropout
from jaxsocial.learning.rollout import AgentSetup, RolloutState, Trajectory, rollout, start
from jaxsocial.training.build import make_agent_setup
from jaxsocial.training.pretrained import own_partners
from jaxsocial.training.program import seed_keys


class Episodes(NamedTuple):
    """E episodes of each of S seeds, T steps long. After an episode's end, ``present`` is false and nothing counts."""

    reward: Float[np.ndarray, "S E T A"]
    goal: Int[np.ndarray, "S E T A"]
    """The goal entered in this step, -1 for none."""
    right: Bool[np.ndarray, "S E T A"]
    """The goal entered was the next in order, or any goal where there is no order."""
    present: Bool[np.ndarray, "S E T A"]
    """Acted in this step."""
    prediction_error: Float[np.ndarray, "S E T L"] | None = None
    """Loss of what each learner predicted; NaN if it predicts nothing. Recorded on request."""
    other_in_view: Bool[np.ndarray, "S E T L"] | None = None
    """Whether the view to predict shows another agent. Recorded on request."""
    turn: Int[np.ndarray, "S E T"] | None = None
    """Which way round the order of three goals goes, see `turn_of`. Recorded where there are three."""


def without_teacher(config: Config) -> Config:
    """Returns the config of a learner that acts itself, as in every evaluation."""
    return dataclasses.replace(config, teacher="")


def beside(config: Config, partners: tuple[str, ...], world: Scenario | None = None) -> Config:
    """Returns the config of a run with other partners, which take no random actions.

    Args:
      config: of the run.
      partners: any number of names.
      world: another world; the run's own if not given.

    Raises:
      ValueError: the world has no room for the partners.

    >>> from jaxsocial.config.presets import preset
    >>> beside(preset("quickstart"), ("random", "random")).world.agents
    3
    """
    world = changed(config.world if world is None else world, agents=config.sizes.learners + len(partners))
    partner_schedule = config.partner_schedule._replace(epsilon=(0.0,))
    return dataclasses.replace(config, world=world, partners=partners, partner_schedule=partner_schedule)


def played_config(
    config: Config,
    partners: Sequence[str] | None = None,
    first_level: int | None = None,
    levels: int | None = None,
) -> Config:
    """Returns the config that an evaluation plays.

    Args:
      config: of the run.
      partners: other partners, of any number, which take no random actions; those of the run if None.
      first_level: the first of the fixed levels; that of the run if None.
      levels: number of fixed levels, 0 for a new one per episode; that of the run if None.

    Raises:
      ValueError: the world has no room for the partners, or no such levels.
    """
    given = {"first_level": first_level, "levels": levels}
    numbers = {name: number for name, number in given.items() if number is not None}
    config = dataclasses.replace(config, rules=dataclasses.replace(config.rules, **numbers))
    return config if partners is None else beside(config, tuple(partners))


def episode_player(
    configs: Config | Sequence[Config],
    episodes: int,
    alone: bool = False,
    gone_from: int | None = None,
    foresight: bool = False,
    program: "EpisodeProgram | None" = None,
) -> Callable[..., Episodes]:
    """Returns a function, compiled once, that plays whole episodes with the parameters of each seed.

    It always plays the same worlds, with the whole penalty. It takes parameters, and optionally other configs for as
    many members of the same shapes.

    Args:
      configs: the run's, or several that differ only in numbers and seeds. Parameters are those of all their
        seeds, one config after the other.
      episodes: number for each seed.
      alone: whether partners are absent.
      gone_from: the step from which partners are gone; never if not given.
      foresight: whether prediction errors are recorded too, which takes longer.
      program: that of a config which differs in numbers and seeds only, with the same ``foresight``. Without it one is
        made, and compiled.

    Raises:
      ValueError: see `make_agent_setup`.
    """
    configs = [configs] if isinstance(configs, Config) else list(configs)
    program = program or episode_program(configs[0], foresight)

    def play_all(parameters: Parameters, others: Sequence[Config] | None = None) -> Episodes:
        own = [without_teacher(config) for config in others or configs]
        inputs = [episode_inputs(config, episodes, alone, gone_from) for config in own]
        return Episodes(**played(program, parameters, own, inputs))

    return play_all


def played(
    program: "EpisodeProgram", parameters: Parameters, configs: Sequence[Config], inputs: "Sequence[EpisodeInputs]"
) -> dict[str, Shaped[np.ndarray, "S E T *K"]]:
    """Plays episodes and returns what is recorded, on the host; nobody is present after the end.

    Args:
      program: of a config that differs from ``configs`` in numbers and seeds only.
      parameters: of all seeds of all configs, one config after the other.
      configs: whose seeds play.
      inputs: for each config.
    """
    players = program.setup.partners.parameters
    own_players = own_partners(players.parameters, configs)
    players = with_own(players, dict.fromkeys(own_players))
    # Parameters of several devices go to one, since otherwise every device would play every episode.
    own = jax.device_get(parameters)
    recorded, ended = program.play(own, jax.tree.map(lambda *x: jnp.concatenate(x), *inputs), own_players, players)
    found = {name: np.moveaxis(np.asarray(values), 1, 2) for name, values in recorded.items()}
    ends = np.moveaxis(np.asarray(ended), 1, 2).astype(int)
    over = ends.cumsum(-1) - ends > 0
    return found | {"present": found["present"] & ~over[..., None]}


class EpisodeProgram(NamedTuple):
    """What plays whole episodes."""

    setup: AgentSetup
    play: Any
    """The jitted function."""


class Intervention(NamedTuple):
    """What a probe changes in a world after each step, and before the first."""

    change: Callable[[RolloutState, AgentSetup], RolloutState] | None = None
    """Changes the worlds, or what their partners remember."""
    shown: Callable[[State, AgentSetup], State] | None = None
    """Returns one world as agents see it: the world itself stays as it is."""


Watch = Callable[[RolloutState, RolloutState], dict[str, Array]]
"""(before a step, after it) -> further fields that are recorded, worlds as the first axis."""


def episode_program(
    config: Config, foresight: bool = False, intervention: Intervention | None = None, watch: Watch | None = None
) -> EpisodeProgram:
    """Returns the setup of whole episodes, and the jitted function that plays them.

    The function maps the parameters of all seeds, their `EpisodeInputs`, the partners that each seed has for itself and
    those of all to the fields of `Episodes`, and to which episodes ended in each step, of shapes (seeds, steps,
    episodes, ...).

    Args:
      config: of the run.
      foresight: whether prediction errors are recorded too.
      intervention: what changes in the midst of episodes; nothing if None.
      watch: returns further fields to record; none if None.

    Raises:
      ValueError: see `make_agent_setup`.
    """
    return program_of(make_agent_setup(without_teacher(config)), foresight, intervention, watch)


def program_of(
    setup: AgentSetup,
    foresight: bool = False,
    intervention: Intervention | None = None,
    watch: Watch | None = None,
) -> EpisodeProgram:
    """Returns `episode_program` of a setup. In one that imitates, the teacher acts in the learner's seat.

    Args:
      setup: environment, network and players.
      foresight: see `episode_program`; so are the others.
      intervention: what changes in the midst of episodes.
      watch: returns further fields to record.
    """
    env = setup.env
    if foresight and "others" not in env.scenario.inputs:
        env = make_env(dataclasses.replace(env.scenario, inputs=(*env.scenario.inputs, "others")))
    # Episodes are not to restart: what happened with the last step is read from the state.
    setup = setup._replace(env=dataclasses.replace(env, auto_reset=False))

    @jax.jit
    def play(parameters, inputs: EpisodeInputs, own_players, players):
        @jax.vmap
        def play_seed(parameters, inputs, own):
            return _play_episodes(parameters, inputs, with_own(players, own), setup, foresight, intervention, watch)

        return play_seed(parameters, inputs, own_players)

    return EpisodeProgram(setup, play)


class EpisodeInputs(NamedTuple):
    """Keys, rules and noise of the episodes of a config, seeds as the first axis."""

    key: Key[Array, " S"]
    rules: Rules
    noise: Float[Array, "S partners"]


def episode_inputs(config: Config, episodes: int, alone: bool = False, gone_from: int | None = None) -> EpisodeInputs:
    """Returns the inputs of episodes, for `episode_program`.

    Args:
      config: of the run.
      episodes: number for each seed.
      alone: whether partners are absent.
      gone_from: the step from which partners are gone; never if None.
    """
    config = without_teacher(config)
    rules = evaluation_rules(config, episodes, alone)
    if gone_from is not None:
        leaving = make_dropout(gone_from=[NEVER] * config.sizes.learners + [gone_from] * len(config.partners))
        rules = rules._replace(dropout=jax.tree.map(lambda x: jnp.broadcast_to(x, (episodes, *x.shape)), leaving))
    shared = rules, player_noise(traced_config(config), config)
    return EpisodeInputs(
        evaluation_keys(config), *jax.tree.map(lambda x: jnp.broadcast_to(x, (config.seeds, *x.shape)), shared)
    )


def evaluation_keys(config: Config) -> Key[Array, " seeds"]:
    """Returns one key for each seed, different from those of training."""
    return jax.vmap(lambda key: jax.random.fold_in(key, 2**31 - 1))(seed_keys(config))


def _play_episodes(
    parameters: Parameters,
    inputs: EpisodeInputs,
    players,
    setup: AgentSetup,
    foresight: bool,
    intervention: Intervention | None,
    watch: Watch | None,
) -> tuple[dict[str, Shaped[Array, "T E *K"]], Bool[Array, "T E"]]:
    """Plays one episode in every world; returns the fields of `Episodes`, and which episodes ended in each step."""
    start_key, play_key = jax.random.split(inputs.key)
    players, rules = players._replace(epsilon=inputs.noise), inputs.rules

    def changed_by_probe(play: RolloutState) -> RolloutState:
        return play if intervention is None else _intervened(play, rules, setup, intervention)

    def one_step(play: RolloutState, step_key):
        after, trajectory, outcome = rollout(step_key, play, parameters, players, rules, setup, 1)
        row = jax.tree.map(lambda x: x[0], trajectory)
        goal = jax.vmap(goal_entered)(play.state, after.state)
        recorded = {
            "reward": outcome.episode_stats.return_[0] - play.episode_stats.return_,
            "goal": goal,
            "right": is_next_goal(goal, play.state.last_goal, setup.env.scenario),
            "present": jax.vmap(functools.partial(acts_next, scenario=setup.env.scenario))(play.state),
        }
        if setup.env.scenario.goals == 3 and setup.env.scenario.may_hold(objects.BONUS):
            recorded["turn"] = jax.vmap(turn_of)(play.state.goals)
        if foresight:
            error, in_view = _prediction_error(parameters, play, row, setup)
            recorded["prediction_error"], recorded["other_in_view"] = error, in_view
        if watch is not None:
            recorded |= watch(play, after)
        return changed_by_probe(after), (recorded, outcome.ended[0])

    play = changed_by_probe(start(start_key, rules, setup))
    return jax.lax.scan(one_step, play, jax.random.split(play_key, setup.env.scenario.max_steps))[1]


def _intervened(play: RolloutState, rules: Rules, setup: AgentSetup, intervention: Intervention) -> RolloutState:
    """Returns the worlds as a probe changes them, with views of what it shows."""
    if intervention.change is not None:
        play = intervention.change(play, setup)

    def seen(state: State, rules: Rules):
        state = state if intervention.shown is None else intervention.shown(state, setup)
        return first_observation(state, rules, setup.env.scenario)

    views = jax.vmap(seen)(play.state, rules)
    # The last reward and action are those of the step.
    new = {name: value for name, value in views._asdict().items() if name not in ("reward", "last_action")}
    return play._replace(observation=play.observation._replace(**new), present=play.state.active)


def goal_entered(before: State, after: State) -> Int[Array, " A"]:
    """Returns the goal that each agent entered between two states, -1 for none.

    An agent that was placed on a goal, late, has not entered it.
    """
    placed = ~before.active & (after.arrival // len(after.arrival) % PHASES == ENTERED_EARLY)
    moved = (before.position != after.position).any(-1) & ~placed
    # An agent whose part ended may have been moved elsewhere in the same step, so its new position does not tell.
    ahead = before.position + jnp.asarray(objects.STEP)[before.heading]
    entered = jnp.where(before.active[:, None], ahead, after.position)
    at_goal = (entered[:, None] == after.goals[None]).all(-1) & moved[:, None]
    number = jnp.arange(len(after.goals), dtype=jnp.int32)
    return jnp.max(jnp.where(at_goal, number, -1), axis=-1, initial=-1)


def turn_of(goals: Int[Array, "3 2"]) -> Int[Array, ""]:
    """Returns which way round the order of three goals goes: 1 clockwise on the screen, -1 not, 0 in a line.

    >>> turn_of(jnp.array([[0, 0], [0, 5], [5, 5]])).tolist()
    1
    """
    (down, right), (further_down, further_right) = goals[1] - goals[0], goals[2] - goals[0]
    return jnp.sign(right * further_down - down * further_right)


def is_next_goal(goal: Int[Array, "E A"], last: Int[Array, "E A"], scenario: Scenario) -> Bool[Array, "E A"]:
    """Returns whether the goals entered are the next in order, or any goals where there is no order.

    Args:
      goal: the goal that each agent entered, -1 for none.
      last: the goal that it entered rightly before, -1 for none.
      scenario: the world.

    >>> from jaxsocial.env.registry import make_scenario
    >>> is_next_goal(jnp.array([[1, 2, -1]]), jnp.array([[0, 0, 0]]), make_scenario("goal_cycle", goals=3)).tolist()
    [[True, False, False]]
    """
    if not scenario.may_hold(objects.BONUS):
        return goal >= 0
    follows = (last < 0) | (goal == (last + 1) % max(scenario.goals, 1))
    # The only goal of a world counts as just entered.
    return (goal >= 0) & follows & (scenario.goals > 1)


def _prediction_error(
    parameters, before: RolloutState, row: Trajectory, setup: AgentSetup
) -> tuple[Float[Array, "E L"], Bool[Array, "E L"]]:
    """Computes the loss of each learner's prediction, and whether the view to predict shows another agent.

    The loss is NaN if learners predict nothing. Then the next view counts.
    """
    target, network = setup.network.target, setup.network
    others: Any = (row.observation_next if target is None or target.of_next else row.observation).others
    if target is None:
        return jnp.full(row.action.T.shape, jnp.nan, jnp.float32), others.T

    def loss(parameters, memory, row: Trajectory):
        one_step = jax.tree.map(lambda x: x[None], row)
        # The rollout does not keep outputs of the memory: one step more of the network.
        outputs = network.unroll(parameters, memory, one_step.observation, one_step.first)
        prediction = network.predict(parameters, outputs.hidden, one_step.action)
        return target.loss(prediction, one_step.observation, one_step.observation_next)[0]

    # Learners are the first axis of parameters and rows, and the second of memories.
    return jax.vmap(loss, (0, 1, 0))(parameters, before.memory, row).T, others.T
