"""A figure small enough for tests: an expert, and two learners beside it that train in one program."""

import dataclasses
import io
from typing import NamedTuple

import jax
import pytest
from rich.console import Console

from jaxsocial.cli.main import main
from jaxsocial.config.config import Config, RulesConfig
from jaxsocial.config.presets import alone, preset
from jaxsocial.env.settings import changed
from jaxsocial.reproduce import command, conditions, plots, progress, train
from jaxsocial.reproduce.claims import above
from jaxsocial.reproduce.conditions import Scale
from jaxsocial.reproduce.figures import Condition, Figure, Row, Trained

EPISODES = 16


def tiny_config() -> Config:
    quick = preset("quickstart")
    sizes = {"worlds": 8, "steps": 8, "minibatches": 2, "segments": 4, "segment_length": 4, "refresh_interval": 1}
    return dataclasses.replace(
        quick,
        world=changed(quick.world, height=6, width=7, goals=8, max_steps=8, view_size=3, view_offset=1, agents=2),
        network=dataclasses.replace(quick.network, channels=(4,), dense=8, memory=8, heads=(8,)),
        sizes=dataclasses.replace(quick.sizes, **sizes),
        # So fast that what is learned shows.
        coefficients=quick.coefficients._replace(learning_rate=0.02),
        partners=("expert",),
        seeds=2,
        total_steps=2 * 64,
        log_steps=64,
        checkpoint_steps=128,
    )


def tiny_scale(**changes) -> Scale:
    config = dataclasses.replace(tiny_config(), **changes)
    expert = Condition("expert", dataclasses.replace(alone(config), keep_every=1))
    players = (Trained(expert, 1),)
    return Scale("tiny", config, players, players, (), {}, EPISODES)


def tiny_figure(scale: Scale) -> Figure:
    """Two prices beside an expert, of which one is measured alone too."""
    own = conditions.social(scale, "none", name="own")
    dear = dataclasses.replace(own, name="dear", config=dataclasses.replace(own.config, rules=RulesConfig(penalty=2.0)))
    rows = (
        Row("own", own, "", above(-9.0), episode=True),
        Row("own, alone", own, alone=True),
        Row("expert", own, of_partners=True),
        Row("dear", dear, measure="penalties"),
        *(Row(f"{player.condition.name} alone", player.condition) for player in scale.experts),
    )
    return Figure("tiny", "A tiny figure", rows, draw)


def draw(found, picture):
    plots.dots(picture.subplots(), found, ["own"])


class Made(NamedTuple):
    """A figure that was made, and how."""

    figure: Figure
    scale: Scale
    places: command.Places
    found: command.Findings
    programs: list[int]
    """Of how many configs each program was made that trained something."""
    said: str


def make(folder, scale=None, one_chunk=False, **options) -> Made:
    """Makes the tiny figure, in a folder that may hold some of it; or only its next chunk."""
    scale = scale or tiny_scale()
    figure, places = tiny_figure(scale), command.Places(folder / "runs", folder / "results")
    programs, console = [], Console(file=io.StringIO(), width=200)

    def counted(configs, devices):
        programs.append(len(configs))
        return made(configs, devices)

    made = train.make_program
    with pytest.MonkeyPatch.context() as patch, jax.debug_key_reuse(False):
        patch.setattr(train, "make_program", counted)
        if one_chunk:
            patch.setattr(progress.Watch, "__call__", lambda self, group, chunk: chunk is not None)
        found = command.reproduce(tiny_figure, scale, places, console, **options)
    return Made(figure, scale, places, found, programs, console.file.getvalue())


def run(*arguments: str) -> int:
    """One command's exit status."""
    with jax.debug_key_reuse(False):
        return main(list(arguments))


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Made:
    """The tiny figure, made at one go."""
    return make(tmp_path_factory.mktemp("figure"))
