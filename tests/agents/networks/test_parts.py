"""The parts of networks against direct definitions, and their registries."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxsocial.agents.networks import parts
from jaxsocial.agents.networks.blocks import traced_for
from jaxsocial.agents.networks.inputs import input_count, input_vector
from jaxsocial.agents.networks.memories import GRUState
from jaxsocial.agents.networks.network import make_network
from jaxsocial.agents.networks.parts import ENCODERS, MEMORIES, TARGETS, Encoder, Memory, Target
from jaxsocial.agents.networks.sizes import NetworkSizes
from jaxsocial.agents.networks.symbols import PRESTIGE, cell_features, classes_of, feature_count, one_hot
from jaxsocial.env import objects
from jaxsocial.env.registry import make_scenario, registered_scenarios
from jaxsocial.env.scenario import SYMBOLS
from jaxsocial.env.types import Observation
from jaxsocial.learning.settings import Sizes
from tests.compiling import quick_jit

T, N, INPUTS = 5, 3, 4
SMALL = NetworkSizes(channels=(4,), dense=6, memory=5, heads=(4,), encoder="symbolic")
COLOURS = ("red", "blue", "prestige", "prestige")
FIRST = np.zeros((T, N), bool)
FIRST[0, 0] = FIRST[2, 1] = FIRST[3, 1] = FIRST[4, 2] = True


def world_of(name="door_key", **sizes):
    """Returns a world with agents of several colours that is seen as symbols."""
    defaults = {"agents": 4, "colours": COLOURS, "view_size": 5, "observation": "symbolic"}
    return make_scenario(name, **defaults | sizes)


def drawn(init):
    """Returns random parameters, so that a missing bias shows; initialisers would take longer to compile."""
    noise = np.random.default_rng(0)
    shapes = jax.eval_shape(init, jax.random.key(0))
    return jax.tree.map(lambda leaf: 0.5 * noise.normal(size=leaf.shape).astype(np.float32), shapes)


# Memories


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gru_step(layer, hidden, x):
    """h' = (1 - z) n + z h, with n = tanh(W_n x + b_n + r (U_n h + c))."""
    of_x = np.split(x @ layer["input"]["kernel"] + layer["input"]["bias"], 3)
    of_h = np.split(hidden @ layer["recurrent"], 3)
    r, z = sigmoid(of_x[0] + of_h[0]), sigmoid(of_x[1] + of_h[1])
    return (1 - z) * np.tanh(of_x[2] + r * (of_h[2] + layer["bias"])) + z * hidden


def test_a_gru_equals_its_definition_and_is_reset_at_the_start_of_an_episode():
    memory = MEMORIES.maker("gru")(SMALL, INPUTS)
    noise, parameters = np.random.default_rng(1), drawn(memory.init)
    x = noise.normal(size=(T, N, INPUTS)).astype(np.float32)
    start = noise.normal(size=(N, SMALL.memory)).astype(np.float32)
    outputs, after = quick_jit(memory.unroll)(parameters, GRUState(jnp.asarray(start)), x, FIRST)
    np.testing.assert_array_equal(outputs, after.hidden)
    for world in range(N):
        hidden = start[world]
        for t in range(T):
            hidden = gru_step(parameters["gru"], np.zeros_like(hidden) if FIRST[t, world] else hidden, x[t, world])
            np.testing.assert_allclose(after.hidden[t, world], hidden, atol=1e-5)
    assert memory.units == SMALL.memory
    assert memory.products == parameters["gru"]["input"]["kernel"].size + parameters["gru"]["recurrent"].size


@pytest.mark.parametrize("platform", ["cpu", "gpu"])
@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_gradients_of_memories_are_those_of_differences(name, platform):
    """With respect to weights, first state and inputs; every output counts, across resets."""
    memory, noise = MEMORIES.maker(name)(SMALL, INPUTS), np.random.default_rng(2)
    start = jax.tree.map(lambda zeros: noise.normal(size=zeros.shape).astype(np.float32), memory.initial((N,)))
    x = noise.normal(size=(T, N, INPUTS)).astype(np.float32)

    @jax.jit
    def weighted_sum(parameters, start, x):
        with traced_for(platform):
            leaves = jax.tree.leaves(memory.unroll(parameters, start, x, jnp.asarray(FIRST)))
        return sum((leaf * jnp.cos(jnp.arange(leaf.size)).reshape(leaf.shape)).sum() for leaf in leaves)

    check_grads(weighted_sum, (drawn(memory.init), start, x), order=1, modes=["rev"], atol=0.02, rtol=0.02)


