"""Configs that train together, members with non-finite numbers, stages, imitation, two learners."""

import dataclasses
import json
import shlex

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsocial
from jaxsocial import finish
from jaxsocial.config import presets
from jaxsocial.config.partners import PartnerSchedule
from jaxsocial.config.penalty import Stages
from jaxsocial.config.traced import TracedConfig, static_config, traced_config
from jaxsocial.env.registry import make_scenario
from jaxsocial.training import checkpoint, member, metrics, run
from jaxsocial.training.folder import config_of
from jaxsocial.training.member import Member
from jaxsocial.training.program import Program, make_program
from tests import runs
from tests.training.conftest import PARTNERS

ITERATIONS = 5
SEED_2, SEED_3, OTHER, BAD = range(4)
"""The members that train side by side."""


def settings(folder):
    """The configs of a run with another seed, of other numbers, and of numbers that become non-finite."""
    own = config_of(folder)
    other = dataclasses.replace(
        own,
        rules=dataclasses.replace(own.rules, penalty=2.0, prestige_scale=2.0),
        stages=Stages(penalties=(0.25, 0.75, 2.0), steps=(128.0, 64.0)),
        partner_schedule=PartnerSchedule(epsilon=(0.6,), solo=(0.5,)),
        coefficients=own.coefficients._replace(learning_rate=3e-3, gamma=0.9, entropy_weight=0.1),
    )
    bad = dataclasses.replace(own, seed=9, coefficients=own.coefficients._replace(learning_rate=3e38))
    return [dataclasses.replace(own, seed=2, seeds=2), other, bad]


class Trained:
    """Members before and after five iterations, on the host, and their metrics (members, iterations, learners)."""

    def __init__(self, made: Program, members: Member):
        self.program, self.before, steps = made, host(members), []
        with jax.debug_key_reuse(False):
            for _ in range(ITERATIONS):
                members, measured = made.chunk(members, 1)
                steps.append(host(measured))
        self.after = host(members)
        self.metrics = {name: np.concatenate([step[name] for step in steps], axis=1) for name in steps[0]}


def host(tree):
    return jax.tree.map(lambda x: np.asarray(jax.random.key_data(x) if is_key(x) else x), tree)


def is_key(x):
    return jnp.issubdtype(x.dtype, jax.dtypes.prng_key)


def begun(made: Program) -> Member:
    with jax.debug_key_reuse(False):
        return made.begin()


