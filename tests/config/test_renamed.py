"""Names of the first version: stored configs load, old options and sweep fields get a message."""

import pytest

from jaxsocial.cli.parsing import parse
from jaxsocial.config.config import from_plain, to_plain
from jaxsocial.config.fields import with_fields
from jaxsocial.config.presets import preset, presets
from jaxsocial.config.renamed import RENAMED, RENAMED_VALUES, SCHEMA, current_name


def in_version_1(plain):
    """The same config, as the first version wrote it."""
    old = {name: dict(value) if isinstance(value, dict) else value for name, value in plain.items()}
    del old["schema"]
    for (field, before), now in RENAMED_VALUES.items():
        part, _, name = field.partition(".")
        old[part][name] = before if old[part][name] == now else old[part][name]
    for before, now in RENAMED.items():
        part, _, name = now.partition(".")
        where, new = (old[part], before.partition(".")[2]) if name else (old, before)
        where[new] = where.pop(name or part)
    return old


@pytest.mark.parametrize("name", presets())
def test_a_config_of_the_first_version_loads(name):
    config = preset(name)
    old = in_version_1(to_plain(config))
    assert "company" in old
    assert "first_share" in old["penalty_ramp"]
    assert from_plain(old) == config


def test_a_config_names_its_version():
    plain = to_plain(preset("paper"))
    assert plain["schema"] == SCHEMA
    with pytest.raises(ValueError, match="a later version of jaxsocial wrote this config, update jaxsocial"):
        from_plain(plain | {"schema": SCHEMA + 1})


def test_an_old_name_in_a_current_config_is_refused():
    plain = to_plain(preset("paper"))
    plain["company"] = plain.pop("partner_schedule")
    with pytest.raises(ValueError, match="has no table partner_schedule: use the version"):
        from_plain(plain)


OLD_AND_NEW = {
    "company.epsilon": "partner_schedule.epsilon",
    "company.solo_steps": "partner_schedule.solo_steps",
    "network.products": "network.matmul_dtype",
    "penalty_ramp.first_share": "penalty_ramp.initial_fraction",
    "penalty_ramp.hold_steps": "penalty_ramp.ramp_start",
    "penalty_ramp.full_steps": "penalty_ramp.ramp_end",
}


@pytest.mark.parametrize(("old", "new"), OLD_AND_NEW.items())
def test_an_old_option_and_an_old_sweep_field_name_the_new_one(old, new):
    assert current_name(old) == new
    assert current_name(new) is None
    option, renamed = ("--" + name.replace("_", "-") for name in (old, new))
    for arguments in ([option, "0"], [f"{option}=0"], ["--seed", "1", option, "0"]):
        with pytest.raises(ValueError, match=f"^{option} is now called {renamed}: write that$"):
            parse(["train", *arguments])
    with pytest.raises(ValueError, match=f"^{old} is now called {new}: write that$"):
        with_fields(preset("paper"), {old: 0})
