"""The config: its checks, its form in JSON, its presets, and the rules that follow from it."""

import dataclasses
import json
import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsocial.agents.networks.network import make_network
from jaxsocial.cli.help import meanings
from jaxsocial.config import config as configs
from jaxsocial.config import presets
from jaxsocial.config.network import network_of
from jaxsocial.config.partners import PartnerSchedule
from jaxsocial.config.penalty import PenaltyRamp, Stages, first_progress
from jaxsocial.config.traced import evaluation_rules, traced_config, training_rules
from jaxsocial.env import registry, settings, values
from jaxsocial.env.core import make_env
from jaxsocial.env.registry import make_scenario, registered_scenarios
from jaxsocial.env.scenario import Scenario, View
from jaxsocial.env.text.text_map import scenario_from_text
from jaxsocial.learning.settings import Sizes
from tests.compiling import quick_jit


@pytest.mark.parametrize("name", presets.presets())
def test_a_preset_survives_json(name):
    config = presets.preset(name)
    assert configs.from_plain(json.loads(json.dumps(configs.to_plain(config)))) == config


@dataclasses.dataclass(frozen=True)
class Corridor:
    """A user's layout with one setting; it is never called here."""

    doors: tuple[int, ...] = (2,)

    def __call__(self, key, scenario):
        raise NotImplementedError


def corridor(doors=(2,), **sizes):
    return Scenario(layout=Corridor(doors), name="corridor", **({"height": 3, "clutter": 0, "things": (152,)} | sizes))


WORLDS = {
    "views": make_scenario(
        "goal_cycle", agents=2, views=(View(5, 2, 8, hidden=("agent", "bonus")), View(9)), inputs=("reward", "heading")
    ),
    "map": scenario_from_text("#####\n#>0x#\n#.1<#\n#####\n\nx: red key", agents=3, max_steps=9, colours=("red",) * 3),
    "own layout": corridor((1, 4), width=30),
    "maze": make_scenario("maze", extra_connections=0.25, height=15, width=21),
    "things": make_scenario("cluttered", things=(152, 40, 9)),
}


@pytest.mark.parametrize("name", WORLDS)
def test_a_world_survives_json(name, monkeypatch):
    monkeypatch.setitem(registry._SCENARIOS, "corridor", corridor)
    world = WORLDS[name]
    partner_schedule = PartnerSchedule(solo=(0.5, 0.25), solo_steps=(0.0, 1e6))
    partners = ("random",) * (world.agents - 1)
    config = dataclasses.replace(
        presets.preset("paper"), world=world, partners=partners, partner_schedule=partner_schedule
    )
    assert configs.from_plain(json.loads(json.dumps(configs.to_plain(config)))) == config
    assert hash(configs.from_plain(configs.to_plain(config)).world) == hash(world)


@pytest.mark.parametrize("name", registered_scenarios())
def test_every_scenario_is_made_again_from_its_settings(name):
    world = make_scenario(name)
    assert settings.make_world(**settings.settings(world)) == world
    assert settings.changed(world, max_steps=17) == dataclasses.replace(world, max_steps=17)


def test_a_changed_world_recomputes_only_fields_that_were_not_set():
    larger = settings.changed(make_scenario("goal_cycle", view_size=5), height=23)
    assert larger == make_scenario("goal_cycle", view_size=5, height=23)
    assert larger.clutter > make_scenario("goal_cycle").clutter
    assert settings.changed(make_scenario("goal_cycle", clutter=4), height=23).clutter == 4


def test_another_number_of_agents_has_settings_for_each():
    views = View(size=5), View(size=7), View(size=5)
    world = make_scenario(
        "goal_cycle", agents=3, colours=("red", "blue", "prestige"), spawn_delay=(0, 4, 9), views=views
    )
    fewer = settings.changed(world, agents=2)
    assert (fewer.colours, fewer.spawn_delay, fewer.views) == (("red", "blue"), (0, 4), views[:2])
    more = settings.changed(dataclasses.replace(world, views=()), agents=4)
    assert (more.agent_colours, more.spawn_delay) == (("prestige",) * 4, (0, 4, 9, 0))
    with pytest.raises(ValueError, match="views"):
        settings.changed(world, agents=4)
    assert settings.changed(world, agents=4, views=(View(size=5),) * 4).views == (View(size=5),) * 4
    alike = dataclasses.replace(world, views=(View(size=5),) * 3)
    assert settings.changed(alike, agents=4).views == (View(size=5),) * 4
    assert settings.in_place_of(alike, make_scenario("maze")).agent_views == (View(size=5),) * 3


