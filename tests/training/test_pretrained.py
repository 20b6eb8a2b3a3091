"""Networks of earlier runs: their names, as initial networks, kept checkpoints, and as partners."""

import contextlib
import dataclasses
import functools
import shutil
from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsocial
from jaxsocial.cli.parsing import parse
from jaxsocial.config.network import network_of
from jaxsocial.env.scenario import View
from jaxsocial.evaluate.episodes import episode_player
from jaxsocial.training import checkpoint, pretrained
from jaxsocial.training.build import make_agent_setup
from jaxsocial.training.folder import config_of
from jaxsocial.training.pretrained import Source, begin_with, source_of
from jaxsocial.training.program import make_program
from tests import runs


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("runs/a", Source(Path("runs/a"))),
        ("runs/a@2_000", Source(Path("runs/a"), steps=2000)),
        ("runs/a#4", Source(Path("runs/a"), seed=4)),
        ("runs/a@64#0.1", Source(Path("runs/a"), 64, 0, 1)),
        ("/runs/2026.1/a#12.0", Source(Path("/runs/2026.1/a"), seed=12)),
        ("me@home/runs/a@64", Source(Path("me@home/runs/a"), steps=64)),
        # Anything but a number belongs to the name.
        ("runs/a@last", Source(Path("runs/a@last"))),
        ("runs/a@_", Source(Path("runs/a@_"))),
        ("runs/a#4@64", Source(Path("runs/a#4"), steps=64)),
        ("runs/a.1", Source(Path("runs/a.1"))),
        ("runs/a#each", Source(Path("runs/a"), each=True)),
        ("runs/a@64#each.1", Source(Path("runs/a"), 64, learner=1, each=True)),
        ("runs/each", Source(Path("runs/each"))),
    ],
)
def test_a_source_is_a_folder_steps_a_seed_and_a_learner(text, source):
    assert source_of(text, may_be_each=True) == source


@pytest.mark.parametrize("text", ["runs/a#each", "runs/a@64#each.1"])
def test_one_network_is_wanted_in_most_places(text):
    with pytest.raises(ValueError, match="gives each seed of a run its own partner: name one by #SEED"):
        source_of(text)


def test_a_folder_s_own_name_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("we#1", "we@64"):
        (tmp_path / name).mkdir()
        assert source_of(name) == Source(Path(name))
        shutil.copy(Path(__file__).parent / "version_1" / "config.json", name)
        assert source_of(pretrained.pinned(name)) == Source(tmp_path / name)
    assert source_of("we#1#3") == Source(Path("we#1"), seed=3)


@pytest.mark.parametrize("text", ["", "@64", "#3", "@64#3.1"])
def test_a_source_names_a_folder(text):
    with pytest.raises(ValueError, match="names no run: write FOLDER, FOLDER@STEPS or FOLDER#SEED"):
        source_of(text)


@pytest.fixture(scope="module")
def begun(finished_run):
    """Members of a program that begins with a run's two networks, and those networks."""
    config = dataclasses.replace(config_of(finished_run), seed=8, start_from=str(finished_run))
    with jax.debug_key_reuse(False):
        members = make_program(config).begin()
    return members, checkpoint.restore_parameters(finished_run, config)[0]


def counts(members):
    return [leaf for name, leaf in checkpoint.flat(members.learner.optimiser_state).items() if "count" in name]


def test_each_learner_begins_with_one_network_of_the_run(begun):
    members, networks = begun
    chex.assert_trees_all_equal(members.learner.parameters, networks)
    assert all((count == 0).all() for count in counts(members))
    assert (members.learner.iteration == 0).all()


def test_the_optimiser_s_state_is_loaded_if_asked_for(begun, finished_run):
    members, networks = begun
    kept = begin_with(str(finished_run), members, [of_seeds(finished_run, 8, 2)], keep_optimiser=True)
    chex.assert_trees_all_equal(kept.learner.parameters, networks)
    # Four iterations of two minibatches; a stop by the KL divergence may have left out some.
    assert all(((count > 0) & (count <= 8)).all() for count in counts(kept))
    moments = jax.tree.leaves(kept.learner.optimiser_state)
    assert any((leaf[0] != leaf[1]).any() for leaf in moments)
    chex.assert_trees_all_equal(kept.learner.rollout_state.state, members.learner.rollout_state.state)


