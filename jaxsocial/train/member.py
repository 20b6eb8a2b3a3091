"""Members, each a seed of a setting: how they begin, and what they do in a chunk of iterations, side by side."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from jaxsocial.agents.networks.blocks import in_blocks
from jaxsocial.agents.networks.network import Parameters
from jaxsocial.agents.seating import Seated
from jaxsocial.config.config import Config
from jaxsocial.config.penalty import Progress, advanced, first_progress
from jaxsocial.config.traced import TracedConfig, player_noise, training_rules
from jaxsocial.env.types import Rules
from jaxsocial.learning import sharding
from jaxsocial.learning.rollout import AgentSetup
from jaxsocial.learning.update import Learner, Metrics, new_learner, one_iteration

CACHED_ROWS = 1024
"""On a CPU core, as many rows of minibatches as members side by side may have between them; with more they fall out of
its cache (docs/performance.md)."""


class Member(NamedTuple):
    """One seed of one setting: all that changes in a run."""

    learner: Learner
    progress: Progress
    healthy: Bool[Array, ""]
    """False once a number went bad; the rest stays as it was before that iteration."""


class MemberSetup(NamedTuple):
    """What the compiled functions close over."""

    config: Config
    setup: AgentSetup
    worlds: int
    """How many worlds of a member lie on a device."""


def begin(keys: Key[Array, " members"], traced: TracedConfig, member_setup: MemberSetup) -> Member:
    """Untrained members."""
    return jax.vmap(lambda key, own: _new_member(key, own, member_setup))(keys, traced)


def _new_member(key, traced: TracedConfig, member_setup: MemberSetup) -> Member:
    progress = first_progress()
    rules = _rules_now(traced, jnp.float32(0.0), progress, member_setup)
    learner = new_learner(key, rules, traced.coefficients, member_setup.setup)
    return Member(learner, progress, jnp.bool_(True))


def chunk(members: Member, traced: TracedConfig, players: Seated, iterations: int, member_setup: MemberSetup):
    """(members, metrics) after so many iterations; on CPU as many side by side as the cache has room for."""
    side_by_side = jax.vmap(lambda member, own: _iterations(member, own, players, iterations, member_setup))
    return in_blocks(side_by_side, members, traced, size=members_at_once(member_setup))


def members_at_once(member_setup: MemberSetup) -> int:
    """How many members a CPU core trains side by side, 1 or more."""
    sizes = member_setup.config.sizes
    rows = sizes.learners * sizes.segments * sizes.segment_length  # of a minibatch, on all devices that share a member
    return max(1, CACHED_ROWS * sizes.worlds // (rows * member_setup.worlds))


def _rules_now(traced: TracedConfig, steps, progress: Progress, member_setup: MemberSetup) -> Rules:
    here = sharding.world_numbers(member_setup.worlds, member_setup.setup.axis)
    return training_rules(traced, steps, progress, member_setup.config, here)


def _iterations(
    member: Member, traced: TracedConfig, players: Seated, count: int, member_setup: MemberSetup
) -> tuple[Member, dict[str, Float[Array, "iterations L"]]]:
    """Iterations of one member, each under the rules then in force."""
    noise = player_noise(traced, member_setup.config)

    def one(member: Member, _):
        # In floats: 32-bit integers end at 2.1 billion steps.
        steps = member.learner.iteration * jnp.float32(member_setup.config.iteration_steps)
        rules = _rules_now(traced, steps, member.progress, member_setup)
        learner, metrics = one_iteration(
            member.learner, players._replace(epsilon=noise), rules, traced.coefficients, member_setup.setup
        )
        progress = advanced(member.progress, traced.stages, _mean_return(metrics), member_setup.config.iteration_steps)
        member = _unless_bad(member, Member(learner, progress, _all_finite(learner.parameters, metrics["loss"])))
        facts = {"penalty": rules.penalty.mean(), "stage": member.progress.stage, "healthy": member.healthy}
        return member, metrics | {name: jnp.broadcast_to(fact, metrics["loss"].shape) for name, fact in facts.items()}

    return jax.lax.scan(one, member, None, count)


def _mean_return(metrics: Metrics) -> Float[Array, ""]:
    """The learners' return, in company where they were in any."""
    social, solo = metrics["social_return"], metrics["solo_return"]
    return jnp.where(jnp.isnan(social), solo, social).mean()


def _all_finite(parameters: Parameters, loss: Float[Array, " L"]) -> Bool[Array, ""]:
    return jnp.stack([jnp.isfinite(leaf).all() for leaf in (*jax.tree.leaves(parameters), loss)]).all()


def _unless_bad(before: Member, after: Member) -> Member:
    """The new one; where numbers went bad, now or earlier, the old one, marked."""
    healthy = before.healthy & after.healthy
    kept: Any = jax.tree.map(lambda new, old: jnp.where(healthy, new, old), after, before)
    return kept._replace(healthy=healthy)