def test_no_memory_returns_its_inputs_and_has_no_state():
    memory = MEMORIES.maker("none")(SMALL, INPUTS)
    x = jnp.arange(T * N * INPUTS, dtype=jnp.float32).reshape(T, N, INPUTS)
    outputs, after = memory.unroll(memory.init(jax.random.key(0)), memory.initial((N,)), x, jnp.asarray(FIRST))
    np.testing.assert_array_equal(outputs, x)
    assert memory.units == INPUTS
    assert not jax.tree.leaves((memory.init(jax.random.key(0)), memory.initial((N,)), after))


# Symbolic encoder


def looks_of(world):
    """Returns all that a cell of a world can show, as symbols."""
    codes = [*world.things]
    codes += [objects.state_of(code) for code in world.things if objects.kind_of(code) == objects.BOX]
    looks = {(objects.EMPTY, 0, 0, 0, 0), (objects.UNSEEN, 0, 0, 0, 0)}
    for code in codes:
        kind, colour = objects.kind_of(code), objects.colour_of(code)
        door = kind == objects.DOOR
        looks |= {(kind, colour, s, 0, 0) for s in ((objects.OPEN, objects.CLOSED, objects.LOCKED) if door else (0,))}
    there = {objects.kind_of(code) for code in codes}
    stood_on = [0, *(there & {objects.BONUS, objects.FLOOR, objects.LAVA, objects.DOOR})]
    for name in world.agent_colours:
        levels = range(0, 256, 51) if name == "prestige" else (0,)
        number = objects.COLOUR_NAMES.index(name)
        looks |= {(objects.AGENT, number, *rest) for rest in itertools.product(range(4), levels, stood_on)}
    return np.array(sorted(looks), np.uint8)


BOXED = objects.encode(objects.BOX, "green", objects.encode(objects.BALL, "blue"))
MANY = (
    *(objects.encode(kind, "green") for kind in (objects.BONUS, objects.FLOOR, objects.SPACE, objects.LAVA)),
    *(objects.encode(kind, "red") for kind in (objects.WALL, objects.KEY, objects.DOOR, objects.BALL)),
    *(objects.encode(kind, "blue") for kind in (objects.KEY, objects.DOOR)),
    BOXED,
)
"""Things of which kinds alone do not tell the colour."""
ALL_WORLDS = [
    *(pytest.param(name, {"agents": 3}, id=name) for name in registered_scenarios()),
    *(pytest.param(name, {}, id=f"{name}-of_several_colours") for name in registered_scenarios()),
    *(pytest.param(name, {"colours": ("pink",) * 4}, id=f"{name}-of_one_colour") for name in registered_scenarios()),
    pytest.param("goal_cycle", {"things": MANY}, id="many_things"),
    pytest.param("goal_cycle", {"things": (BOXED,)}, id="boxes"),
]


@pytest.mark.parametrize(("name", "sizes"), ALL_WORLDS)
def test_cells_that_look_different_have_different_features(name, sizes):
    world = make_scenario(name, **({"agents": 4, "colours": COLOURS} if "agents" not in sizes else {}) | sizes)
    looks = looks_of(world)
    found = np.asarray(cell_features(world)(looks[:, None, None]))[:, :, 0, 0]
    assert found.shape == (len(looks), feature_count(world))
    assert len(np.unique(found, axis=0)) == len(looks)
    np.testing.assert_array_equal(found[looks[:, 0] == objects.EMPTY], 0)
    assert (np.abs(found).sum(-1) > 0).sum() == len(looks) - 1, "bare floor alone is zeros"
    assert found.min() >= 0
    assert found.max() == 1


