"""Each bridge against the tests of the library on its other side. Libraries that are not installed are skipped."""

import dataclasses
import os
import pathlib
import runpy
import sys
import types
import unittest
import warnings
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsocial
from jaxsocial.env.scenarios import marlgrid

SMALL = {"height": 7, "width": 7, "goals": 3, "clutter": 0, "agents": 3, "max_steps": 12}
SCENARIOS = [
    pytest.param(name, marks=() if name in ("goal_cycle", "door_key") else pytest.mark.slow)
    for name in (*jaxsocial.registered_scenarios(), *marlgrid.WORLDS)
]
LATE = {"spawn_delay": (0, 3), "agents": 2}


def small(**sizes):
    return jaxsocial.make("goal_cycle", **(SMALL | sizes))


@pytest.mark.parametrize("name", SCENARIOS)
def test_pettingzoo_accepts_every_scenario(name):
    test = pytest.importorskip("pettingzoo.test")
    from jaxsocial.bridges.pettingzoo import ParallelEnv  # noqa: PLC0415

    env = jaxsocial.make(name)
    test.parallel_api_test(ParallelEnv(env, "rgb_array"), num_cycles=40)
    test.parallel_seed_test(lambda: ParallelEnv(env), num_cycles=10)


def test_pettingzoo_s_agents_enter_late_leave_and_are_drawn():
    pytest.importorskip("pettingzoo")
    from jaxsocial.bridges.pettingzoo import ParallelEnv  # noqa: PLC0415

    env = ParallelEnv(small(**LATE), "rgb_array")
    _, infos = env.reset(seed=1)
    assert [infos[agent]["present"] for agent in env.agents] == [True, False]
    for _ in range(4):
        _, _, _, _, infos = env.step(dict.fromkeys(env.agents, 2))
    assert [infos[agent]["present"] for agent in env.agents] == [True, True]
    assert env.render().shape == (7 * 16, 7 * 16, 3)
    while env.agents:
        _, _, _, truncated, _ = env.step(dict.fromkeys(env.agents, 0))
    assert truncated == {"agent_0": True, "agent_1": True}


@pytest.mark.parametrize("inputs", [(), ("reward", "position", "heading", "last_action", "goal_position", "others")])
def test_gymnasium_accepts_a_learner_among_partners(inputs):
    checker = pytest.importorskip("gymnasium.utils.env_checker")
    from jaxsocial.bridges.gymnasium import LearnerEnv  # noqa: PLC0415

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*(does not have a spec|not having a spec|is probably too).*")
        warnings.filterwarnings("error", message=".*obs returned.*")
        checker.check_env(LearnerEnv(small(inputs=inputs), ("searching_expert",), "rgb_array"))


def test_gymnasium_and_pettingzoo_ask_for_a_reset_first():
    errors = pytest.importorskip("gymnasium.error")
    pytest.importorskip("pettingzoo")
    from jaxsocial.bridges import gymnasium, pettingzoo  # noqa: PLC0415

    with pytest.raises(errors.ResetNeeded):
        gymnasium.LearnerEnv(small(), ("expert",)).step(0)
    with pytest.raises(errors.ResetNeeded):
        gymnasium.LearnerVectorEnv(small(), 2, ("expert",)).step(np.zeros(2))
    with pytest.raises(RuntimeError, match="call reset before step"):
        pettingzoo.ParallelEnv(small()).step({})


def test_gymnasium_s_vector_of_worlds_restarts_in_the_same_step():
    vector = pytest.importorskip("gymnasium.wrappers.vector")
    from jaxsocial.bridges.gymnasium import LearnerVectorEnv  # noqa: PLC0415

    env = vector.RecordEpisodeStatistics(LearnerVectorEnv(small(), 4, ("expert",)))
    first, _ = env.reset(seed=0)
    assert env.observation_space.contains(first)
    lengths, returns, total = [], [], 0.0
    for step in range(1, 13):
        observation, reward, terminated, truncated, infos = env.step(np.full(4, 2))
        total += reward
        assert env.observation_space.contains(observation)
        if step == SMALL["max_steps"]:
            lengths, returns = infos["episode"]["l"], infos["episode"]["r"]
            assert infos["_final_obs"].all()
            assert all(env.single_observation_space.contains(one) for one in infos["final_obs"])
            assert not (np.stack(infos["final_obs"]) == observation).all()
    assert truncated.all()
    assert not terminated.any()
    assert lengths.tolist() == [12] * 4
    np.testing.assert_allclose(returns, total)
    again, _ = env.reset(seed=0)
    assert (again == first).all()


