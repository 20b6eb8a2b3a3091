"""Benchmarks: that they time and count what they say."""

import json
from typing import NamedTuple

import jax
import jax.numpy as jnp
import pytest

import jaxsocial
from benchmarks import machine, play, rivals, train, world
from jaxsocial.config.presets import preset

STEPS = 7
SCENARIO = jaxsocial.make_scenario("goal_cycle", height=5, width=5, agents=2, goals=1, view_size=3, max_steps=5)


class Count(NamedTuple):
    """A world that counts its steps and pays 1 to each of its agents for each."""

    state: jax.Array
    observation: jax.Array
    reward: jax.Array


def counting_game():
    def reset(key):
        return Count(jnp.int32(0), jnp.zeros((3, 4), jnp.uint8), jnp.zeros(2))

    def step(key, world, actions):
        return Count(world.state + 1, world.observation + 1, jnp.ones_like(actions, jnp.float32))

    return play.Game("count", reset, step, actions=7, action_shape=(2,))


def test_all_steps_of_all_worlds_are_played():
    worlds, total = play.play(counting_game(), 4, STEPS, jax.random.key(0))
    assert worlds.state.tolist() == [STEPS] * 4
    assert (worlds.observation == STEPS).all()
    assert total == 2 * 4 * STEPS


def test_a_figure_tells_what_ran():
    (figure,) = play.measured([play.compiled(counting_game(), worlds=4, steps=STEPS)], runs=2)
    seconds = sum(figure.run_seconds) / 2
    assert len(figure.run_seconds) == 2
    assert figure.agent_steps_per_second == pytest.approx(2 * 4 * STEPS / seconds)
    assert figure.bytes_per_second == pytest.approx((12 + 2 * 4) * 4 * STEPS / seconds)
    assert figure.observation == "(3, 4) uint8"
    assert figure.memory_bytes >= 4 * (12 + 4)


def test_our_worlds_restart_and_are_observed_as_they_come_out():
    worlds, _ = play.compiled(play.our_game(SCENARIO, STEPS), 16, STEPS).run(jax.random.key(0))
    assert (worlds.state.clock == STEPS - SCENARIO.max_steps).all()
    image = jax.jit(jax.vmap(jaxsocial.make_env(SCENARIO).reset_to))(worlds.state)[1].observation.image
    assert (worlds.observation.image == image).all()


def test_staggered_worlds_begin_at_all_times_of_an_episode_which_is_no_longer_than_the_run():
    game = play.our_game(SCENARIO, steps=3, staggered=True)
    clock = jax.jit(jax.vmap(game.reset))(jax.random.split(jax.random.key(0), 64)).state.clock
    assert set(clock.tolist()) == {0, 1, 2}


def test_every_contest_has_its_contestants():
    names = {game.name for game in rivals.contestants(STEPS)}
    assert {pair.ours for pair in rivals.CONTESTS} <= names
    installed = [pair.rival for pair in rivals.CONTESTS if pair.rival.split()[0] not in rivals.missing()]
    assert set(installed) <= names


def test_the_command_writes_its_figures(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(world, "our_game", lambda scenario, steps: counting_game())
    out = tmp_path / "world.json"
    sizes = ["--worlds", "2", "--steps", "2", "--runs", "1", "--copy-bytes", "4096"]
    world.main(["--part", "agents", "--agents", "2", *sizes, "--out", str(out)])
    record = json.loads(out.read_text())
    assert {"date", "command", "processor", "versions", "copy_bytes_per_second"} <= record.keys()
    (figure,) = record["parts"]["agents"]
    assert (figure["agents"], figure["worlds"], figure["steps"], figure["relative_cost"]) == (2, 2, 2, 1)
    assert "agent-steps/s" in capsys.readouterr().out


def test_a_copy_is_timed():
    assert machine.copy_rate(bytes_held=4096, repeats=2, runs=1) > 0


def test_products_of_an_iteration_are_counted_as_on_paper():
    """2.55 MFLOP a frame forward, 1.90 for the predicted one; a backward pass takes two for each of the forward one."""
    played, fitted = 128 * 250, 20 * 512 * 16
    expected = played * (1 + 10) * 2.55e6 + 3 * fitted * (2.55e6 + 1.90e6)
    assert train._operations(preset("paper")) == pytest.approx(expected, rel=0.005)
    assert train._operations(preset("paper-vanilla")) == pytest.approx(expected - 3 * fitted * 1.90e6, rel=0.005)