@pytest.mark.parametrize("name", registered_scenarios())
def test_goals_and_bonus_tiles_have_equal_features_and_classes(name):
    world = world_of(name)
    kinds = np.array([objects.GOAL, objects.BONUS])
    for cells in ([[kind, 2, 0, 0, 0] for kind in kinds], [[objects.AGENT, 2, 0, 0, kind] for kind in kinds]):
        symbols = jnp.array(cells, jnp.uint8)[:, None, None]
        features, classes = cell_features(world)(symbols), one_hot(symbols, classes_of(world))
        for part in (features, *classes):
            np.testing.assert_array_equal(part[0], part[1])
        assert features.any()
        assert classes.kind.sum() == 2, "each has one"


def test_the_symbolic_encoder_is_one_layer_on_the_features_of_cells():
    world = world_of()
    encoder: Encoder = ENCODERS.maker("symbolic")(SMALL, world)
    parameters = drawn(encoder.init)
    noise = np.random.default_rng(0)
    looks = looks_of(world)
    image = looks[noise.integers(len(looks), size=(N, 5, 5))]
    features = np.asarray(cell_features(world)(image)).reshape(N, -1)
    layer = parameters["dense"]
    expected = np.maximum(features @ layer["kernel"] + layer["bias"], 0)
    np.testing.assert_allclose(encoder.encode(parameters, Observation(jnp.asarray(image))), expected, atol=1e-5)
    assert encoder.features == SMALL.dense
    assert encoder.products == layer["kernel"].size


# Inputs


def test_inputs_are_numbers_in_the_order_of_the_world():
    world = world_of("goal_cycle", goals=2, inputs=("last_action", "reward", "goal_position", "heading", "position"))
    goals = np.arange(12, dtype=np.float32).reshape(3, 2, 2) / 12
    seen = Observation(
        np.zeros((3, *world.observation_shape), np.uint8),
        reward=jnp.array([0.0, -1.5, 2.0]),
        position=jnp.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]),
        heading=jnp.array([0, 3, 1]),
        last_action=jnp.array([-1, 6, 0]),
        goal_position=jnp.asarray(goals),
    )
    found = np.asarray(input_vector(seen, world))
    assert found.shape == (3, input_count(world))
    actions = np.zeros((3, 7))
    actions[1, 6] = actions[2, 0] = 1
    np.testing.assert_array_equal(found[:, :7], actions, "no action is zeros")
    np.testing.assert_allclose(found[:, 7], [0.0, -1.5, 2.0])
    np.testing.assert_allclose(found[:, 8:12], goals.reshape(3, -1))
    np.testing.assert_array_equal(found[:, 12:16], np.eye(4)[[0, 3, 1]])
    np.testing.assert_allclose(found[:, 16:], seen.position)


def test_the_network_reads_every_input():
    names = ("reward", "position", "heading", "last_action", "goal_position")
    world = world_of("goal_cycle", goals=2, inputs=names)
    network = make_network(SMALL, world)
    forms = {"reward": (), "position": (2,), "heading": (), "last_action": (), "goal_position": (2, 2)}
    image = jnp.zeros((T, N, *world.observation_shape), jnp.uint8)
    zeros = {name: jnp.zeros((T, N, *forms[name])) for name in names}
    zeros |= {name: zeros[name].astype(jnp.int32) for name in ("heading", "last_action")}

    @quick_jit
    def hidden(parameters, inputs):
        return network.unroll(
            parameters, network.initial_memory((N,)), Observation(image, **inputs), jnp.asarray(FIRST)
        ).hidden

    parameters = drawn(network.init)
    expected = np.zeros((T, N), bool)
    expected[1:4, 2] = True  # until the next episode
    for name in names:
        changed = zeros | {name: zeros[name].at[1, 2].set(1)}
        differs = np.asarray(hidden(parameters, zeros) != hidden(parameters, changed)).any(-1)
        np.testing.assert_array_equal(differs, expected)


