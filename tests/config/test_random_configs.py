"""Random configs, which hypothesis draws: each builds and steps, or is refused in one line that names a field."""

import functools
import json
import typing
from typing import get_args

import jax
import jax.numpy as jnp
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from jaxsocial.config.config import Config, from_plain, to_plain
from jaxsocial.config.presets import presets
from jaxsocial.env.values import declared, is_record
from jaxsocial.training.build import make_agent_setup

quick = functools.partial(
    settings,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
LARGE = {"height": 12, "width": 12, "agents": 5, "clutter": 20, "tile_pixels": 4, "learners": 2, "channels": 8}
"""Fields that are drawn small, so that all programs are."""
ODD = ("1", None, True, float("nan"), float("inf"), -1, 0, 2**31, 10**12, 1e39, 0.5, [], {}, "x", [1, 2, 3])


def leaves(record=Config, prefix=""):
    for name, kind in declared(record).items():
        if is_record(kind):
            yield from leaves(kind, f"{prefix}{name}.")
        elif name not in ("layout", "name", "start_from", "views", "things"):
            yield prefix + name, kind


# Here, since the check of types in calls draws random numbers, and hypothesis allows none while it draws.
FIELDS = dict(leaves())
PRESETS = {name: to_plain(config) for name, (config, _) in presets().items()}


@st.composite
def values(draw, name, kind):
    """Draws a value of a field: mostly one of its type, often out of range, sometimes of another type."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.sampled_from(ODD))
    kind = get_args(kind)[0] if typing.get_origin(kind) is typing.Annotated else kind
    if typing.get_origin(kind) is tuple:
        return draw(st.lists(values(name, get_args(kind)[0]), max_size=3))
    if typing.get_origin(kind) is typing.Literal:
        return draw(st.sampled_from([*get_args(kind), "x"]))
    largest = LARGE.get(name.rpartition(".")[2], 64)
    known = ["rgb", "frame", "none", "symbolic", "tile_contrast", "gru", "expert", "random", "absent", "red", "wall"]
    return draw(
        {
            int: st.integers(0, largest) if draw(st.booleans()) else st.integers(-2, 2**40),
            float: st.floats(0, 1, width=32) if draw(st.booleans()) else st.floats(),
            bool: st.booleans(),
            str: st.sampled_from(known),
        }[kind]
    )


@st.composite
def changes(draw):
    """Draws a preset and other values of some of its fields."""
    names = draw(st.lists(st.sampled_from(sorted(FIELDS)), min_size=1, max_size=4, unique=True))
    return draw(st.sampled_from(sorted(PRESETS))), {name: draw(values(name, FIELDS[name])) for name in names}


def changed(preset, values):
    plain = json.loads(json.dumps(PRESETS[preset]))
    for name, value in values.items():
        part, _, inner = name.rpartition(".")
        (plain[part] if part else plain)[inner] = value
    return plain


def check(preset, values, stepped):
    try:
        config = from_plain(changed(preset, values))
        setup = make_agent_setup(config)
    except ValueError as refusal:
        message = str(refusal)
        assert "\n" not in message
        assert any(name.rpartition(".")[2] in message for name in values), message
        return False
    assert from_plain(json.loads(json.dumps(to_plain(config)))) == config
    if stepped:

        def two_steps(key):
            reset_key, step_key, network_key = jax.random.split(key, 3)
            state, _ = setup.env.reset(reset_key, config.make_env().rules)
            actions = jnp.zeros(config.world.agents, int)
            return setup.env.step(step_key, state, actions), setup.network.init(network_key)

        (_, timestep), _ = jax.eval_shape(two_steps, jax.random.key(0))
        assert timestep.reward.shape == (config.world.agents,)
    return True


def test_random_configs_build_or_are_refused_by_the_field():
    built = []

    @quick(max_examples=40)
    @given(changes())
    def each(drawn):
        built.append(check(*drawn, stepped=not any(built)))

    each()
    assert 2 < sum(built) < 38


@pytest.mark.slow
def test_two_thousand_random_configs_build_and_step_or_are_refused_by_the_field():
    @quick(max_examples=2000)
    @given(changes())
    def each(drawn):
        check(*drawn, stepped=True)

    each()
