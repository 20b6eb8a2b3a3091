"""Policies as pairs of functions, and the distribution that actions are drawn from."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from jaxsocial.env.types import Observation, Rules, State

if TYPE_CHECKING:
    import distrax

Memory = Any
ABSENT = "absent"
"""Name of the partner that is absent; `Rules.present` has to exclude it too."""


class Policy(NamedTuple):
    """A policy for one or more agents ("seats") of one world; `jax.vmap` makes a batch."""

    init: Callable[[], Memory]
    """Returns the initial memory."""
    apply: Callable[[PyTree, Key[Array, ""], Memory, State, Any, Bool[Array, ""]], tuple[Memory, Int[Array, " seats"]]]
    """(parameters, key, memory, state, observation, first) -> (memory, actions). ``first`` marks the first step of an
    episode, at which memory is reset. Scripted policies read the state, networks the observation."""
    parameters: PyTree = ()
    """First argument of ``apply``, such as a network's weights. Arrays, so that programs take them as arguments."""
    observe: Callable[[State, Float[Array, " A"], Int[Array, " A"], Rules], Any] | None = None
    """(state, last rewards, last actions, rules) -> what agents see that were trained on other observations than those
    of this world; ``apply`` then receives `Perceived`."""


class Perceived(NamedTuple):
    """What a policy acts on if it observes by itself."""

    observation: Observation
    """The world's."""
    own: Any
    """The result of `Policy.observe`."""


class LastStep(NamedTuple):
    """What `Policy.observe` needs beside the state."""

    reward: Float[Array, "*N A"]
    action: Int[Array, "*N A"]


def perceived(
    policy: Policy, state: Any, observation: Observation, last: LastStep | None, rules: Rules
) -> Observation | Perceived:
    """Returns what a policy acts on in one world.

    Args:
      policy: the policy.
      state: of the world; a `State`, but for policies that do not observe by themselves.
      observation: of the world.
      last: rewards and actions of the last step; None if the policy does not observe by itself.
      rules: of the world.
    """
    if policy.observe is None:
        return observation
    assert last is not None, "a policy that observes by itself needs the last rewards and actions"
    return Perceived(observation, policy.observe(state, last.reward, last.action, rules))


def distribution(logits: Float[Array, "*B actions"]) -> "distrax.Categorical":
    """Returns the categorical distribution of actions with these logits."""
    # Imported late: distrax loads TensorFlow Probability, half of the time that importing the package would take.
    import distrax  # noqa: PLC0415

    return distrax.Categorical(logits=logits)


def random_policy(seats: int, actions: int) -> Policy:
    """Returns a policy that draws every action with equal probability.

    >>> policy = random_policy(seats=2, actions=7)
    >>> policy.apply((), jax.random.key(0), policy.init(), None, None, None)[1].shape
    (2,)
    """

    def apply(parameters, key, memory, state, observation, first):
        return memory, jax.random.randint(key, (seats,), 0, actions, jnp.int32)

    return Policy(init=lambda: (), apply=apply)


def absent_policy(seats: int) -> Policy:
    """Returns a policy for agents that are absent. The environment ignores its actions."""

    def apply(parameters, key, memory, state, observation, first):
        return memory, jnp.zeros(seats, jnp.int32)

    return Policy(init=lambda: (), apply=apply)