def test_one_seed_serves_all_members(begun, finished_run):
    members, networks = begun
    # For any number of members, though the run has two seeds.
    for seed, index, count in ((3, 0, 2), (4, 1, 5)):
        config = of_seeds(finished_run, 8, count)
        started = begin_with(f"{finished_run}#{seed}", widened(members, count), [config], keep_optimiser=seed == 4)
        assert len(started.learner.parameters["encoder"]["dense"]["bias"]) == count
        for member in range(count):
            chex.assert_trees_all_equal(*_one(started.learner.parameters, member, networks, index))


@pytest.mark.parametrize(
    ("seeds", "places"),
    [([(4, 1), (3, 1), (4, 1)], [1, 0, 1]), ([(0, 2), (8, 2)], [0, 1, 0, 1]), ([(3, 2), (4, 1)], [0, 1, 1])],
)
def test_configs_that_train_together_begin_with_the_networks_of_their_seeds(begun, finished_run, seeds, places):
    members, networks = begun
    configs = [of_seeds(finished_run, *of_one) for of_one in seeds]
    started = begin_with(str(finished_run), widened(members, len(places)), configs, keep_optimiser=False)
    chex.assert_trees_all_equal(started.learner.parameters, jax.tree.map(lambda x: x[np.array(places)], networks))


def of_seeds(folder, first, count):
    return dataclasses.replace(config_of(folder), seed=first, seeds=count)


def _one(tree, index, other, other_index):
    return jax.tree.map(lambda x: x[index], tree), jax.tree.map(lambda x: x[other_index], other)


def widened(members, count):
    """``count`` copies of the first member."""
    with jax.debug_key_reuse(False):
        return jax.tree.map(lambda x: jnp.repeat(x[:1], count, axis=0), members)


def test_an_earlier_checkpoint_is_begun_with(partners_run):
    source, config = source_of(f"{partners_run.folder}@128"), config_of(partners_run.folder)
    found, iteration = checkpoint.restore_parameters(source.folder, config, source.steps)
    assert iteration == 2
    chex.assert_trees_all_equal(found, partners_run.parameters[2])
    later = partners_run.parameters[5]["memory"]["lstm"]["recurrent"]
    assert (np.asarray(found["memory"]["lstm"]["recurrent"]) != later).any()


def test_networks_that_do_not_fit_are_refused(begun, finished_run, partners_run):
    members, _ = begun
    for first, count in ((3, 3), (2, 1), (5, 1)):
        remedy = f"has seeds 3 to 4, and not all of {first} to {first + count - 1}: name one by #SEED, or train as many"
        with pytest.raises(ValueError, match=remedy):
            begin_with(str(finished_run), widened(members, count), [of_seeds(finished_run, first, count)], False)
    refused = functools.partial(begin_with, members=members, configs=[of_seeds(finished_run, 8, 2)])
    for seed in (2, 5):
        with pytest.raises(ValueError, match=f"seed={seed} was not trained in .*: choose 3 to 4"):
            refused(f"{finished_run}#{seed}", keep_optimiser=False)
    with pytest.raises(ValueError, match=r"all learners of a world continue, leave \.1 out"):
        refused(f"{finished_run}#3.1", keep_optimiser=False)
    with pytest.raises(ValueError, match="networks differ: choose the network and prediction that it has"):
        refused(str(partners_run.folder), keep_optimiser=False)
    with pytest.raises(ValueError, match="no checkpoint @64: choose from @"):
        refused(f"{finished_run}@64", keep_optimiser=False)


@pytest.mark.slow
def test_a_network_of_other_layers_is_refused_before_anything_is_written(finished_run, tmp_path, capsys):
    folder = tmp_path / "other"
    assert runs.train(folder, "--network.memory", "4", "--start-from", str(finished_run)) == 2
    assert "choose the network and prediction that it has" in capsys.readouterr().err
    assert not folder.exists()


# Kept checkpoints, and their networks as partners


def test_some_checkpoints_are_kept_for_good(partners_run):
    # Every second one, and the last two.
    kept = {int(path.name) for path in (partners_run.folder / "checkpoints").iterdir() if path.name.isdigit()}
    assert kept == {2, 4, 5}


