"""Networks without the rest of a run: exported, used as a run, and those that come with the package."""

import contextlib
import dataclasses
import json
import re
import tomllib
from pathlib import Path

import chex
import jax
import numpy as np
import pytest

import jaxsocial
from jaxsocial.cli.parsing import parse
from jaxsocial.config.presets import preset
from jaxsocial.training import packaged, pretrained, weights
from jaxsocial.training.build import make_agent_setup
from jaxsocial.training.folder import config_of
from jaxsocial.training.program import make_program
from tests import runs

MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def policy(finished_run, tmp_path_factory):
    """The networks of the second seed of a run."""
    folder = tmp_path_factory.mktemp("policies") / "second"
    assert runs.command("export", f"{finished_run}#4", "--to", "policy", "--out", str(folder)) == 0
    return folder


def test_an_exported_policy_is_the_seed_s_and_says_so(policy, finished_run):
    own, whole = config_of(policy), config_of(finished_run)
    assert own == dataclasses.replace(whole, seed=4, seeds=1)
    assert {path.name for path in policy.iterdir()} == {"config.json", "weights.npz", "run.json"}
    run = jaxsocial.Run.load(policy)
    assert run.iteration == whole.iterations
    chex.assert_trees_all_equal(run.policy().parameters, pretrained.load_policy(finished_run, seed=4).parameters)


def test_an_earlier_checkpoint_is_exported_with_its_length(partners_run, tmp_path):
    pretrained.export_policy(f"{partners_run.folder}@128", tmp_path / "early")
    assert jaxsocial.Run.load(tmp_path / "early").iteration == 2
    found = pretrained.load_learners(tmp_path / "early", steps=128)
    # Both learners of the world.
    chex.assert_trees_all_equal(found, jax.tree.map(lambda x: x[0], partners_run.parameters[2]))
    with pytest.raises(ValueError, match="has no checkpoint @320: choose from @128"):
        pretrained.load_learners(tmp_path / "early", steps=320)


@pytest.mark.parametrize("iteration", [7, 24, 31, 48])
def test_an_exported_config_has_the_iterations_of_its_checkpoint(iteration):
    """Also between two log points, as where a run that was shorter than one was made longer."""
    config = dataclasses.replace(preset("laptop"), log_steps=24 * preset("laptop").iteration_steps)
    assert weights.config_at(config, 3, iteration * config.iteration_steps).iterations == iteration


def test_a_policy_is_a_partner_and_a_beginning(policy, finished_run):
    config = parse(["train", *runs.TINY, "--partners", f"run:{policy}", "expert"]).config
    (seated, _) = make_agent_setup(config).partners.parameters.parameters.values()
    chex.assert_trees_all_equal(seated, pretrained.load_policy(finished_run, seed=4).parameters)
    # One seed serves all.
    begun = dataclasses.replace(config_of(finished_run), seed=8, start_from=str(policy))
    with jax.debug_key_reuse(False):
        members = make_program(begun).begin()
    for member in range(2):
        own = jax.tree.map(lambda x, n=member: x[n, 0], members.learner.parameters)
        chex.assert_trees_all_equal(own, pretrained.load_policy(policy).parameters)
    with pytest.raises(ValueError, match="has no state of the optimiser: leave keep_optimiser out"):
        pretrained.begin_with(str(policy), members, [begun], keep_optimiser=True)


def test_a_policy_is_not_trained_further_in_its_folder(policy, capsys):
    before = {path.name for path in policy.iterdir()}
    assert runs.command("train", "--resume", str(policy), "--total-steps", "1000") == 2
    assert f"{policy} holds weights alone: train further in a new run, --start-from" in capsys.readouterr().err
    assert {path.name for path in policy.iterdir()} == before