@pytest.mark.parametrize("inputs", [("symbols",), ("reward", "others"), ("symbols", "others")])
def test_inputs_for_prediction_targets_are_refused(inputs):
    with pytest.raises(ValueError, match="are for prediction targets, which add them themselves: leave them out"):
        make_network(SMALL, world_of(inputs=inputs))


# Prediction targets


def log_softmax(x):
    return x - np.log(np.exp(x).sum())


def cell_error(world, logits, cell):
    """Computes the cross-entropy of one cell."""
    classes = classes_of(world)
    kind, colour, state, prestige, below = (int(x) for x in cell)
    kind = objects.BONUS if kind == objects.GOAL else kind + 16 * below
    colour = len(classes.colours) + prestige // 64 if colour == PRESTIGE else classes.colours.index(colour)
    right = classes.kinds.index(kind), colour, state
    return -sum(log_softmax(x)[number] for x, number in zip(logits, right, strict=True))


def same_class(one, other):
    """Whether two cells are of equal classes; goals are equal to bonus tiles, and prestige has four levels."""
    one, other = ([int(x) for x in cell] for cell in (one, other))
    for cell in (one, other):
        cell[0] = objects.BONUS if cell[0] == objects.GOAL else cell[0]
        cell[3] = cell[3] // 64 if cell[1] == PRESTIGE else 0
    return one == other


class Case:
    """A target of a world, a prediction, and the two observations that it may be compared with."""

    def __init__(self, name, world):
        self.world, self.target = world, TARGETS.maker(name)(SMALL, world, SMALL.memory)
        noise = np.random.default_rng(1)
        looks = looks_of(world)
        now = noise.integers(len(looks), size=(N, *world.view_shape))
        after = np.where(noise.random(now.shape) < 0.3, noise.integers(len(looks), size=now.shape), now)
        after[0] = now[0]  # nothing changes
        self.now, self.after = looks[now], looks[after]
        hidden = noise.normal(size=(N, SMALL.memory)).astype(np.float32)
        self.found = quick_jit(self.target.decode)(drawn(self.target.init), hidden, np.array([0, 1, 2]))

    def loss(self):
        one, other = (self.seen(symbols) for symbols in (self.now, self.after))
        return np.asarray(quick_jit(self.target.loss)(self.found, one, other))

    def seen(self, symbols):
        if self.world.observation != "rgb":
            return Observation(jnp.asarray(symbols))
        return Observation(jnp.zeros((N, *self.world.observation_shape), jnp.uint8), symbols=jnp.asarray(symbols))

    def errors(self, symbols):
        """Computes the cross-entropy of every cell, [N, rows, columns]."""
        logits = [np.moveaxis(np.asarray(part, float), 1, -1) for part in self.found]
        errors = np.zeros(symbols.shape[:-1])
        for at in np.ndindex(errors.shape):
            errors[at] = cell_error(self.world, [part[at] for part in logits], symbols[at])
        return errors


STYLES = [
    {"observation": "symbolic"},
    {"observation": "symbolic_world", "width": 9, "height": 8},
    {"observation": "rgb"},
    {"observation": "symbolic", "name": "goal_cycle", "colours": ("red", "red", "pink", "white")},
]


@pytest.mark.parametrize("style", STYLES, ids=lambda style: "-".join(map(str, style.values())))
def test_symbols_are_predicted_by_the_cross_entropy_of_kind_colour_and_state(style):
    nxt, current = (Case(name, world_of(**style)) for name in ("symbols", "current_symbols"))
    np.testing.assert_allclose(nxt.loss(), nxt.errors(nxt.after).mean((1, 2)), rtol=1e-4)
    np.testing.assert_allclose(current.loss(), current.errors(current.now).mean((1, 2)), rtol=1e-4)
    assert (nxt.target.of_next, current.target.of_next) == (True, False)
    for case in (nxt, current):
        assert case.target.needs == (("symbols", "others") if style["observation"] == "rgb" else ("others",))


