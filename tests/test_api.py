"""Runs and training from Python: what is returned, callbacks, policies in a loop of one's own, and pure training."""

import dataclasses
import itertools
import json
import shutil

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsocial
from jaxsocial import api
from jaxsocial.training import checkpoint, folder, metrics, pretrained
from tests import runs

pytestmark = pytest.mark.usefixtures("keys_unchecked")


@pytest.fixture(scope="module")
def run(finished_run):
    return jaxsocial.Run.load(finished_run)


@pytest.mark.slow
def test_a_callback_stops_a_run_that_resumes_as_if_it_had_not(run, tmp_path, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    received = []

    def after_two(rows):
        received.append(rows)
        return rows[0]["step"] == 2 * runs.ITERATION

    stopped = jaxsocial.train(run.config, callbacks=[after_two, lambda rows: None])
    assert [path.parent.name for path in tmp_path.glob("*/*/config.json")] == [stopped.folder.name]
    assert stopped.folder.parent.name == "runs"
    assert (stopped.iteration, stopped.finished) == (2, False)
    assert [row for rows in received for row in rows] == metrics.read(stopped.folder / "metrics.jsonl")
    assert [(row["step"], row["seed"], row["learner"]) for row in received[1]] == [(128, 3, 0), (128, 4, 0)]

    # Resumed as if it had not stopped; what follows training is tested elsewhere.
    monkeypatch.setattr(api, "finish", lambda trained, console: None)
    assert stopped.resume(callbacks=[received.append]) == stopped
    assert [rows[0]["step"] for rows in received] == [64, 128, 192, 256]
    own, theirs = (checkpoint.restore_parameters(each.folder, run.config) for each in (stopped, run))
    chex.assert_trees_all_equal(own, theirs)
    assert capfd.readouterr() == ("", "")


def test_a_run_reads_what_it_has_written(run, finished_run):
    assert (run.config, run.iteration, run.finished) == (folder.config_of(finished_run), 4, True)
    assert pretrained.load_policy(run).config == run.config
    table = run.metrics()
    assert table[["step", "seed", "learner"]].iloc[-1].tolist() == [4 * runs.ITERATION, 4, 0]
    assert len(table) == 4 * 2
    assert table["loss"].dtype == table["solo_return"].dtype == float
    assert table["loss"].tolist() == [row["loss"] for row in metrics.read(finished_run / "metrics.jsonl")]


def test_a_run_without_metrics_yet_has_an_empty_table(run, tmp_path):
    shutil.copy(run.folder / "config.json", tmp_path)
    begun = jaxsocial.Run.load(tmp_path)
    assert list(begun.metrics().columns) == ["step", "seed", "learner"]
    assert (len(begun.metrics()), begun.iteration, begun.finished) == (0, 0, False)
    with pytest.raises(ValueError, match="has no checkpoint yet: let it train for longer"):
        begun.evaluate()


def test_results_are_those_of_the_command_line(run):
    saved = json.loads((run.folder / "evaluation.json").read_text())
    results = run.evaluate(episodes=16)
    assert [(r.player, r.seed, r.return_.mean) for r in results] == [
        (r["player"], r["seed"], pytest.approx(r["return"]["mean"])) for r in saved[:4]
    ]


def test_an_episode_is_drawn(run, tmp_path):
    assert run.render(str(tmp_path / "last.png"), seed=4).read_bytes()[1:4] == b"PNG"


@pytest.mark.parametrize(
    ("wrong", "remedy"),
    [
        (lambda run: jaxsocial.Run.load("nowhere"), "nowhere holds no run: name a folder"),
        (lambda run: jaxsocial.train(run.config, run), "exists: choose another folder, or resume it"),
        (lambda run: run.policy(seed=0), "seed=0 was not trained in .*: choose 3 to 4"),
        (lambda run: run.policy(learner=1), "learner=1 was not trained in .*: choose 0 to 0"),
        (lambda run: run.evaluate(episodes=0), "episodes=0: choose 1 or more"),
        (lambda run: run.probe("partner"), "probe partner: choose from partners, alone"),
        (lambda run: run.render("film.avi"), "film.avi: end the name in .html, .gif or .png"),
        (
            lambda run: jaxsocial.make_train(dataclasses.replace(run.config, start_from="runs/first")),
            "start_from=runs/first: make_train begins untrained, use jaxsocial.train",
        ),
    ],
)
def test_a_refusal_is_one_line_with_the_remedy(run, wrong, remedy):
    with pytest.raises(ValueError, match=remedy) as refusal:
        wrong(run)
    assert "\n" not in str(refusal.value)


@pytest.fixture(scope="module")
def env(run):
    """The run's world, with two agents."""
    return jaxsocial.make_env(dataclasses.replace(run.config.world, agents=2))


def test_policies_act_in_a_loop_of_ones_own(run, env, monkeypatch):
    traced, distribution = [], pretrained.distribution
    monkeypatch.setattr(pretrained, "distribution", lambda logits: traced.append(logits) or distribution(logits))
    pretrained._act.clear_cache()
    policies = [run.policy(seed) for seed in (3, 4)]
    step, (state, timestep) = jax.jit(env.step), jax.jit(env.reset)(jax.random.key(0))
    memories, first = [policy.init() for policy in policies], True
    for number in range(env.scenario.max_steps):
        *keys, env_key = jax.random.split(jax.random.fold_in(jax.random.key(1), number), 3)
        actions = []
        for agent, policy in enumerate(policies):
            observation = jax.tree.map(lambda x, agent=agent: x[agent], timestep.observation)
            memories[agent], action = policy.act(keys[agent], memories[agent], observation, first)
            actions.append(action)
        state, timestep = step(env_key, state, jnp.stack(actions))
        first = bool(timestep.truncated.all())
    assert first, "the episode has ended"
    assert len(traced) == 1, "both policies share one compiled program"


def test_actions_are_drawn_from_the_distribution_of_the_network(run, env):
    policy, draws = run.policy(seed=4), 4000
    _, timestep = jax.jit(env.reset)(jax.random.key(0))
    observation = jax.tree.map(lambda x: x[1], timestep.observation)
    memory, _ = policy.act(jax.random.key(5), policy.init(), observation, True)
    keys = jax.random.split(jax.random.key(1), draws)
    batch, actions = jax.vmap(policy.act, (0, None, None, None))(keys, memory, observation, jnp.bool_(False))
    shares = np.bincount(actions, minlength=env.scenario.actions) / draws

    one = jax.tree.map(lambda x: x[None, None], observation)
    before = jax.tree.map(lambda m: m[None], memory)
    outputs = policy.network.unroll(policy.parameters, before, one, jnp.zeros((1, 1), bool))
    np.testing.assert_allclose(shares, jax.nn.softmax(outputs.logits[0, 0]), atol=4 * 0.5 / np.sqrt(draws))
    np.testing.assert_allclose(batch.cell[0], outputs.after.cell[0, 0], atol=1e-5)
    restarted, _ = policy.act(jax.random.key(5), memory, observation, True)
    np.testing.assert_allclose(restarted.hidden, memory.hidden, atol=1e-6)


@pytest.mark.slow
def test_pure_training_equals_that_of_a_run(run):
    learner, measured = jax.jit(jaxsocial.make_train(run.config))(jax.random.key(4))
    parameters, iterations = checkpoint.restore_parameters(run.folder, run.config)
    own = jax.tree.map(lambda x: x[1], parameters)
    chex.assert_trees_all_close(learner.parameters, own, atol=1e-5)
    table = run.metrics()
    np.testing.assert_allclose(measured["loss"][:, 0], table[table.seed == 4].loss, rtol=1e-3)
    assert measured["loss"].shape == (iterations, 1)


@pytest.mark.slow
def test_numbers_are_traced_and_each_trains_as_if_alone(run):
    config = dataclasses.replace(run.config, world=dataclasses.replace(run.config.world, agents=1), partners=())
    numbers, train, rates = jaxsocial.traced_config(config), jaxsocial.make_train(config), (1e-4, 1e-3, 1e-2)

    def at(key, rate):
        return train(key, numbers._replace(coefficients=numbers.coefficients._replace(learning_rate=rate)))

    learners, measured = jax.jit(jax.vmap(at, (None, 0)))(jax.random.PRNGKey(3), jnp.array(rates))
    assert measured["loss"].shape == (3, 4, 1)
    one = jax.jit(at)
    alone = [one(jax.random.PRNGKey(3), jnp.float32(rate))[0].parameters for rate in rates]
    for index, own in enumerate(alone):
        found = jax.tree.map(lambda x, index=index: x[index], learners.parameters)
        chex.assert_trees_all_close(found, own, atol=1e-4)
    for a, b in itertools.combinations(alone, 2):
        change = jax.tree.map(lambda x, y: jnp.abs(x - y).max(), a, b)
        assert max(jax.tree.leaves(change)) > 1e-3