@pytest.mark.parametrize("name", [name for name in registered_scenarios() if name.startswith("MarlGrid")])
def test_the_reference_s_worlds_replace_that_of_a_preset(name):
    assert settings.in_place_of(presets.preset("quickstart").world, make_scenario(name)).agents == 3


def test_a_map_s_sizes_cannot_be_changed():
    with pytest.raises(ValueError, match="height=9: the map has 4"):
        settings.changed(WORLDS["map"], height=9)


def test_a_map_that_cannot_be_built_is_refused():
    plain = configs.to_plain(dataclasses.replace(presets.preset("paper"), world=make_scenario("goal_cycle")))
    plain["world"] |= {"name": "text", "text": "###\n###\n###", "size": 3}
    with pytest.raises(ValueError, match="has no size 'size': perhaps you meant view_size"):
        configs.from_plain(plain)


def test_fixed_levels_are_in_every_world_s_rules_and_held_out_levels_differ():
    config = dataclasses.replace(
        presets.preset("quickstart"), rules=configs.RulesConfig(first_level=4, levels=3), sizes=Sizes(worlds=40)
    )
    rules = evaluation_rules(config, 40)
    assert (rules.first_level == 4).all()
    assert (rules.levels == 3).all()
    env = make_env(config.world)
    held_out = rules._replace(first_level=rules.first_level + 3)
    fresh = quick_jit(jax.vmap(env.reset))
    pools = []
    for seed, pool in enumerate((rules, rules, held_out)):
        with jax.debug_key_reuse(False):
            grids = np.asarray(fresh(jax.random.split(jax.random.key(seed), 40), pool)[0].grid)
        pools.append({grid.tobytes() for grid in grids})
    assert len(pools[0]) == 3
    assert pools[0] == pools[1]
    assert not pools[0] & pools[2]


def test_quickstart_solo_differs_from_quickstart_in_partners_only():
    social, solo = presets.preset("quickstart"), presets.preset("quickstart-solo")
    alone = dataclasses.replace(social.world, agents=1)
    assert dataclasses.replace(social, world=alone, partners=(), preset=solo.preset) == solo


def test_paper_has_the_paper_s_sizes():
    paper = presets.preset("paper")
    assert paper.iteration_steps == 128 * 250
    assert paper.total_steps == 1_500_000 * 250
    assert (paper.world.clutter, paper.world.goals, paper.rules.penalty) == (18, 3, 1.5)
    assert paper.sizes.segments * paper.sizes.segment_length == 8192
    assert (paper.coefficients.learning_rate, paper.coefficients.prediction_weight) == (1e-4, 3.0)
    assert presets.preset("paper-vanilla").sizes.prediction == "none"
    assert presets.preset("paper-autoencoder").sizes.prediction == "current_frame"
    assert presets.preset("paper-solo").world.agents == 1
    imitation = presets.preset("paper-imitation")
    assert (imitation.coefficients.learning_rate, imitation.sizes.segment_length) == (3e-4, 10)
    assert presets.preset("expert").stages.penalties == (0.25, 0.5, 1.0, 1.5)


def rules_after(steps, config):
    """The rules of all worlds in an iteration that begins after so many steps."""
    worlds = jnp.arange(config.sizes.worlds)
    return training_rules(traced_config(config), jnp.float32(steps), first_progress(), config, worlds)


def test_solo_worlds_are_exact():
    rules = rules_after(0, presets.preset("paper-mixed"))
    present = np.asarray(rules.present)
    assert present.shape == (128, 3)
    assert (present[:, 0] == 1).all()
    np.testing.assert_array_equal(present[:, 1:], np.repeat([[0], [1]], [96, 32], axis=0) * np.ones(2))
    assert all(leaf.shape[0] == 128 for leaf in jax.tree.leaves(rules))
    np.testing.assert_allclose(rules.penalty, 1.5)


def test_the_share_of_solo_worlds_follows_its_schedule():
    partner_schedule = PartnerSchedule(solo=(0.0, 0.5, 0.25), solo_steps=(1000.0, 2000.0, 4000.0))
    config = dataclasses.replace(presets.preset("paper"), partner_schedule=partner_schedule)
    solo = [
        int((np.asarray(rules_after(s, config).present)[:, 1] == 0).sum()) for s in (0, 1000, 1500, 2000, 3000, 9000)
    ]
    assert solo == [0, 0, 32, 64, 48, 32]