@pytest.mark.parametrize("style", STYLES[:3], ids=lambda style: "-".join(map(str, style.values())))
def test_changes_are_predicted_in_the_cells_that_change(style):
    case = Case("changes", world_of(**style))
    errors, expected = case.errors(case.after), np.zeros(N)
    for n in range(N):
        changed = [at for at in np.ndindex(*errors.shape[1:]) if not same_class(case.now[n][at], case.after[n][at])]
        expected[n] = np.mean([errors[n][at] for at in changed]) if changed else 0.0
    assert expected[0] == 0
    assert (expected[1:] > 0).all()
    np.testing.assert_allclose(case.loss(), expected, rtol=1e-4)


def test_prestige_of_one_level_is_no_change():
    case = Case("changes", world_of())
    agent = [objects.AGENT, PRESTIGE, 2, 10, 0]
    case.now[:], case.after[:] = agent, agent
    case.after[:, 1, 2, 3] = [63, 64, 255]
    loss = case.loss()
    assert loss[0] == 0
    errors = case.errors(case.after)
    np.testing.assert_allclose(loss[1:], errors[1:, 1, 2], rtol=1e-4)


@pytest.mark.parametrize("observation", ["symbolic", "rgb"])
def test_others_are_predicted_in_all_cells_but_the_own(observation):
    case = Case("others", world_of(observation=observation, view_offset=1))
    logits, expected = np.asarray(case.found[0], float)[:, 0], np.zeros(N)
    case.after[:, 3, 2] = (objects.AGENT, 0, 0, 0, 0)  # itself, one row above the lowest, in the middle
    case.after[1, 0, 0] = (objects.AGENT, 0, 0, 0, 0)
    for n, row, column in np.ndindex(N, 5, 5):
        other = case.after[n, row, column, 0] == objects.AGENT and (row, column) != (3, 2)
        probability = sigmoid(logits[n, row, column])
        expected[n] -= np.log(probability if other else 1 - probability) / 25
    np.testing.assert_allclose(case.loss(), expected, rtol=1e-4)


@pytest.mark.parametrize("name", [name for name in TARGETS.names() if name != "none"])
def test_the_gradient_of_every_target_is_finite(name):
    world = world_of(observation="rgb")
    target: Target = TARGETS.maker(name)(SMALL, world, SMALL.memory)
    # Cells of all classes, of none of them, and views in which nothing changes.
    symbols = jax.random.randint(jax.random.key(1), (T, *world.view_shape, SYMBOLS), 0, 14).astype(jnp.uint8)
    frames = jax.random.randint(jax.random.key(2), (T, *world.observation_shape), 0, 256).astype(jnp.uint8)
    seen = Observation(frames, symbols=symbols)
    hidden = jax.random.normal(jax.random.key(3), (T, SMALL.memory)) * 1e3

    def total(parameters, hidden, after):
        return target.loss(target.decode(parameters, hidden, jnp.arange(T)), seen, after).sum()

    gradient = quick_jit(jax.grad(total, (0, 1)))
    parameters = drawn(target.init)
    for after in (seen, jax.tree.map(lambda x: x[::-1], seen)):
        found = gradient(parameters, hidden, after)
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(found))
    assert any((leaf != 0).any() for leaf in jax.tree.leaves(found))


REFUSED = [
    ({"encoder": "convolutions"}, {}, "none", r"'convolutions' needs RGB .* is 'symbolic': .*encoder \"symbolic\""),
    ({"encoder": "tile_contrast"}, {}, "none", r"'tile_contrast' needs RGB .* is 'symbolic': .*encoder \"symbolic\""),
    ({}, {}, "frame", r"'frame' needs RGB .* 'symbolic': .* sizes.prediction \"symbols\" or \"none\""),
    ({}, {"observation": "symbolic_world"}, "current_frame", r"'frame' needs RGB .* is 'symbolic_world'"),
    ({}, {"observation": "rgb"}, "none", r"\"symbolic\" reads symbols, .* choose world.observation \"symbolic\" or"),
    ({}, {"observation": "symbolic_world"}, "others", r"moves in .*'symbolic_world' and in views of even size \(5\)"),
    ({}, {"view_size": 6}, "others", r"views of even size \(6\): choose \"rgb\" or \"symbolic\" and an odd size"),
]


