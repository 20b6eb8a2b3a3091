"""Policies as pairs of functions, and the distribution that actions are drawn from."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from jaxsocial.env.types import Observation, State

if TYPE_CHECKING:
    import distrax

Memory = Any


class Policy(NamedTuple):
    """A policy for one or more agents ("seats") of one world; `jax.vmap` makes a batch."""

    init: Callable[[], Memory]
    """Returns the initial memory."""
    apply: Callable[
        [PyTree, Key[Array, ""], Memory, State, Observation, Bool[Array, ""]], tuple[Memory, Int[Array, " seats"]]
    ]
    """(parameters, key, memory, state, observation, first) -> (memory, actions). ``first`` marks the first step of an
    episode, at which memory is reset. Scripted policies read the state, networks the observation."""
    parameters: PyTree = ()
    """First argument of ``apply``, such as a network's weights. Arrays, so that programs take them as arguments."""


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
        return memory, jax.random.randint(key, (seats,), 0, actions)

    return Policy(init=lambda: (), apply=apply)


def absent_policy(seats: int) -> Policy:
    """Returns a policy for agents that are absent. The environment ignores its actions."""

    def apply(parameters, key, memory, state, observation, first):
        return memory, jnp.zeros(seats, jnp.int32)

    return Policy(init=lambda: (), apply=apply)