def test_a_kept_checkpoint_is_loaded_by_its_steps(partners_run):
    for steps, iteration in ((128, 2), (256, 4), (None, 5)):
        for learner in (0, 1):
            loaded = pretrained.load_policy(partners_run.folder, steps=steps, learner=learner)
            own = jax.tree.map(lambda x, n=learner: x[0, n], partners_run.parameters[iteration])
            chex.assert_trees_all_equal(loaded.parameters, own)


def test_a_partner_has_the_weights_that_its_name_means(partners_run):
    names = tuple(f"run:{partners_run.folder}{which}" for which in ("@128#3.1", "@256", ""))
    config = parse(["train", *runs.TINY, "--world.goals", "8", "--world.agents", "4", "--partners", *names]).config
    seated = make_agent_setup(config).partners.parameters
    for name, iteration, learner in zip(names, (2, 4, 5), (1, 0, 0), strict=True):
        own = jax.tree.map(lambda x, n=learner: x[0, n], partners_run.parameters[iteration])
        chex.assert_trees_all_equal(seated.parameters[name], own)


@pytest.mark.parametrize(
    ("which", "said"),
    [("", "@320"), ("@128", "@128"), ("#3.1", "@320#3.1"), ("@256#3", "@256#3.0"), ("#each.1", "@320#each.1")],
)
def test_a_pinned_name_has_folder_steps_and_learner(partners_run, which, said, monkeypatch):
    monkeypatch.chdir(partners_run.folder.parent)
    name = partners_run.folder.name
    assert pretrained.pinned(f"{name}{which}") == f"{partners_run.folder.resolve()}{said}"
    assert pretrained.pinned(f"nowhere{which}").startswith(str(partners_run.folder.parent.resolve()))


@pytest.mark.parametrize(
    ("which", "remedy"),
    [
        ("@192", "no checkpoint @192: choose from @128, @256, @320"),
        ("#4", "seed=4 was not trained in .*: choose 3 to 3"),
        ("#3.2", "learner=2 was not trained in .*: choose 0 to 1"),
    ],
)
def test_a_network_that_was_not_kept_or_trained_is_refused(partners_run, which, remedy):
    config = parse(["train", *runs.TINY, "--partners", f"run:{partners_run.folder}{which}", "expert"]).config
    with pytest.raises(ValueError, match=remedy):
        make_agent_setup(config)


def test_a_partner_trained_for_other_actions_is_refused(finished_run):
    config = parse(["train", *runs.TINY, "--world.actions", "7", "--partners", f"run:{finished_run}", "expert"]).config
    with pytest.raises(ValueError, match=r"was trained for images .* 3 actions, .*: choose a run of a world with"):
        make_agent_setup(config)


def test_a_partner_trained_with_a_view_for_each_agent_fits_another_number_of_agents(monkeypatch):
    config = parse(["train", *runs.TINY]).config
    views = (View(size=5, tile_pixels=2),) * config.world.agents
    trained = dataclasses.replace(config, world=dataclasses.replace(config.world, views=views))
    loaded = pretrained.LoadedPolicy(network_of(trained), {}, trained)
    monkeypatch.setattr(pretrained, "load_policy", lambda *source: loaded)
    for agents in (2, 4):
        policy = pretrained.frozen_player("run")((1,), dataclasses.replace(config.world, agents=agents))
        assert policy.observe is not None


def beside_each(run, *options):
    return parse(["train", *runs.TINY, "--seeds", "2", "--partners", f"run:{run}#each", "random", *options]).config


@contextlib.contextmanager
def deciding():
    """Partners act by large numbers: those that were hardly trained all act nearly at random, and so alike."""
    restore = pretrained.restore_parameters

    def larger(*arguments):
        parameters, iteration = restore(*arguments)
        return jax.tree.map(lambda x: 10 * x, parameters), iteration

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pretrained, "restore_parameters", larger)
        yield


@pytest.fixture
def decided():
    with deciding():
        yield


@pytest.fixture(scope="module")
def beside_run(finished_run, tmp_path_factory):
    """A run of one iteration. As many seeds as the partner's run: they are paired in order, 7 with 3 and 8 with 4."""
    folder = tmp_path_factory.mktemp("runs") / "beside"
    options = ("--partners", f"run:{finished_run}#each", "random", "--seed", "7", "--seeds", "2")
    with deciding():
        assert runs.train(folder, *options, "--total-steps", str(runs.ITERATION)) == 0
    return folder


