"""Interventions: what probes change in the midst of an episode, and what learners do afterwards."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from jaxsocial.config.config import Config
from jaxsocial.env import objects
from jaxsocial.env.types import State
from jaxsocial.evaluate.episodes import Episodes, Intervention
from jaxsocial.evaluate.statistics import masked_mean
from jaxsocial.learning.rollout import AgentSetup, RolloutState

AFTERWARDS = ("goals_after", "right_after")
"""Measures of what follows an intervention."""


def partners_gone(play: RolloutState, setup: AgentSetup) -> RolloutState:
    """Removes the partners of worlds in which a learner has entered as many right goals as there are."""
    state = play.state
    is_partner = np.arange(setup.env.scenario.agents) >= setup.sizes.learners
    leaving = _round_is_complete(play, setup)[:, None] & is_partner & state.active
    return play._replace(state=state._replace(active=state.active & ~leaving, away=state.away | leaving))


def partners_gone_and_moved(play: RolloutState, setup: AgentSetup) -> RolloutState:
    """Does the same, and puts the first learner where its first partner was."""
    state, partner = play.state, setup.sizes.learners
    moving = _round_is_complete(play, setup) & state.active[:, partner]
    position = jnp.where(moving[:, None], state.position[:, partner], state.position[:, 0])
    return partners_gone(play._replace(state=state._replace(position=state.position.at[:, 0].set(position))), setup)


def _round_is_complete(play: RolloutState, setup: AgentSetup) -> Bool[jax.Array, " E"]:
    goals = play.episode_stats.goals[:, : setup.sizes.learners].max(1)
    return goals >= max(setup.env.scenario.goals, 1)


def order_reversed(play: RolloutState, setup: AgentSetup) -> RolloutState:
    """Reverses the hidden order of the goals in the middle of the episode. Experts that know it know the new one."""
    scenario, state = setup.env.scenario, play.state
    now = state.clock == scenario.max_steps // 2

    def where_now(new, old):
        return jnp.where(now.reshape(-1, *[1] * (old.ndim - 1)), new, old)

    def turned(number):
        return scenario.goals - 1 - number

    # The numbers are in the cells too, from which rewards are computed.
    renumbered = state.grid & 0xFF | turned(objects.state_of(state.grid)) << 8
    is_goal = objects.kind_of(state.grid) == objects.BONUS
    state = state._replace(
        grid=where_now(jnp.where(is_goal, renumbered, state.grid), state.grid),
        goals=where_now(state.goals[:, ::-1], state.goals),
        last_goal=where_now(jnp.where(state.last_goal < 0, state.last_goal, turned(state.last_goal)), state.last_goal),
    )
    # Their distances to each goal are kept from the episode's start, goals as the first axis.
    memory = play.partner_memory
    known = {name: jax.tree.map(lambda x: where_now(x[:, ::-1], x), memory[name]) for name in KNOWING & memory.keys()}
    return play._replace(state=state, partner_memory=memory | known)


KNOWING = {"expert", "waiting_expert"}
"""Players whose memory is their distances to the goals."""


def prestige_swapped(state: State, setup: AgentSetup) -> State:
    """Returns a world in which the first two partners have each other's prestige."""
    one, other = setup.sizes.learners, setup.sizes.learners + 1
    seats = np.arange(setup.env.scenario.agents, dtype=np.int32)
    seats[[one, other]] = other, one
    return state._replace(prestige=state.prestige[seats])


def prestige_frozen(state: State, setup: AgentSetup) -> State:
    """Returns a world in which all partners are as blue as can be."""
    is_partner = np.arange(setup.env.scenario.agents) >= setup.sizes.learners
    return state._replace(prestige=jnp.where(is_partner, HIGHEST_PRESTIGE, state.prestige))


HIGHEST_PRESTIGE = np.float32(1e30)
"""So large that at any ``prestige_scale`` no red is left."""
INTERVENTIONS = {
    "gone_after_round": Intervention(partners_gone),
    "moved_after_round": Intervention(partners_gone_and_moved),
    "reversed_order": Intervention(order_reversed),
    "swapped_prestige": Intervention(shown=prestige_swapped),
    "frozen_prestige": Intervention(shown=prestige_frozen),
}
"""Probe to what it changes."""


def since_change(found: Episodes, config: Config, probe: str) -> Bool[np.ndarray, "S E T"] | None:
    """Returns the steps after a probe's change; None for probes that change nothing at a certain step.

    Args:
      found: episodes of each seed.
      config: of the run that played them.
      probe: its name.
    """
    steps = np.arange(found.reward.shape[2])
    if probe == "reversed_order":
        return np.broadcast_to(steps >= config.world.max_steps // 2, found.reward.shape[:3])
    if probe not in ("gone_after_round", "moved_after_round"):
        return None
    beside = found.present[..., config.sizes.learners :].any(-1)
    return np.logical_or.accumulate(beside, axis=2) & ~beside


def afterwards(found: Episodes, seat: int, since: Bool[np.ndarray, "S E T"]) -> dict[str, Float[np.ndarray, "S E"]]:
    """Computes what an agent does after a change.

    Args:
      found: episodes of each seed.
      seat: of the agent.
      since: the steps that count, as `since_change` returns them.

    Returns:
      By the names of `AFTERWARDS`: how many right goals it enters, and which share of all goals that it enters are
      right. By chance that is one of all but the last, 1 / (goals - 1). NaN in episodes without such steps, and
      without entries.
    """
    since = since & found.present[..., seat]
    entered, right = since & (found.goal[..., seat] >= 0), found.right[..., seat]
    goals = np.where(since.any(-1), (entered & right).sum(-1), np.nan)
    return dict(zip(AFTERWARDS, (goals, masked_mean(right, entered)), strict=True))
