"""Members, each one seed of one config: how they begin, and a chunk of iterations of all of them under vmap."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key, PyTree

from jaxsocial.agents.networks.blocks import in_blocks
from jaxsocial.agents.seating import Seated, with_own
from jaxsocial.config.config import Config
from jaxsocial.config.penalty import Progress, advanced, first_progress
from jaxsocial.config.traced import TracedConfig, player_noise, training_rules
from jaxsocial.env.types import Rules
from jaxsocial.learning import sharding
from jaxsocial.learning.minibatch import SHARES, Metrics
from jaxsocial.learning.rollout import AgentSetup
from jaxsocial.learning.update import Learner, new_learner, one_iteration

CACHED_ROWS = 512
"""Rows of minibatches that members in one vmap may have in all on a CPU core. More do not fit its cache
(docs/performance.md)."""


class Member(NamedTuple):
    """The state of one seed of one config: all that changes in a run."""

    learner: Learner
    progress: Progress
    healthy: Bool[Array, ""]
    """False after a number became non-finite; the rest then stays as before that iteration."""


class MemberSetup(NamedTuple):
    """The static values that the compiled functions close over."""

    config: Config
    agents: AgentSetup
    worlds: int
    """Worlds of one member on one device."""


def metric_names(config: Config) -> tuple[str, ...]:
    """Returns the names of the metrics of a config, without compiling it or starting a device.

    >>> from jaxsocial.config.presets import preset
    >>> "prediction_loss" in metric_names(preset("paper")), "prediction_loss" in metric_names(preset("paper-vanilla"))
    (True, False)
    """
    terms = ("imitation_loss", "agreement") if config.teacher else ("policy_loss", "value_loss", "ratio_error")
    predicted = () if config.sizes.prediction == "none" else ("prediction_loss", *SHARES)
    means = (f"{who}_{what}" for who in ("social", "solo", "partner") for what in ("return", "goals", "penalties"))
    common = ("loss", "entropy", "approx_kl", "minibatches", "restored", "episodes", "penalty", "stage", "healthy")
    return *common, *terms, *predicted, *means


def begin(keys: Key[Array, " members"], traced: TracedConfig, setup: MemberSetup) -> Member:
    """Returns untrained members.

    Args:
      keys: one key per member.
      traced: the numbers of each member.
      setup: the static values.
    """
    return jax.vmap(lambda key, own: begin_one(key, own, setup))(keys, traced)


def begin_one(key: Key[Array, ""], traced: TracedConfig, setup: MemberSetup) -> Member:
    """Returns one untrained member.

    Args:
      key: for all its draws.
      traced: its numbers.
      setup: the static values.
    """
    progress = first_progress()
    rules = _rules(traced, jnp.float32(0.0), progress, setup)
    return Member(new_learner(key, rules, traced.coefficients, setup.agents), progress, jnp.bool_(True))


def chunk(
    members: Member,
    traced: TracedConfig,
    own_players: dict[str, PyTree],
    players: Seated,
    iterations: int,
    setup: MemberSetup,
) -> tuple[Member, Metrics]:
    """Trains all members for a chunk of iterations.

    Args:
      members: members as the first axis.
      traced: the numbers of each member.
      own_players: the parameters of partners that differ between members, by name.
      players: the parameters of the partners, shared by all members.
      iterations: the length of the chunk.
      setup: the static values.

    Returns:
      Members, and metrics of shape (members, iterations, learners).
    """

    @jax.vmap
    def each(member, own, beside):
        return train_one(member, own, with_own(players, beside), iterations, setup)

    return in_blocks(each, members, traced, own_players, size=members_at_once(setup))


def members_at_once(setup: MemberSetup) -> int:
    """Returns how many members a CPU core trains in one vmap, 1 or more."""
    sizes = setup.config.sizes
    rows = sizes.learners * sizes.segments * sizes.segment_length  # of a minibatch, on all devices of a member
    return max(1, CACHED_ROWS * sizes.worlds // (rows * setup.worlds))


def _rules(traced: TracedConfig, steps, progress: Progress, setup: MemberSetup) -> Rules:
    worlds = sharding.world_numbers(setup.worlds, setup.agents.axis)
    return training_rules(traced, steps, progress, setup.config, worlds)


def train_one(
    member: Member, traced: TracedConfig, players: Seated, iterations: int, setup: MemberSetup
) -> tuple[Member, dict[str, Float[Array, "iterations L"]]]:
    """Trains one member, each iteration under its own rules.

    Args:
      member: the member.
      traced: its numbers.
      players: the parameters of the partners.
      iterations: how many.
      setup: the static values.

    Returns:
      The member, and metrics of each iteration and learner.
    """
    noise, iteration_steps = player_noise(traced, setup.config), setup.config.iteration_steps

    def one(member: Member, _):
        # A float, because int32 ends at 2.1 billion steps.
        steps = member.learner.iteration * jnp.float32(iteration_steps)
        rules = _rules(traced, steps, member.progress, setup)
        learner, metrics = one_iteration(
            member.learner, players._replace(epsilon=noise), rules, traced.coefficients, setup.agents
        )
        social, solo = metrics["social_return"], metrics["solo_return"]
        return_ = jnp.where(jnp.isnan(social), solo, social).mean()
        progress = advanced(member.progress, traced.stages, return_, iteration_steps)
        # An infinite second moment of Adam leaves the weights finite, and ends all learning.
        checked = (*jax.tree.leaves((learner.parameters, learner.optimiser_state)), metrics["loss"])
        finite = jnp.stack([jnp.isfinite(leaf).all() for leaf in checked]).all()
        member = _unless_bad(member, Member(learner, progress, finite))
        facts = {"penalty": rules.penalty.mean(), "stage": member.progress.stage, "healthy": member.healthy}
        return member, metrics | {name: jnp.broadcast_to(fact, metrics["loss"].shape) for name, fact in facts.items()}

    return jax.lax.scan(one, member, None, iterations)


def _unless_bad(before: Member, after: Member) -> Member:
    """Returns the new member; the old one, marked, if a number is or was non-finite."""
    healthy = before.healthy & after.healthy

    def kept(new, old):
        if not jnp.issubdtype(new.dtype, jax.dtypes.prng_key):
            return jnp.where(healthy, new, old)
        # jax's check of key reuse takes a choice between a key and its successor for a reuse.
        chosen = jnp.where(healthy, jax.random.key_data(new), jax.random.key_data(old))
        return jax.random.wrap_key_data(chosen, impl=jax.random.key_impl(new))

    return jax.tree.map(kept, after, before)._replace(healthy=healthy)