def test_each_seed_trains_beside_its_own_network(finished_run, beside_run, decided):
    both = beside_each(finished_run, "--seed", "7")
    one = [dataclasses.replace(pretrained.with_partners_of(both, seed), seed=seed, seeds=1) for seed in (7, 8)]
    assert [config.partners[0] for config in one] == [f"run:{finished_run}#3", f"run:{finished_run}#4"]

    def trained(config):
        program = make_program(config)
        return jax.device_get(program.chunk(program.begin(), 1)[0].learner.parameters)

    together = runs.parameters_of(beside_run)
    with jax.debug_key_reuse(False):
        apart = [trained(config) for config in one]
        # The other seed's partner makes a difference.
        other = trained(dataclasses.replace(one[1], partners=one[0].partners))
    second = jax.tree.map(lambda x: x[1:], together)
    chex.assert_trees_all_close(jax.tree.map(lambda x: x[:1], together), apart[0], rtol=1e-4, atol=1e-6)
    chex.assert_trees_all_close(second, apart[1], rtol=1e-4, atol=1e-6)
    with pytest.raises(AssertionError):
        chex.assert_trees_all_close(second, other, rtol=1e-4, atol=1e-6)


def test_each_seed_is_evaluated_beside_the_network_of_the_same_seed(finished_run, decided):
    both = beside_each(finished_run, "--seed", "3")
    parameters, _ = checkpoint.restore_parameters(finished_run, config_of(finished_run))
    with jax.debug_key_reuse(False):
        together = episode_player(both, 16)(parameters)
        for index, seed in enumerate((3, 4)):
            config = dataclasses.replace(pretrained.with_partners_of(both, seed), seed=seed, seeds=1)
            own = jax.tree.map(lambda x, n=index: x[n : n + 1], parameters)
            apart = episode_player(config, 16)(own)
            np.testing.assert_allclose(together.reward[index], apart.reward[0], rtol=1e-5)
            np.testing.assert_array_equal(together.goal[index], apart.goal[0])


def test_members_of_several_configs_have_their_own_partners(finished_run):
    first, second = (beside_each(finished_run, "--seed", seed) for seed in ("3", "5"))
    parameters = {f"run:{finished_run}#each": {"x": np.array([3, 4])}, "random": {}}
    found = pretrained.own_partners(parameters, [first, second, dataclasses.replace(first, seed=4, seeds=1)])
    # As many seeds are taken in order; any other number by their own numbers.
    assert {name: own["x"].tolist() for name, own in found.items()} == {f"run:{finished_run}#each": [3, 4, 3, 4, 4]}
    with pytest.raises(ValueError, match="has seeds 3 to 4, and not all of 5 to 5: name one by #SEED"):
        pretrained.own_partners(parameters, [dataclasses.replace(second, seeds=1)])


def test_one_seed_of_a_run_is_drawn_beside_its_own_partner(finished_run, beside_run, tmp_path):
    assert runs.command("render", str(beside_run), "--seed", "8", "--out", str(tmp_path / "page.html")) == 0
    assert runs.command("render", str(beside_run), "--seed", "8", "--out", str(tmp_path / "last.png")) == 0
    assert runs.command("export", f"{beside_run}#8", "--to", "policy", "--out", str(tmp_path / "policy")) == 0
    assert "#4" in config_of(tmp_path / "policy").partners[0]
    assert runs.command("evaluate", str(beside_run), "--probes", "partners") == 0
    with pytest.raises(ValueError, match="make_train knows no seeds"):
        jaxsocial.make_train(config_of(beside_run))
    assert runs.command("play", "--partners", f"run:{finished_run}#each") == 2


@pytest.mark.slow
def test_a_run_that_begins_with_another_s_networks_resumes_without_that_run(finished_run, tmp_path):
    folder, source = tmp_path / "second", shutil.copytree(finished_run, tmp_path / "first")
    options = ("--start-from", f"{source}#4", "--keep-optimiser", "--partners", "absent", "random")
    assert runs.train(folder, *options, "--coefficients.learning-rate", "0", "--total-steps", "64") == 0
    own = checkpoint.restore_parameters(folder, config_of(folder))[0]
    chex.assert_trees_all_equal(
        *_one(own, 0, checkpoint.restore_parameters(finished_run, config_of(finished_run))[0], 1)
    )
    shutil.rmtree(source)
    assert runs.command("train", "--resume", str(folder), "--total-steps", "128") == 0
