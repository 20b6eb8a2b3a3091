"""Who sits where: one policy for all seats that do not learn, put together from named players."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key, PyTree

from jaxsocial.agents.networks.network import Network, Parameters
from jaxsocial.agents.policy import Policy, absent_policy, distribution, random_policy
from jaxsocial.agents.scripted import anti_expert, knowing_expert, searching_expert
from jaxsocial.env import batching
from jaxsocial.env.scenario import Scenario

ABSENT = "absent"
"""The player that leaves its seat empty; `Rules.present` has to say so too."""
PORTIONS = 4
"""Worlds that need a frozen network are gathered a quarter of the batch at a time: often all of them need it."""


def _random(seats: tuple[int, ...], scenario: Scenario) -> Policy:
    return random_policy(len(seats), scenario.actions)


def _absent(seats: tuple[int, ...], scenario: Scenario) -> Policy:
    return absent_policy(len(seats))


PLAYERS: dict[str, Callable[[tuple[int, ...], Scenario], Policy]] = {
    "expert": knowing_expert,
    "searching_expert": searching_expert,
    "anti_expert": anti_expert,
    "random": _random,
    ABSENT: _absent,
}
"""The players that need no training: (seats, scenario) -> policy."""


class Seated(NamedTuple):
    """The numbers of everyone seated; they may change without compiling again."""

    parameters: dict[str, PyTree]
    """Of each player, by its name."""
    epsilon: Float[Array, " seats"]
    """How often each seat's action is replaced by one drawn uniformly, 0 to 1."""


def seat_partners(
    names: tuple[str, ...], scenario: Scenario, frozen: dict[str, Callable] | None = None, first_seat: int = 1
) -> Policy:
    """One policy for the seats from ``first_seat`` on; equal names share one policy. Its parameters are `Seated`.

    Args:
      names: players of `PLAYERS`, or of ``frozen``, one a seat.
      scenario: the world they play in.
      frozen: further players by name, as in `PLAYERS`.
      first_seat: the seats before it are others'.

    Raises:
      ValueError: an unknown player, or more players than seats.
    """
    players = PLAYERS | (frozen or {})
    unknown = [name for name in names if name not in players]
    if unknown:
        raise ValueError(f"partners: {unknown[0]!r} is unknown, choose from {', '.join(players)}")
    if len(names) != scenario.agents - first_seat:
        raise ValueError(
            f"partners: {len(names)} for {scenario.agents} agents; give one for each agent but the first {first_seat}"
        )
    groups = {
        name: tuple(seat for seat, n in enumerate(names, first_seat) if n == name) for name in dict.fromkeys(names)
    }
    policies = {name: players[name](seats, scenario) for name, seats in groups.items()}
    # Groups answer one after another; this puts their answers back in the order of the seats.
    order = np.argsort([seat for seats in groups.values() for seat in seats]).astype(np.int32)

    def apply(seated: Seated, key, memory, state, observation, first):
        noise_key, *keys = jax.random.split(key, 1 + len(policies))
        answers = {
            name: policy.apply(seated.parameters[name], own_key, memory[name], state, observation, first)
            for own_key, (name, policy) in zip(keys, policies.items(), strict=True)
        }
        actions = jnp.concatenate([*(actions for _, actions in answers.values()), jnp.zeros(0, jnp.int32)])[order]
        return {name: new for name, (new, _) in answers.items()}, _noisy(noise_key, actions, seated.epsilon, scenario)

    parameters = Seated({name: policy.parameters for name, policy in policies.items()}, jnp.zeros(len(names)))
    return Policy(lambda: {name: policy.init() for name, policy in policies.items()}, apply, parameters)


def _noisy(
    key: Key[Array, ""], actions: Int[Array, " seats"], epsilon: Float[Array, " seats"], scenario: Scenario
) -> Int[Array, " seats"]:
    """The same actions, some replaced by random ones."""
    which_key, what_key = jax.random.split(key)
    replaced = jax.random.uniform(which_key, actions.shape) < epsilon
    return jnp.where(replaced, jax.random.randint(what_key, actions.shape, 0, scenario.actions), actions)


def frozen_policy(network: Network, parameters: Parameters, seats: tuple[int, ...]) -> Policy:
    """A trained network that no longer learns, drawing its actions from its policy.

    It is run once for all worlds in which one of its seats takes part, and not for the others.
    """

    def act(parameters, key, memory, mine, first):
        starts = jnp.broadcast_to(first, (1, len(seats)))
        outputs = network.unroll(parameters, memory, mine[None], starts)
        actions = distribution(outputs.logits[0]).sample(seed=key).astype(jnp.int32)
        return jax.tree.map(lambda m: m[0], outputs.after), actions

    def apply(parameters, key, memory, state, observation, first):
        agents = jnp.array(seats)
        # Who enters late has forgotten the last episode all the same.
        kept = jax.tree.map(lambda m: jnp.where(first, 0.0, m), memory)
        nothing = kept, jnp.zeros(len(seats), jnp.int32)
        given = key, memory, observation.image[agents], first
        return batching.where_needed(
            state.active[agents].any(), act, nothing, *given, portions=PORTIONS, shared=parameters
        )

    return Policy(lambda: network.initial_memory((len(seats),)), apply, parameters)
