"""Differences from the defaults, the hash of a config, and other values by dotted names."""

import dataclasses
import json

import pytest

from jaxsocial.agents.networks.sizes import NetworkSizes
from jaxsocial.config.config import Config, RulesConfig, from_plain, to_plain
from jaxsocial.config.fields import config_hash, differences, digest, with_fields
from jaxsocial.config.presets import preset
from jaxsocial.env import registry
from jaxsocial.env.registry import make_scenario
from jaxsocial.env.scenario import Scenario
from jaxsocial.env.text.text_map import scenario_from_text

WITH_OPTION = dataclasses.make_dataclass(
    "WithOption", [("option", str, dataclasses.field(default="neutral"))], bases=(Config,), frozen=True
)
WIDER_SIZES = dataclasses.make_dataclass(
    "WiderSizes", [("skip", bool, dataclasses.field(default=False))], bases=(NetworkSizes,), frozen=True
)
WITH_WIDER_SIZES = dataclasses.make_dataclass(
    "WithWiderSizes", [("network", WIDER_SIZES, dataclasses.field(default=WIDER_SIZES()))], bases=(Config,), frozen=True
)


def fields_of(config):
    return {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}


@pytest.mark.parametrize("name", ["paper", "quickstart", "laptop"])
def test_a_new_field_with_its_default_changes_no_hash(name):
    config = preset(name)
    later = WITH_OPTION(**fields_of(config))
    assert "option" in to_plain(later)
    assert config_hash(later) == config_hash(config)
    network = WIDER_SIZES(**fields_of(config.network))
    later = WITH_WIDER_SIZES(**(fields_of(config) | {"network": network}))
    assert "skip" in to_plain(later)["network"]
    assert config_hash(later) == config_hash(config)


def test_a_new_field_with_another_value_changes_the_hash():
    config = preset("paper")
    assert config_hash(WITH_OPTION(**fields_of(config), option="other")) != config_hash(config)
    network = WIDER_SIZES(skip=True)
    assert config_hash(WITH_WIDER_SIZES(**(fields_of(config) | {"network": network}))) != config_hash(config)


CHANGES = {
    "seed": 1,
    "partners": ["random", "expert"],
    "rules.penalty": 0.5,
    "coefficients.learning_rate": 3e-4,
    "sizes.worlds": 64,
    "network.channels": [16],
    "partner_schedule.solo": [0.25],
    "world.goals": 4,
    "world.max_steps": 99,
}


def test_every_other_value_has_another_hash():
    plain = to_plain(preset("paper"))
    hashes = {config_hash(preset("paper"))}
    for name, value in CHANGES.items():
        part, _, inner = name.partition(".")
        hashes.add(config_hash(from_plain(plain | {part: plain[part] | {inner: value} if inner else value})))
    assert len(hashes) == 1 + len(CHANGES)


def test_ignored_fields_do_not_count():
    config = preset("paper")
    other = dataclasses.replace(config, seed=4, rules=RulesConfig(penalty=0.5))
    assert config_hash(other, ignored=("seed", "rules.penalty")) == config_hash(config)
    assert config_hash(other, ignored=("seed",)) != config_hash(config)


def test_equal_configs_have_equal_hashes_however_they_are_made():
    config = preset("quickstart")
    made = [
        from_plain(json.loads(json.dumps(to_plain(config)))),
        dataclasses.replace(dataclasses.replace(config, seed=5), seed=0),
        with_fields(with_fields(config, {"sizes.worlds": 32}), {"sizes.worlds": config.sizes.worlds}),
        dataclasses.replace(config, world=make_scenario("goal_cycle", **world_sizes(config))),
    ]
    assert all(other == config for other in made)
    assert {config_hash(other) for other in made} == {config_hash(config)}


def world_sizes(config):
    names = [
        "height",
        "width",
        "goals",
        "clutter",
        "agents",
        "view_size",
        "view_offset",
        "max_steps",
        "actions",
        "observation",
    ]
    return {name: getattr(config.world, name) for name in names}


def of_world(world):
    return Config(world=world, partners=("random",) * (world.agents - 1))


def test_a_map_counts_by_its_text():
    text = "#####\n#>0.#\n#.1<#\n#####\n"
    config = of_world(scenario_from_text(text))
    assert config_hash(of_world(scenario_from_text(text))) == config_hash(config)
    assert config_hash(of_world(scenario_from_text(text.replace("0.", ".0")))) != config_hash(config)
    assert config_hash(of_world(scenario_from_text(text, max_steps=9))) != config_hash(config)
    assert differences(config)["world.name"] == "text"
    assert differences(config)["world.text"].split() == text.split()


@dataclasses.dataclass(frozen=True)
class Hall:
    """A user's own layout with one setting; it is never called here."""

    doors: int = 2

    def __call__(self, key, scenario):
        raise NotImplementedError


def hall(doors=2, **sizes):
    return Scenario(layout=Hall(doors), name="hall", **({"height": 3, "clutter": 0, "things": (152,)} | sizes))


def test_a_scenario_of_the_user_counts_by_its_name_and_settings(monkeypatch):
    monkeypatch.setitem(registry._SCENARIOS, "hall", hall)
    config = of_world(hall())
    assert differences(config) == {"world.name": "hall", "partners": ["random", "random"]}
    assert config_hash(of_world(hall())) == config_hash(config)
    assert differences(of_world(hall(doors=3))) == differences(config) | {"world.doors": 3}
    assert config_hash(of_world(hall(doors=3))) != config_hash(config)
    assert config_hash(of_world(make_scenario("maze"))) != config_hash(of_world(make_scenario("empty")))


def test_a_digest_does_not_depend_on_order_and_is_stable():
    assert digest({"a": [1, 2.5], "b": None}) == digest({"b": None, "a": [1, 2.5]}) == "68982516a4a3"