def test_drawn_solo_episodes_are_a_probability_in_every_world():
    partner_schedule = PartnerSchedule(solo=(0.3,), solo_drawn=True)
    config = dataclasses.replace(
        presets.preset("paper"), partner_schedule=partner_schedule, partners=("expert", "absent")
    )
    np.testing.assert_allclose(rules_after(0, config).present, np.ones((128, 1)) * [1.0, 0.7, 0.0], rtol=1e-6)


def test_only_partners_leave_and_rejoin():
    partner_schedule = PartnerSchedule(leave=0.1, rejoin=0.2)
    dropout = rules_after(0, dataclasses.replace(presets.preset("paper"), partner_schedule=partner_schedule)).dropout
    np.testing.assert_allclose(dropout.leave[0], [0, 0.1, 0.1], rtol=1e-6)
    np.testing.assert_allclose(dropout.rejoin[0], [0, 0.2, 0.2], rtol=1e-6)
    assert rules_after(0, presets.preset("paper")).dropout is None


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        ({"partner_schedule": PartnerSchedule(solo=(1.5,))}, "partner_schedule.solo=.*choose 0 to 1"),
        ({"partner_schedule": PartnerSchedule(solo=(), solo_steps=())}, "give at least one number"),
        ({"partner_schedule": PartnerSchedule(solo=(0.5, 0.6))}, "as many numbers of one as of the other"),
        ({"partner_schedule": PartnerSchedule(solo=(0.5, 0.6), solo_steps=(5.0, 2.0))}, "give increasing numbers"),
        ({"partner_schedule": PartnerSchedule(epsilon=(0.5, 0.6, 0.7))}, "one for each of the 2"),
        ({"partner_schedule": PartnerSchedule(leave=-0.1)}, "partner_schedule.leave=-0.1: choose 0 to 1"),
        ({"stages": Stages(penalties=(0.5, 1.5))}, "give stages.returns or stages.steps"),
        ({"stages": Stages(penalties=(0.5, 1.5), returns=(1.0, 2.0))}, "give 1, one for each"),
        ({"stages": Stages(penalties=(0.5, 1.0), steps=(10.0,))}, "end with rules.penalty=1.5"),
        ({"stages": Stages(returns=(1.0,))}, "need stages.penalties"),
        ({"keep_every": -1}, "choose 0 or more"),
        ({"sizes": Sizes(learners=2)}, "leaves 1 seats beside the learner: name one for each"),
        ({"sizes": Sizes(learners=4)}, "sizes.learners=4: choose world.agents=3 or fewer"),
        ({"total_steps": 0}, "choose 1 or more"),
        ({"partners": ("expert",)}, "name one for each"),
        ({"seed": 2**31 - 2, "seeds": 3}, "seeds=3: the last seed is above 2147483647"),
        ({"penalty_ramp": PenaltyRamp(initial_fraction=1.5)}, "choose 0 to 1"),
        ({"penalty_ramp": PenaltyRamp(ramp_start=5.0, ramp_end=3.0)}, "no smaller"),
    ],
)
def test_a_config_that_does_not_fit_is_refused_with_a_remedy(change, remedy):
    with pytest.raises(ValueError, match=remedy):
        dataclasses.replace(presets.preset("paper"), **change)


@pytest.mark.parametrize(
    ("rules", "remedy"),
    [
        ({"prestige_scale": 0.0}, "above 0"),
        ({"levels": -1}, "rules.levels=-1: choose 0 or more"),
        ({"first_level": -5}, "rules.first_level=-5: choose 0 or more"),
        ({"first_level": 2**31 - 1, "levels": 2}, "the last level is above 2147483647"),
    ],
)
def test_rules_that_do_not_fit_are_refused_where_they_are_made(rules, remedy):
    with pytest.raises(ValueError, match=remedy):
        configs.RulesConfig(**rules)


def leaves(record=configs.Config, prefix=""):
    """Yields (field in full, declared type of it or of its items, whether it is a list, its meaning)."""
    for name, kind in values.declared(record).items():
        if values.is_record(kind):
            yield from leaves(kind, f"{prefix}{name}.")
        elif name != "layout":
            is_list = typing.get_origin(kind) is tuple
            yield prefix + name, typing.get_args(kind)[0] if is_list else kind, is_list, meanings(record)[name]