@pytest.mark.parametrize(("sizes", "world", "prediction", "remedy"), REFUSED)
def test_parts_that_do_not_fit_are_refused_with_the_remedy(sizes, world, prediction, remedy):
    network = NetworkSizes(**{"channels": (4,), "encoder": "symbolic"} | sizes)
    with pytest.raises(ValueError, match=remedy):
        make_network(network, world_of(**world), prediction)


# Registries


def test_parts_of_users_are_chosen_by_name(monkeypatch):
    for registry in (ENCODERS, MEMORIES, TARGETS):
        monkeypatch.setattr(registry, "_makers", dict(registry._makers))

    def mean_of_channels(sizes, world):
        def encode(parameters, observation):
            return observation.image.astype(jnp.float32).mean((1, 2)) * parameters["scale"]

        return Encoder(lambda key: {"scale": jnp.float32(2.0)}, encode, features=world.observation_shape[-1])

    def sums(sizes, inputs):
        def unroll(parameters, state, x, first):
            def one_step(before, row):
                after = jnp.where(row[1][:, None], 0.0, before) + row[0]
                return after, after

            _, after = jax.lax.scan(one_step, state, (x, first))
            return after, after

        return Memory(lambda key: {}, lambda batch: jnp.zeros((*batch, inputs)), unroll, units=inputs)

    def reward(sizes, world, units):
        return Target(
            init=lambda key: {"kernel": jnp.ones(units)},
            decode=lambda parameters, hidden, action: hidden @ parameters["kernel"] + action,
            loss=lambda found, now, after: jnp.square(found - after.reward),
            needs=("reward",),
        )

    parts.register_encoder("mean_of_channels", mean_of_channels)
    parts.register_memory("sums", sums)
    parts.register_target("reward", reward)
    assert ENCODERS.names()[-1] == "mean_of_channels"
    assert Sizes(prediction="reward").prediction == "reward"
    sizes = NetworkSizes(heads=(4,), encoder="mean_of_channels", memory_type="sums")
    network = make_network(sizes, world_of(inputs=("reward",)), "reward")
    parameters = quick_jit(network.init)(jax.random.key(0))
    seen = Observation(jnp.ones((T, N, 5, 5, SYMBOLS), jnp.uint8), reward=jnp.full((T, N), 3.0))
    outputs = quick_jit(network.unroll)(parameters, network.initial_memory((N,)), seen, jnp.asarray(FIRST))
    # The channels, each 2, and the reward.
    np.testing.assert_allclose(outputs.hidden[:, 0], np.array([2] * SYMBOLS + [3]) * np.arange(1, 6)[:, None])
    found = network.predict(parameters, outputs.hidden, jnp.ones((T, N), jnp.int32))
    np.testing.assert_allclose(found[:, 0], 13 * np.arange(1, 6) + 1)
    assert network.target is not None
    np.testing.assert_allclose(network.target.loss(found, seen, seen)[:, 0], (13 * np.arange(1, 6) - 2) ** 2)


def test_taken_and_unknown_names_are_refused():
    def make(*arguments):
        raise NotImplementedError

    with pytest.raises(ValueError, match="encoder 'symbolic' is registered already: choose another name"):
        parts.register_encoder("symbolic", make)
    with pytest.raises(ValueError, match="memory 'gru' is registered already: choose another name"):
        parts.register_memory("gru", make)
    with pytest.raises(ValueError, match="prediction target 'changes' is registered already: choose another name"):
        parts.register_target("changes", make)
    with pytest.raises(
        ValueError, match=r"network.encoder='pixels': choose from convolutions, tile_contrast, symbolic"
    ):
        NetworkSizes(encoder="pixels")
    with pytest.raises(ValueError, match=r"network.memory_type='rnn': choose from lstm, gru, none"):
        NetworkSizes(memory_type="rnn")
    with pytest.raises(ValueError, match=r"sizes.prediction='reward': choose from none, frame, .*, changes, others"):
        Sizes(prediction="reward")
    with pytest.raises(ValueError, match=r"sizes.prediction='reward': choose from none, frame, .*, changes, others"):
        make_network(SMALL, world_of(), "reward")