def test_stable_baselines_accepts_a_learner():
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    from jaxsocial.bridges.gymnasium import LearnerEnv  # noqa: PLC0415

    # It warns of pictures of fewer than 36 pixels.
    checker.check_env(LearnerEnv(small(tile_pixels=8), ("expert",), "rgb_array"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the library itself
def test_stable_baselines_trains_ppo():
    library = pytest.importorskip("stable_baselines3")
    from jaxsocial.bridges.gymnasium import LearnerEnv  # noqa: PLC0415

    env = LearnerEnv(small(observation="symbolic"), ("expert",))
    model = library.PPO("MlpPolicy", env, n_steps=512, seed=0, device="cpu").learn(20_000)
    returns = [episode["r"] for episode in model.ep_info_buffer]
    assert model.num_timesteps >= 20_000
    assert np.isfinite(returns).all()


def test_gymnax_restarts_tell_both_flags_and_the_last_observation():
    pytest.importorskip("gymnax")
    from jaxsocial.bridges.gymnax import LearnerEnv  # noqa: PLC0415

    env = LearnerEnv(small(), ("expert",))
    params = env.default_params
    observation, state = jax.jit(env.reset)(jax.random.key(0), params)
    assert env.observation_space(params).contains(observation)

    def one_step(state, key):
        observation, state, _, terminated, truncated, info = env.step(key, state, 2, params)
        return state, (state.time, observation, terminated, truncated, info)

    _, (time, seen, terminated, truncated, info) = jax.jit(
        lambda state: jax.lax.scan(one_step, state, jax.random.split(jax.random.key(1), 13))
    )(state)
    assert time.tolist() == [*range(1, 12), 0, 1]
    assert np.flatnonzero(truncated).tolist() == [11]
    assert not terminated.any()
    assert (info["truncated"] == truncated).all()
    same = (info["final_observation"] == seen).all((-1, -2, -3))
    assert np.flatnonzero(~same).tolist() == [11]


def test_gymnax_s_parameters_are_traced_rules():
    pytest.importorskip("gymnax")
    from jaxsocial.bridges.gymnax import LearnerEnv  # noqa: PLC0415

    def params_of(**rules):
        return env.default_params.replace(rules=jaxsocial.make_rules(world.scenario, **rules))

    world = small()
    env = LearnerEnv(world, ("expert",))
    _, levels = jax.jit(jax.vmap(lambda level: env.reset(jax.random.key(0), params_of(first_level=level, levels=1))))(
        jnp.arange(4)
    )
    grids = np.asarray(levels.game.state.grid)
    assert len(np.unique(grids.reshape(4, -1), axis=0)) == 4
    # After the first goal, the third one is a mistake.
    _, state = env.reset(jax.random.key(0), env.default_params)
    before = state.game.state
    before = before._replace(
        position=before.position.at[0].set(before.goals[2] - jnp.array([0, 1])),
        heading=before.heading.at[0].set(0),
        last_goal=before.last_goal.at[0].set(0),
    )
    state = state.replace(game=state.game._replace(state=before))
    reward = jax.jit(jax.vmap(lambda penalty: env.step(jax.random.key(1), state, 2, params_of(penalty=penalty))[2]))
    np.testing.assert_allclose(reward(jnp.array([0.5, 2.0])), [-0.5, -2.0])


@pytest.mark.slow
def test_rejax_trains_ppo():
    rejax = pytest.importorskip("rejax")
    from jaxsocial.bridges.gymnax import LearnerEnv  # noqa: PLC0415

    env = LearnerEnv(small(observation="symbolic"), ("expert",), done=True)
    algorithm = rejax.PPO.create(
        env=env, env_params=env.default_params, total_timesteps=4096, num_envs=16, num_steps=32, eval_freq=2048
    )
    _, (lengths, returns) = jax.jit(algorithm.train)(jax.random.PRNGKey(0))
    assert (lengths == SMALL["max_steps"]).all()
    assert jnp.isfinite(returns).all()


@pytest.mark.parametrize("auto_reset", [True, False])
def test_stoa_s_wrappers_record_and_restart(auto_reset):
    pytest.importorskip("stoa")
    from stoa.core_wrappers.auto_reset import AutoResetWrapper  # noqa: PLC0415
    from stoa.core_wrappers.episode_metrics import RecordEpisodeMetrics  # noqa: PLC0415
    from stoa.core_wrappers.vmap import VmapWrapper  # noqa: PLC0415

    from jaxsocial.bridges.stoa import LearnerEnv  # noqa: PLC0415

    env = LearnerEnv(small(), ("expert",), auto_reset=auto_reset)
    env = RecordEpisodeMetrics(env if auto_reset else AutoResetWrapper(env, next_obs_in_extras=True))
    env = VmapWrapper(env, num_envs=3)
    # Stoa's wrapper draws from a key that it keeps.
    with jax.debug_key_reuse(auto_reset and jax.config.jax_debug_key_reuse):
        _check_stoa(env)


def _check_stoa(env):
    state, timestep = jax.jit(env.reset)(jax.random.key(0))
    assert timestep.first().all()

    def one_step(state, _):
        state, timestep = env.step(state, jnp.full(3, 2))
        return state, timestep

    _, found = jax.jit(lambda state: jax.lax.scan(one_step, state, None, 13))(state)
    assert np.flatnonzero(found.truncated()[:, 0]).tolist() == [11]
    assert found.extras["episode_metrics"]["episode_length"][11].tolist() == [12] * 3
    same = (found.extras["next_obs"] == found.observation).all((-1, -2, -3))
    assert np.flatnonzero(~same[:, 0]).tolist() == [11]
    assert (found.discount == 1).all()


def test_jaxmarl_s_wrapper_logs_returns_of_whole_episodes():
    wrappers = pytest.importorskip("jaxmarl.wrappers.baselines")
    from jaxsocial.bridges.jaxmarl import ParallelEnv  # noqa: PLC0415

    env = wrappers.LogWrapper(ParallelEnv(small(), flat=True))
    observations, state = jax.jit(env.reset)(jax.random.PRNGKey(0))
    assert set(observations) == {"agent_0", "agent_1", "agent_2"}
    space = env.observation_space("agent_0")
    assert all(one.shape == space.shape for one in observations.values())

    def one_step(state, key):
        actions = {name: jnp.int32(2) for name in env.agents}
        _, state, rewards, dones, infos = env.step(key, state, actions)
        return state, (rewards, dones, infos)

    _, (rewards, dones, infos) = jax.jit(
        lambda state: jax.lax.scan(one_step, state, jax.random.split(jax.random.PRNGKey(1), 13))
    )(state)
    assert np.flatnonzero(dones["__all__"]).tolist() == [11]
    total = np.stack([rewards[name][:12].sum() for name in env.agents])
    np.testing.assert_allclose(infos["returned_episode_returns"][11], total, rtol=1e-5)


def test_jaxmarl_s_infos_have_a_number_for_each_agent():
    pytest.importorskip("jaxmarl")
    from jaxsocial.bridges.jaxmarl import ParallelEnv  # noqa: PLC0415

    def infos(**options):
        env = ParallelEnv(small(), flat=True, **options)
        _, state = env.reset(jax.random.key(0))
        return env.step(jax.random.key(1), state, dict.fromkeys(env.agents, 2))[4]

    # Its baselines reshape all of them so.
    assert all(info.shape == (3,) for info in jax.tree.leaves(infos()))
    assert set(infos(final_observation=True)["final_observation"]) == {"agent_0", "agent_1", "agent_2"}


def test_jaxmarl_s_rollouts_for_centralized_training_restart():
    wrappers = pytest.importorskip("jaxmarl.wrappers.baselines")
    from jaxsocial.bridges.jaxmarl import ParallelEnv  # noqa: PLC0415

    env = ParallelEnv(small(max_steps=2), flat=True)
    rollouts = wrappers.CTRolloutManager(env, batch_size=4)
    observations, states = rollouts.batch_reset(jax.random.PRNGKey(0))
    length = env.observation_space("agent_0").shape[0]
    assert observations["agent_0"].shape == (4, length + 3)  # and the agent's number, one-hot
    assert observations["__all__"].shape == (4, 3 * length)
    actions = dict.fromkeys(env.agents, jnp.full(4, 2))
    ended, total = [], 0.0
    for step in range(3):
        observations, states, rewards, dones, _ = rollouts.batch_step(jax.random.PRNGKey(step), states, actions)
        assert (observations["agent_0"][:, :length] != 0).any() != dones["agent_0"].all()
        ended.append(dones["__all__"].tolist())
        total += rewards["__all__"] - sum(rewards[name] for name in env.agents)
    assert ended == [[False] * 4, [True] * 4, [False] * 4]
    np.testing.assert_allclose(total, 0, atol=1e-6)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the library itself
def test_jaxmarl_s_recurrent_ippo_trains(monkeypatch):
    library = pytest.importorskip("jaxmarl")
    baselines = os.environ.get("JAXMARL_BASELINES")
    if not baselines:
        pytest.skip("JAXMARL_BASELINES names no folder: the library's package has no baselines, its repository has")
    from jaxsocial.bridges.jaxmarl import ParallelEnv  # noqa: PLC0415

    logged = []
    tracker = types.SimpleNamespace(log=lambda values: logged.append(values))
    configuration = types.SimpleNamespace(main=lambda **options: lambda function: function)
    for name, module in {"wandb": tracker, "hydra": configuration, "omegaconf": mock.MagicMock()}.items():
        monkeypatch.setitem(sys.modules, name, module)
    # A solo learner under no penalty earns more the longer it trains.
    world = small(agents=1, observation="symbolic", max_steps=32)
    world = jaxsocial.make_env(world.scenario, jaxsocial.make_rules(world.scenario, penalty=0.0))
    monkeypatch.setattr(library, "make", lambda name: ParallelEnv(world, flat=True))
    program = runpy.run_path(str(pathlib.Path(baselines) / "IPPO" / "ippo_rnn_mpe.py"))
    sizes = {"NUM_ENVS": 64, "NUM_STEPS": 64, "TOTAL_TIMESTEPS": 400_000, "FC_DIM_SIZE": 64, "GRU_HIDDEN_DIM": 64}
    steps = {"LR": 2e-3, "ANNEAL_LR": False, "UPDATE_EPOCHS": 4, "NUM_MINIBATCHES": 2, "MAX_GRAD_NORM": 0.5}
    losses = {"CLIP_EPS": 0.2, "SCALE_CLIP_EPS": False, "ENT_COEF": 0.01, "VF_COEF": 0.5, "GAMMA": 0.99}
    config = {"ENV_NAME": "ours", "GAE_LAMBDA": 0.95, **sizes, **steps, **losses}
    jax.block_until_ready(jax.jit(program["make_train"](config))(jax.random.PRNGKey(0)))
    returns = [float(values["returns"]) for values in logged]
    assert len(returns) == config["NUM_UPDATES"]
    assert np.mean(returns[-5:]) > 1.5 * np.mean(returns[:5])


def test_jaxmarl_restarts_from_a_given_state():
    pytest.importorskip("jaxmarl")
    from jaxsocial.bridges.jaxmarl import ParallelEnv  # noqa: PLC0415

    env = ParallelEnv(small(max_steps=1))
    start, given = env.reset(jax.random.key(0))
    _, state = env.reset(jax.random.key(1))
    actions = dict.fromkeys(env.agents, 2)
    observations, after, *_ = jax.jit(env.step)(jax.random.key(2), state, actions, given)
    assert (after.world.position == given.world.position).all()
    assert all((observations[name] == start[name]).all() for name in env.agents)
    # Also where the world itself does not restart.
    waits = ParallelEnv(dataclasses.replace(small(max_steps=1), auto_reset=False))
    assert (jax.jit(waits.step)(jax.random.key(2), state, actions)[1].world.clock == 0).all()


@pytest.mark.parametrize("inputs", [(), ("reward", "position", "heading", "last_action", "goal_position", "others")])
def test_dm_env_accepts_a_learner(inputs):
    utils = pytest.importorskip("dm_env.test_utils")
    from jaxsocial.bridges.dm_env import LearnerEnv  # noqa: PLC0415

    class Case(utils.EnvironmentTestMixin, unittest.TestCase):
        def make_object_under_test(self):
            return LearnerEnv(small(inputs=inputs), ("expert",))

        def make_action_sequence(self):
            return iter([2, 0, 1] * SMALL["max_steps"])

    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(Case).run(result)
    assert result.testsRun >= 4
    assert [text for _, text in result.errors + result.failures] == []


def test_dm_env_tells_the_end_of_time_by_the_discount():
    dm_env = pytest.importorskip("dm_env")
    from jaxsocial.bridges.dm_env import LearnerEnv  # noqa: PLC0415

    env = LearnerEnv(small(), ("expert",))
    steps = [env.step(0) for _ in range(SMALL["max_steps"] + 2)]
    kinds = [step.step_type for step in steps]
    assert kinds == [dm_env.StepType.FIRST, *[dm_env.StepType.MID] * 11, dm_env.StepType.LAST, dm_env.StepType.FIRST]
    assert steps[-2].discount == 1.0