def test_what_cannot_be_exported_is_refused(policy, finished_run, tmp_path):
    with pytest.raises(ValueError, match="exists: choose another folder"):
        pretrained.export_policy(str(finished_run), policy)
    with pytest.raises(ValueError, match=r"exported together, leave \.0 out|exported together, leave \.1 out"):
        pretrained.export_policy(f"{finished_run}#3.1", tmp_path / "new")
    with pytest.raises(ValueError, match="seed=5 was not trained in"):
        pretrained.export_policy(f"{finished_run}#5", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_damaged_weights_are_noticed(policy, tmp_path):
    whole = (policy / weights.WEIGHTS).read_bytes()
    shapes = {name: jax.ShapeDtypeStruct(x.shape, x.dtype) for name, x in np.load(policy / weights.WEIGHTS).items()}
    known = weights.read(policy, shapes)
    rng = np.random.default_rng(0)
    for place in (*rng.integers(len(whole), size=60), -1):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        (tmp_path / weights.WEIGHTS).write_bytes(damaged if place >= 0 else whole[: len(whole) // 2])
        # A byte that says nothing about the arrays may go unnoticed.
        with contextlib.suppress(ValueError):
            chex.assert_trees_all_equal(weights.read(tmp_path, shapes), known)
    with pytest.raises(ValueError, match=r"weights\.npz is damaged .*: restore it"):
        weights.read(tmp_path, shapes)  # half of the file


def test_weights_of_another_config_are_refused(policy, tmp_path):
    other = tmp_path / "other"
    config = config_of(policy)
    network = dataclasses.replace(config.network, memory=4)
    found = dict(np.load(policy / weights.WEIGHTS))
    weights.write(other, dataclasses.replace(config, network=network), found)
    with pytest.raises(ValueError, match=r"weights\.npz does not fit .*config\.json: .* differs. Restore both"):
        pretrained.load_policy(other)


# Those of the package


@pytest.mark.parametrize("name", packaged.pretrained_names())
def test_a_learner_of_the_package_loads_and_is_small(name):
    loaded = jaxsocial.load_pretrained(name)
    card = packaged.card_of(name)
    assert (card.name, card.seed, card.steps) == (name, loaded.config.seed, loaded.config.total_steps)
    folder = packaged.run_folder(f"pretrained:{name}")
    assert sum(path.stat().st_size for path in folder.iterdir()) < MEGABYTE
    assert "/" not in json.dumps(card.beside)


def test_there_are_learners_and_a_wheel_contains_them():
    assert {"sociapl", "vanilla"} <= set(jaxsocial.pretrained_names())
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == ["jaxsocial"]


def test_a_learner_of_the_package_is_named_alike_on_every_machine():
    assert pretrained.source_of("pretrained:vanilla") == pretrained.Source(packaged.PACKAGED / "vanilla")
    assert pretrained.pinned("pretrained:vanilla") == "pretrained:vanilla"
    config = parse(["train", "--preset", "laptop", "--partners", "pretrained:sociapl", "expert"]).config
    assert pretrained.with_pinned_runs(config).partners == ("pretrained:sociapl", "expert")
    assert set(make_agent_setup(config).partners.parameters.parameters) == {"pretrained:sociapl", "expert"}


@pytest.mark.parametrize("text", ["pretrained:nobody", "pretrained:", "pretrained:../training"])
def test_another_name_is_refused_with_those_there_are(text):
    with pytest.raises(ValueError, match=re.escape(f"{text} does not come with the package: choose from ")):
        pretrained.source_of(text)
    with pytest.raises(ValueError, match=r"choose from .*sociapl"):
        jaxsocial.Run.load(text)


def test_the_package_s_own_files_stay_as_they_are(capsys):
    before = {path: path.stat().st_mtime_ns for path in packaged.PACKAGED.rglob("*")}
    options = ("--probes", "alone", "--episodes", "2")
    assert runs.command("evaluate", "pretrained:vanilla", *options) == 0
    assert "wrote" not in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in packaged.PACKAGED.rglob("*")} == before


@pytest.mark.slow
@pytest.mark.parametrize("name", packaged.pretrained_names())
def test_a_card_s_returns_are_measured_again(name):
    card, run = packaged.card_of(name), jaxsocial.Run.load(f"pretrained:{name}")
    with jax.debug_key_reuse(False):
        beside = run.evaluate(card.episodes, partners=card.beside)[0]
        alone = run.evaluate(card.episodes, alone=True)[0]
    for place, result in (("beside", beside), ("alone", alone)):
        assert card.returns[place]["low"] <= result.return_.mean <= card.returns[place]["high"]
