"""Whoever acts: a pair of functions, and the distribution that actions are drawn from."""

from collections.abc import Callable
from typing import Any, NamedTuple

import distrax
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from jaxsocial.env.types import Observation, State

Memory = Any


class Policy(NamedTuple):
    """A partner in one world, acting for all of its seats at once; `jax.vmap` makes a batch."""

    init: Callable[[], Memory]
    """The memory before anything was seen."""
    apply: Callable[
        [PyTree, Key[Array, ""], Memory, State, Observation, Bool[Array, ""]], tuple[Memory, Int[Array, " seats"]]
    ]
    """(parameters, key, memory, state, observation, first) -> (memory, actions). ``first`` marks an episode's first
    step, before which memory is as new. Scripted players read the state, the others the observation."""
    parameters: PyTree = ()
    """What ``apply`` is given first, such as a network's weights: arrays, so that programs take them as arguments."""


def distribution(logits: Float[Array, "*B actions"]) -> distrax.Categorical:
    """The distribution of actions with these logits."""
    return distrax.Categorical(logits=logits)


def random_policy(seats: int, actions: int) -> Policy:
    """Every action equally likely, at every step."""

    def apply(parameters, key, memory, state, observation, first):
        return memory, jax.random.randint(key, (seats,), 0, actions)

    return Policy(init=lambda: (), apply=apply)


def absent_policy(seats: int) -> Policy:
    """Nobody: the seats stay empty, and what stands here for an action moves no one."""

    def apply(parameters, key, memory, state, observation, first):
        return memory, jnp.zeros(seats, jnp.int32)

    return Policy(init=lambda: (), apply=apply)