def bare(kind):
    return typing.get_args(kind)[0] if typing.get_origin(kind) is typing.Annotated else kind


def plain_with(name, value):
    """A whole config as JSON holds it, with another value of one field."""
    plain, (part, _, inner) = PAPER, name.rpartition(".")
    return plain | ({part: plain[part] | {inner: value}} if part else {inner: value})


PAPER = configs.to_plain(presets.preset("paper"))
LEAVES = {name: rest for name, *rest in leaves()}
NUMBERS = [name for name, (kind, *_) in LEAVES.items() if bare(kind) in (int, float)]
OF_OTHER_FIELDS = ("world.view_offset", "world.actions", "world.things")
"""Numbers whose range depends on other fields, or has gaps."""


def outside(number, within):
    """Returns numbers of a type that are not in a range."""
    bounds = [within.low - 1, within.high + 1, within.excluded]
    if within.excluded is not None:
        bounds.append(1e-50 if within.excluded == within.low else 1 - 1e-9)  # the bound, in 32 bits
    never = [-(2**63), 2**63, 10**400] if number is int else [float("nan"), float("inf"), -float("inf"), 1e39]
    return never + [number(bound) for bound in bounds if bound is not None and abs(bound) < 1e9]


@pytest.mark.parametrize("name", NUMBERS)
def test_every_number_has_a_documented_range_and_is_held_to_it(name):
    kind, is_list, meaning = LEAVES[name]
    within = values.Range() if kind is bare(kind) else typing.get_args(kind)[1]
    if name not in OF_OTHER_FIELDS:
        assert str(within).removeprefix("a number ") in " ".join(meaning.split())
    for number in outside(bare(kind), within):
        # In a world the field's name has no prefix.
        with pytest.raises(ValueError, match=rf"^({name}|{name.rpartition('.')[2]})=.*: choose [^\n]*$"):
            configs.from_plain(plain_with(name, [number] if is_list else number))


WRONG = {int: ["1", True, 9.5], float: ["1", True], bool: ["no", 0], str: [1, True]}


@pytest.mark.parametrize("name", LEAVES)
def test_a_value_of_another_type_is_refused_by_its_name(name):
    kind, is_list, _ = LEAVES[name]
    wrong = [*WRONG.get(bare(kind), [3.5]), None, {}, ["", 1]]
    for value in [[[one] for one in wrong], wrong][not is_list] + ([3, "x", None] if is_list else []):
        with pytest.raises(ValueError, match=rf"^({name}|{name.rpartition('.')[2]})( =|=| is missing)[^\n]*$"):
            configs.from_plain(plain_with(name, value))


def test_a_config_makes_its_environment_with_its_rules():
    rules = configs.RulesConfig(penalty=0.5, prestige_scale=1.0, levels=3)
    config = dataclasses.replace(presets.preset("paper"), rules=rules, partners=("expert", "absent"))
    env = config.make_env()
    assert env.scenario == config.world
    made = {name: getattr(env.rules, name).tolist() for name in ("penalty", "prestige_scale", "levels", "present")}
    assert made == {"penalty": 0.5, "prestige_scale": 1.0, "levels": 3, "present": [1.0, 1.0, 0.0]}


def test_further_inputs_widen_the_memory_s_input():
    def width(inputs):
        world = dataclasses.replace(presets.preset("paper").world, inputs=inputs)
        network = network_of(dataclasses.replace(presets.preset("paper"), world=world))
        return jax.eval_shape(network.init, jax.random.key(0))["memory"]["lstm"]["input"]["kernel"].shape[0]

    assert width(("reward", "position")) == width(()) + 3


def test_views_that_differ_between_agents_are_refused():
    world = dataclasses.replace(presets.preset("paper").world, views=(View(size=5), View(), View()))
    with pytest.raises(ValueError, match="networks need equal views of all agents, leave views empty"):
        network_of(dataclasses.replace(presets.preset("paper"), world=world))
    with pytest.raises(ValueError, match="networks need equal views"):
        make_network(presets.preset("paper").network, world)


def test_an_unknown_preset_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="quickstart, quickstart-solo"):
        presets.preset("papre")


def test_a_config_of_another_version_is_refused():
    plain = configs.to_plain(presets.preset("paper"))
    plain["sizes"]["wrolds"] = plain["sizes"].pop("worlds")
    with pytest.raises(ValueError, match="wrolds"):
        configs.from_plain(plain)