@pytest.fixture(scope="module")
def together(partners_run):
    traces, traced = [], member.chunk

    def chunk(*arguments, **options):
        traces.append(options)
        return traced(*arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(member, "chunk", chunk)
        made = make_program(settings(partners_run.folder))
        trained = Trained(made, begun(made))
    assert len(traces) == 1
    return trained


def parameters_of(trained: Trained, member: int):
    return jax.tree.map(lambda x: x[member], trained.after.learner.parameters)


def assert_close(one, other):
    chex.assert_trees_all_close(one, other, rtol=1e-4, atol=1e-5)


def test_a_seed_among_other_seeds_and_settings_is_the_seed_alone(together, partners_run):
    alone = jax.tree.map(lambda x: x[0], partners_run.parameters[ITERATIONS])
    assert_close(parameters_of(together, SEED_3), alone)
    rows = metrics.read(partners_run.folder / "metrics.jsonl")
    assert [(row["step"], row["learner"]) for row in rows] == [(64 * n, who) for n in range(1, 6) for who in (0, 1)]
    for number, row in enumerate(rows):
        for name in row.keys() - {"step", "seed", "learner"}:
            mine = together.metrics[name][SEED_3, number // 2, number % 2]
            np.testing.assert_allclose(mine, np.nan if row[name] is None else row[name], rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_members_in_blocks_equal_members_in_one_vmap(together, partners_run, monkeypatch):
    sizes, blocks = together.program.setup.sizes, []
    monkeypatch.setattr(member, "CACHED_ROWS", 3 * sizes.learners * sizes.segments * sizes.segment_length)
    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")
    in_blocks = member.in_blocks
    monkeypatch.setattr(member, "in_blocks", lambda *a, size: (blocks.append(size), in_blocks(*a, size=size))[1])
    made = make_program(settings(partners_run.folder))
    found = Trained(made, begun(made))
    assert blocks == [3]
    assert_close(found.after, together.after)
    for name, values in found.metrics.items():
        np.testing.assert_allclose(values, together.metrics[name], rtol=1e-3, atol=1e-5)


def test_members_with_other_seeds_or_numbers_differ(together):
    loss = together.metrics["loss"][:, 0]
    assert len(np.unique(loss[[SEED_2, SEED_3, OTHER]].round(4))) == 6
    begin = together.before.learner.parameters["policy"]["last"]["kernel"]
    # Settings of one seed begin with the same networks.
    np.testing.assert_array_equal(begin[SEED_3], begin[OTHER])
    assert (begin[SEED_2] != begin[SEED_3]).any()


def test_every_member_has_its_own_stages_and_partners(together):
    for place, penalties in ((SEED_3, [0.5, 1, 1, 1.5, 1.5]), (OTHER, [0.25, 0.25, 0.75, 2, 2])):
        for learner in (0, 1):
            np.testing.assert_allclose(together.metrics["penalty"][place, :, learner], penalties)
    play = together.after.learner.rollout_state
    partner = play.state.active[:, :, 2] | play.state.away[:, :, 2]
    np.testing.assert_array_equal(partner.sum(1), [8, 8, 4, 8])
    assert play.state.away[[SEED_2, SEED_3]].any()
    assert not play.state.away[OTHER].any()


def test_stages_change_the_penalty_without_compiling(partners_run):
    rows = metrics.read(partners_run.folder / "metrics.jsonl")
    assert partners_run.traces == 1
    for learner in (0, 1):
        own = [row for row in rows if row["learner"] == learner]
        assert [row["penalty"] for row in own] == [0.5, 1, 1, 1.5, 1.5]
        assert [row["stage"] for row in own] == [1, 1, 2, 2, 2]
        # In every other iteration, all episodes that end began under the same penalty.
        for row in own[::2]:
            paid = row["social_goals"] - row["penalty"] * row["social_penalties"]
            np.testing.assert_allclose(row["social_return"], paid, atol=1e-5)
            assert row["solo_return"] is None  # beside each other
    assert sum(row["social_penalties"] for row in rows) > 0


def test_a_member_with_non_finite_numbers_stays_as_before(together):
    healthy = together.metrics["healthy"]
    assert not healthy[BAD].any()
    assert healthy[:BAD].all()
    np.testing.assert_array_equal(together.after.healthy, [True, True, True, False])
    assert not np.isfinite(together.metrics["loss"][BAD]).any()
    bad = [jax.tree.map(lambda x: x[BAD], members.learner) for members in (together.before, together.after)]
    chex.assert_trees_all_equal(*bad)
    chex.assert_tree_all_finite(bad[1].parameters)
    assert bad[1].iteration == 0
    np.testing.assert_array_equal(together.after.learner.iteration, [5, 5, 5, 0])


def test_training_says_which_seed_stopped(together, tmp_path, monkeypatch, capsys):
    # The four members stand for four seeds of one config.
    monkeypatch.setattr(run, "make_program", lambda config: together.program)
    monkeypatch.setattr(finish, "measure", lambda *arguments: [])
    folder = tmp_path / "bad"
    assert runs.train(folder, *PARTNERS, "--seeds", "4", "--total-steps", "128") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "seed 6 stopped before step 64: its loss or a weight is no longer a finite number" in said
    assert said.count("stopped before") == 1
    rows = metrics.read(folder / "metrics.jsonl")
    assert len(rows) == 2 * 4 * 2
    for row in rows:
        assert row["healthy"] == (0.0 if row["seed"] == 6 else 1.0)
        assert (row["loss"] is None) == (row["seed"] == 6)


@pytest.mark.slow
def test_a_setting_alone_is_the_setting_among_others(together, partners_run):
    made = make_program(settings(partners_run.folder)[1])
    alone = Trained(made, begun(made))
    assert alone.before.learner.rollout_state.state.away.shape == (1, 8, 3)
    assert_close(parameters_of(together, OTHER), parameters_of(alone, 0))
    for name, values in alone.metrics.items():
        np.testing.assert_allclose(together.metrics[name][OTHER], values[0], rtol=1e-3, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "value"), [("value_weight", "3e38"), ("learning_rate", "3e38")])
def test_a_run_with_non_finite_numbers_saves_and_is_evaluated(name, value, tmp_path, capsys):
    folder = tmp_path / "bad"
    options = ("--total-steps", "128", "--seeds", "2", f"--coefficients.{name}", value)
    assert runs.train(folder, *options) == 1, "no seed stayed finite"
    said = " ".join(capsys.readouterr().out.split())
    assert "seed 0 stopped before step 64" in said
    assert "seed 1 stopped before step 64" in said
    assert [row["healthy"] for row in metrics.read(folder / "metrics.jsonl")] == [0.0] * 4
    results = json.loads((folder / "evaluation.json").read_text())
    by_player = {r["player"]: r["return"] for r in results if r["seed"] == 0}
    assert by_player["learner"] == by_player["untrained learner"]


# What is static and what is not


def base(**changes):
    config = dataclasses.replace(
        presets.preset("paper"),
        stages=Stages(penalties=(0.5, 1.0, 1.5), returns=(1.0, 2.0), steps=(10.0, 20.0)),
        partner_schedule=PartnerSchedule(
            epsilon=(0.1, 0.2), solo=(0.25, 0.5), solo_steps=(0.0, 100.0), leave=0.1, rejoin=0.1
        ),
    )
    ramp = config.penalty_ramp._replace(ramp_start=10.0, ramp_end=100.0)
    return dataclasses.replace(config, penalty_ramp=ramp, **changes)


def names_of(record):
    return record._fields if hasattr(record, "_fields") else [field.name for field in dataclasses.fields(record)]


def another(value):
    """Another number near this one, or the same list with another first number."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case float():
            return 0.8 * value + 0.011
        case (float() as first, *rest):
            return (another(first), *rest)
    raise TypeError(f"{value!r} is no number: is it static? Then it has no place in this record")


def with_another(config, record, name):
    own = getattr(config, record)
    change = {name: another(getattr(own, name))}
    changed = own._replace(**change) if hasattr(own, "_replace") else dataclasses.replace(own, **change)
    if (record, name) == ("rules", "penalty"):
        stages = config.stages._replace(penalties=(*config.stages.penalties[:-1], changed.penalty))
        config = dataclasses.replace(config, stages=Stages(), rules=changed)
        return dataclasses.replace(config, stages=stages)
    return dataclasses.replace(config, **{record: changed})


EVERY_NUMBER = [(record, name) for record in TracedConfig._fields for name in names_of(getattr(base(), record))]


@pytest.mark.parametrize(("record", "name"), EVERY_NUMBER)
def test_every_number_is_traced_and_not_static(record, name):
    config = base()
    changed = with_another(config, record, name)
    assert changed != config
    assert static_config(changed) == static_config(config)
    mine, theirs = (jax.tree.leaves(traced_config(c)) for c in (config, changed))
    assert any((a != b).any() for a, b in zip(mine, theirs, strict=True))


def test_all_else_is_static():
    config = base()
    static = static_config(config)
    records = set(TracedConfig._fields)
    assert records < {field.name for field in dataclasses.fields(config)}
    for field in dataclasses.fields(config):
        if field.name not in records | {"seed"}:
            assert getattr(static, field.name) == getattr(config, field.name)


@pytest.mark.parametrize(
    "change",
    [
        {"partner_schedule": PartnerSchedule(epsilon=(0.1,), solo=(0.25, 0.5), solo_steps=(0.0, 100.0))},
        {"partner_schedule": PartnerSchedule(epsilon=(0.1, 0.2))},
        {"stages": Stages()},
        {"stages": Stages(penalties=(0.5, 1.5), steps=(10.0,))},
    ],
)
def test_how_many_numbers_there_are_is_static(change):
    assert static_config(base(**change)) != static_config(base())


def test_a_stage_may_lack_an_end_by_return_or_by_steps():
    for end in ({"returns": ()}, {"steps": ()}):
        config = base(stages=base().stages._replace(**end))
        assert static_config(config) == static_config(base())
        assert jax.tree.structure(traced_config(config)) == jax.tree.structure(traced_config(base()))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"sizes": dataclasses.replace(base().sizes, segments=4)}, "sizes="),
        ({"partners": ("random", "expert")}, "partners=.*random"),
        ({"partner_schedule": PartnerSchedule(epsilon=(0.5,))}, "partner_schedule="),
        ({"world": make_scenario("goal_cycle", clutter=3)}, "world="),
        ({"total_steps": 7}, "total_steps=375000000 and 7"),
    ],
)
def test_configs_that_differ_in_more_than_numbers_are_refused(change, named):
    with pytest.raises(ValueError, match=f"{named}.*in numbers only; make a program of each"):
        make_program([base(), base(**change)])


def test_a_jax_that_stops_at_nan_is_refused():
    with jax.debug_nans(True):
        with pytest.raises(ValueError, match="JAX_DEBUG_NANS=0"):
            make_program(base())
        with pytest.raises(ValueError, match="JAX_DEBUG_NANS=0"):
            jaxsocial.make_train(base())


# Two learners in one world, and a teacher


def test_two_learners_have_their_own_networks_and_learn_separately(partners_run, together):
    first, last = (partners_run.parameters[n]["policy"]["last"]["kernel"][0] for n in (1, ITERATIONS))
    assert first.shape[0] == 2
    assert np.abs(first[0] - first[1]).max() > 1e-3
    assert (np.abs(last - first).max((1, 2)) > 1e-5).all()
    # Each observes the world from its own position.
    image = together.after.learner.rollout_state.observation.image
    assert (image[:, :, 0] != image[:, :, 1]).any()
    loss = together.metrics["value_loss"][SEED_3]
    assert (loss[:, 0] != loss[:, 1]).all()


@pytest.mark.slow
def test_one_learner_s_gradient_does_not_depend_on_the_other(partners_run):
    """With another network of the second learner, the first still learns the same from what it observed."""
    config = settings(partners_run.folder)[1]
    config = dataclasses.replace(config, partners=("random",), partner_schedule=PartnerSchedule())
    made = make_program(config)
    with jax.debug_key_reuse(False):
        members = made.begin()
        # In the first iteration, observations do not depend on the second learner's value head.
        value = members.learner.parameters["value"]["last"]["kernel"]
        members.learner.parameters["value"]["last"]["kernel"] = value.at[:, 1].multiply(3.0)
        changed = host(made.chunk(members, 1)[0].learner.parameters)
        plain = host(made.chunk(made.begin(), 1)[0].learner.parameters)
    mine, theirs = (jax.tree.map(lambda x, n=n: x[:, n], (plain, changed)) for n in (0, 1))
    chex.assert_trees_all_equal(*mine)
    assert np.abs(theirs[0]["memory"]["lstm"]["recurrent"] - theirs[1]["memory"]["lstm"]["recurrent"]).max() > 1e-5


@pytest.mark.slow
def test_a_run_of_two_learners_is_evaluated_and_resumes(partners_run, tmp_path, capsys):
    folder = tmp_path / "two"
    assert runs.train(folder, *PARTNERS, "--total-steps", "128") == 0
    players = [result["player"] for result in json.loads((folder / "evaluation.json").read_text())]
    assert players == ["learner 0", "learner 1", "expert", "learner 0, alone", "learner 1, alone", "untrained learner"]
    assert runs.command("train", "--resume", str(folder), "--total-steps", "320") == 0
    whole = metrics.read(partners_run.folder / "metrics.jsonl")
    assert metrics.read(folder / "metrics.jsonl") == whole
    config = config_of(folder)
    chex.assert_trees_all_equal(
        checkpoint.restore_parameters(folder, config)[0], partners_run.parameters[ITERATIONS], strict=False
    )
    assert runs.command("evaluate", str(folder), "--episodes", "4") == 0
    said = capsys.readouterr().out
    assert "learner 0" in said
    assert "learner 1" in said


@pytest.mark.slow
def test_one_of_two_learners_can_be_a_partner(partners_run, tmp_path):
    folder = tmp_path / "beside"
    partners = (f"run:{partners_run.folder}#3.1", f"run:{partners_run.folder}@128")
    assert runs.train(folder, "--partners", *partners, "--total-steps", "64") == 0
    players = [result["player"] for result in json.loads((folder / "evaluation.json").read_text())]
    pinned = (f"run:{partners_run.folder}@{64 * ITERATIONS}#3.1", partners[1])
    assert players == ["learner", *pinned, "learner, alone", "untrained learner"]


@pytest.mark.slow
def test_a_learner_imitates_its_teacher_and_then_acts_itself(tmp_path):
    folder = tmp_path / "imitating"
    options = """
        --preset quickstart-solo --teacher expert --world.goals 3 --world.max-steps 16 --coefficients.learning-rate 3e-3
        --rules.penalty 1
        --sizes.worlds 16 --sizes.minibatches 8 --sizes.segments 16 --sizes.refresh-interval 8
        --network.dense 32 --network.memory 32 --network.heads 32
        --total-steps 38400 --log-steps 128 --checkpoint-steps 38400
    """
    assert runs.train(folder, *shlex.split(options)) == 0
    rows = metrics.read(folder / "metrics.jsonl")
    agreement, loss = ([row[name] for row in rows] for name in ("agreement", "imitation_loss"))
    assert np.mean(agreement[-30:]) > max(agreement[0] + 0.2, 0.75)
    assert np.mean(loss[-30:]) < 0.5 * loss[0]
    assert "policy_loss" not in rows[0]
    # In training the teacher acts. It knows the order of the goals from the start.
    ended = [row for row in rows if row["episodes"]]
    assert len(ended) == len(rows) / 2
    assert all(row["solo_goals"] > 10 * row["solo_penalties"] for row in ended)
    results = {r["player"]: r["return"] for r in json.loads((folder / "evaluation.json").read_text())}
    assert results["untrained learner"]["high"] < 0.5 * np.mean([row["solo_return"] for row in ended])
    assert results["learner"]["mean"] > results["untrained learner"]["high"]


@pytest.mark.parametrize(
    ("preset", "shared_by", "expected"), [("quickstart", 1, 1), ("quickstart", 4, 5), ("paper", 1, 1)]
)
def test_members_in_one_vmap_have_so_many_rows_in_all(preset, shared_by, expected):
    config = presets.preset(preset)
    member_setup = member.MemberSetup(config, None, config.sizes.worlds // shared_by)  # pyright: ignore[reportArgumentType]
    assert member.members_at_once(member_setup) == expected
