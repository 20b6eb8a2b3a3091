"""Seating of partners: one policy for all agents that do not learn, composed of named policies."""

import functools
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from jaxsocial.agents.networks.network import Network, Parameters
from jaxsocial.agents.policy import ABSENT, Perceived, Policy, absent_policy, distribution, random_policy
from jaxsocial.agents.scripted import anti_expert, knowing_expert, searching_expert, waiting_expert
from jaxsocial.env import batching
from jaxsocial.env.observations.observe import observe
from jaxsocial.env.scenario import Scenario
from jaxsocial.env.values import imported

PORTIONS = 4
"""A frozen network runs on a quarter of the batch at a time, since often all worlds need it."""
PLAYERS: dict[str, Callable[[tuple[int, ...], Scenario], Policy]] = {
    "expert": knowing_expert,
    "waiting_expert": waiting_expert,
    "searching_expert": searching_expert,
    "anti_expert": anti_expert,
    "random": lambda seats, scenario: random_policy(len(seats), scenario.actions),
    ABSENT: lambda seats, scenario: absent_policy(len(seats)),
}
"""Partners that need no training: (seats, scenario) -> policy, where seats are the indices of the agents."""


def player(name: str, frozen: Mapping[str, Callable]) -> Callable[[tuple[int, ...], Scenario], Policy]:
    """Returns what makes a partner, (seats, scenario) -> policy.

    Args:
      name: in ``frozen`` or `PLAYERS`, or a user's own, ``module:function``.
      frozen: further makers by name.

    Raises:
      ValueError: there is none of this name.
    """
    players = PLAYERS | dict(frozen)
    if name not in players and ":" in name:
        return imported(name, Policy, "partner")
    if name not in players:
        known = ", ".join(players)
        raise ValueError(f"partners: {name!r} is unknown, choose from {known}, or name your own as module:function")
    return players[name]


class Seated(NamedTuple):
    """Parameters of all partners; they may change without recompilation."""

    parameters: dict[str, PyTree]
    """Of each policy, by name."""
    epsilon: Float[Array, " seats"]
    """Probability that each agent's action is replaced by a uniformly random one, 0 to 1."""


def with_own(players: Seated, own: dict[str, PyTree]) -> Seated:
    """Returns the partners of one member: those that all members share, and its own in place of those of equal name."""
    return players._replace(parameters=players.parameters | own)


def seat_partners(
    names: tuple[str, ...], scenario: Scenario, frozen: dict[str, Callable] | None = None, first_seat: int = 1
) -> Policy:
    """Returns one policy for the agents from ``first_seat`` on. Equal names share one policy.

    Args:
      names: a name of `player` or in ``frozen`` for each agent.
      scenario: the world that they act in.
      frozen: further policies by name, as in `PLAYERS`.
      first_seat: index of the first of these agents, 0 or more.

    Returns:
      The policy; its parameters are `Seated`, with epsilon 0.

    Raises:
      ValueError: an unknown name, or a number of names that does not fit the scenario.

    >>> from jaxsocial.env.registry import make_scenario
    >>> partners = seat_partners(("expert", "random"), make_scenario("goal_cycle", agents=3))
    >>> list(partners.init()), partners.parameters.epsilon.shape
    (['expert', 'random'], (2,))
    """
    players = {name: player(name, frozen or {}) for name in names}
    if len(names) != scenario.agents - first_seat:
        raise ValueError(
            f"partners: {len(names)} for {scenario.agents} agents; give one for each agent but the first {first_seat}"
        )
    groups = {
        name: tuple(seat for seat, n in enumerate(names, first_seat) if n == name) for name in dict.fromkeys(names)
    }
    policies = {name: players[name](seats, scenario) for name, seats in groups.items()}
    # Actions are computed group by group; this permutation restores the order of the agents.
    order = np.argsort([seat for seats in groups.values() for seat in seats]).astype(np.int32)

    observing = {name: policy.observe for name, policy in policies.items() if policy.observe is not None}

    def own_views(state, reward, action, rules):
        return {name: one(state, reward, action, rules) for name, one in observing.items()}

    def seen_by(name, observation):
        if name in observing:
            return Perceived(observation.observation, observation.own[name])
        return observation.observation if observing else observation

    def apply(seated: Seated, key, memory, state, observation, first):
        noise_key, *keys = jax.random.split(key, 1 + len(policies))
        results = {
            name: policy.apply(seated.parameters[name], own_key, memory[name], state, seen_by(name, observation), first)
            for own_key, (name, policy) in zip(keys, policies.items(), strict=True)
        }
        # The empty array serves worlds without partners.
        actions = jnp.concatenate([*(actions for _, actions in results.values()), jnp.zeros(0, jnp.int32)])[order]
        replace_key, action_key = jax.random.split(noise_key)
        is_random = jax.random.uniform(replace_key, actions.shape, jnp.float32) < seated.epsilon
        random_actions = jax.random.randint(action_key, actions.shape, 0, scenario.actions, jnp.int32)
        return {name: new for name, (new, _) in results.items()}, jnp.where(is_random, random_actions, actions)

    parameters = Seated(
        {name: policy.parameters for name, policy in policies.items()}, jnp.zeros(len(names), jnp.float32)
    )

    def init():
        return {name: policy.init() for name, policy in policies.items()}

    return Policy(init, apply, parameters, own_views if observing else None)


def frozen_policy(
    network: Network, parameters: Parameters, seats: tuple[int, ...], own_world: Scenario | None = None
) -> Policy:
    """Returns the policy of a trained network that no longer learns; it draws actions from the network's distribution.

    The network runs on batches of worlds, and only on those in which one of its agents is active.

    Args:
      network: the functions of the network.
      parameters: its weights.
      seats: indices of its agents, in increasing order.
      own_world: the world with the observations that the network was trained on; None if the world has these.
    """

    def act(parameters, key, memory, observation, first):
        starts = jnp.broadcast_to(first, (1, len(seats)))
        one_step = jax.tree.map(lambda x: x[None], observation)
        outputs = network.unroll(parameters, memory, one_step, starts)
        actions = distribution(outputs.logits[0]).sample(seed=key).astype(jnp.int32)
        return jax.tree.map(lambda m: m[0], outputs.after), actions

    def apply(parameters, key, memory, state, observation, first):
        agents = jnp.array(seats, jnp.int32)
        # Reset here too: an agent that is inactive at the first step must not keep the last episode's memory.
        memory = jax.tree.map(lambda m: jnp.where(first, jnp.zeros_like(m), m), memory)
        inactive = memory, jnp.zeros(len(seats), jnp.int32)
        seen = jax.tree.map(lambda x: x[agents], observation) if own_world is None else observation.own
        arguments = key, memory, seen, first
        return batching.where_needed(
            state.active[agents].any(), act, inactive, *arguments, portions=PORTIONS, shared=parameters
        )

    def own_view(state, reward, action, rules):
        assert own_world is not None
        return observe(state, reward, action, rules, own_world, seats)

    init = functools.partial(network.initial_memory, (len(seats),))
    return Policy(init, apply, parameters, None if own_world is None else own_view)
