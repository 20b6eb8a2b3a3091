"""Who sits where: one policy for all partners of a world, put together from named players."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxsocial.agents.experts import knowing_expert, searching_expert
from jaxsocial.agents.network import Network, Parameters
from jaxsocial.agents.policy import Policy, distribution, random_policy
from jaxsocial.scenario import Scenario


def _random(seats: tuple[int, ...], scenario: Scenario) -> Policy:
    return random_policy(len(seats), scenario.actions)


PLAYERS: dict[str, Callable[[tuple[int, ...], Scenario], Policy]] = {
    "expert": knowing_expert,
    "searching_expert": searching_expert,
    "random": _random,
}
"""The players that need no training: (seats, scenario) -> policy."""


def seat_partners(names: tuple[str, ...], scenario: Scenario, frozen: dict[str, Callable] | None = None) -> Policy:
    """One policy for the seats 1, 2, ... taken by these players; equal names share one policy.

    Args:
      names: players of `PLAYERS`, or of ``frozen``, one a seat.
      scenario: the world they play in.
      frozen: further players by name, as in `PLAYERS`.

    Raises:
      ValueError: an unknown player, or more players than seats.
    """
    players = PLAYERS | (frozen or {})
    unknown = [name for name in names if name not in players]
    if unknown:
        raise ValueError(f"partners: {unknown[0]!r} is unknown, choose from {', '.join(players)}")
    if len(names) != scenario.agents - 1:
        raise ValueError(f"partners: {len(names)} for {scenario.agents} agents; give one for each agent but the first")
    groups = {name: tuple(seat for seat, n in enumerate(names, 1) if n == name) for name in dict.fromkeys(names)}
    policies = {name: players[name](seats, scenario) for name, seats in groups.items()}
    # Groups answer one after another; this puts their answers back in the order of the seats.
    order = np.argsort([seat for seats in groups.values() for seat in seats]).astype(np.int32)

    def apply(key, memory, state, observation, first):
        keys = jax.random.split(key, len(policies))
        answers = {
            name: policy.apply(own_key, memory[name], state, observation, first)
            for own_key, (name, policy) in zip(keys, policies.items(), strict=True)
        }
        actions = [actions for _, actions in answers.values()]
        everyone = jnp.concatenate([*actions, jnp.zeros(0, jnp.int32)])
        return {name: new for name, (new, _) in answers.items()}, everyone[order]

    return Policy(init=lambda: {name: policy.init() for name, policy in policies.items()}, apply=apply)


def frozen_policy(network: Network, parameters: Parameters, seats: tuple[int, ...]) -> Policy:
    """A trained network that no longer learns, drawing its actions from its policy."""

    def apply(key, memory, state, observation, first):
        mine = observation.image[jnp.array(seats)][None]
        starts = jnp.broadcast_to(first, (1, len(seats)))
        outputs = network.unroll(parameters, memory, mine, starts)
        actions = distribution(outputs.logits[0]).sample(seed=key)
        return jax.tree.map(lambda m: m[0], outputs.after), actions

    return Policy(init=lambda: network.initial_memory((len(seats),)), apply=apply)
