"""Pictures of a run: the episode and the learning curve."""

import subprocess
import sys
from types import SimpleNamespace

import imageio.v3 as imageio
import numpy as np

from jaxsocial.evaluate import media
from jaxsocial.training import pretrained
from jaxsocial.training.build import make_agent_setup
from jaxsocial.training.folder import config_of
from tests import runs


def test_the_gif_shows_every_step_and_changes(finished_run):
    frames = imageio.imread(finished_run / "episode.gif")
    assert frames.shape[0] == 9  # the first state and one after each of eight steps
    assert any((frames[0] != frame).any() for frame in frames[1:])


def test_the_gif_shows_world_and_views_in_their_colours(finished_run, tmp_path):
    path = tmp_path / "last.png"
    assert runs.command("render", str(finished_run), "--out", str(path), "--seed", "4") == 0
    pixels = imageio.imread(path).reshape(-1, 3)
    for colour in ((255, 255, 0), (74, 65, 42)):  # goals and walls in views
        assert (pixels == np.array(colour)).all(-1).any()


def test_the_curve_is_a_picture(finished_run):
    assert imageio.imread(finished_run / "learning_curve.png").shape[0] > 300


def test_an_episode_ends_with_the_state_after_its_last_step(finished_run):
    config = config_of(finished_run)
    learners = pretrained.load_learners(finished_run, None)
    last = list(media.moments(config, learners, make_agent_setup(config))(3))[-1]
    assert len(last.returns) == config.world.agents
    assert last.play.state.clock.tolist() == [config.world.max_steps]


def test_the_typical_episode_has_the_median_final_return():
    def episode(number: int):
        for return_ in (99.0 - number, float(3 - number) ** 2):
            yield SimpleNamespace(returns=np.array([return_, 7.0]))

    ends = sorted((3 - number) ** 2 for number in range(media.CANDIDATES))
    assert (3 - media.typical(episode)) ** 2 == ends[media.CANDIDATES // 2]


def test_importing_loads_no_picture_library():
    program = (
        "import sys; import jaxsocial.evaluate.media; "
        "raise SystemExit(not {'matplotlib', 'PIL', 'imageio'}.isdisjoint(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
