"""A figure small enough for tests: an expert, and two learners beside it that train in one program."""

import contextlib
import dataclasses
import io
import math
from typing import NamedTuple

import jax
import pytest
from rich.console import Console

from jaxsocial.config.config import Config, RulesConfig
from jaxsocial.config.presets import alone, preset
from jaxsocial.env.settings import changed
from jaxsocial.reproduce import command, conditions, plots, train
from jaxsocial.reproduce.claims import above
from jaxsocial.reproduce.conditions import Scale
from jaxsocial.reproduce.figures import Condition, Figure, Findings, Row, TrainedPlayer
from jaxsocial.reproduce.store import Record, read_records

EPISODES = 16


def tiny_config() -> Config:
    quick = preset("quickstart")
    sizes = {"worlds": 8, "steps": 8, "minibatches": 2, "segments": 4, "segment_length": 4, "refresh_interval": 1}
    sizes |= {"prediction": "none"}
    return dataclasses.replace(
        quick,
        world=changed(quick.world, height=6, width=7, goals=8, max_steps=8, view_size=3, view_offset=1, agents=2),
        network=dataclasses.replace(quick.network, channels=(4,), dense=8, memory=8, heads=(8,)),
        sizes=dataclasses.replace(quick.sizes, **sizes),
        # So large that learning shows in two updates.
        coefficients=quick.coefficients._replace(learning_rate=0.02),
        partners=("expert",),
        rules=RulesConfig(penalty=1.5, prestige_scale=1.0),
        seeds=2,
        total_steps=2 * 64,
        log_steps=64,
        checkpoint_steps=128,
    )


def tiny_scale(**changes) -> Scale:
    config = dataclasses.replace(tiny_config(), **changes)
    expert = Condition("expert", dataclasses.replace(alone(config), keep_every=1))
    players = (TrainedPlayer(expert, 1),)
    return Scale("tiny", config, players, players, (), {}, EPISODES)


def tiny_figure(scale: Scale) -> Figure:
    """Two penalties beside an expert; one of them is also tested alone."""
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
    found: Findings
    programs: list[int]
    """The number of configs of each program that trained something."""
    said: str

    @property
    def folder(self):
        return self.places.results / "tiny"

    @property
    def records(self) -> dict[str, Record]:
        return {record.condition: record for record in read_records(self.places.records)}


def make(folder, scale=None, one_chunk=False, **options) -> Made:
    """Makes the tiny figure in this process, in a folder that may hold some of it; or trains only its next chunk."""
    scale = scale or tiny_scale()
    figure, places = tiny_figure(scale), command.Places(folder / "runs", folder / "results")
    programs, console = [], Console(file=io.StringIO(), width=200)

    def counted(configs):
        programs.append(len(configs))
        return made(configs)

    @contextlib.contextmanager
    def stop_after_a_chunk():
        yield iter([False, *[True] * 9]).__next__

    made = train.make_program
    with pytest.MonkeyPatch.context() as patch, jax.debug_key_reuse(False):
        patch.setattr(train, "make_program", counted)
        patch.setattr(train, "make_executor", in_this_process)
        if one_chunk:
            patch.setattr(train, "stop_requests", stop_after_a_chunk)
        found = command.reproduce(tiny_figure, scale, places, console, **options)
    return Made(figure, scale, places, found, programs, console.file.getvalue())


def in_this_process(deadline=math.inf) -> train.Executor:
    """The executor for accelerators, on a CPU: no test of it waits for a process to start."""
    return train.Executor(lambda folders, more: train._in_this_process(folders, more, deadline))


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Made:
    """The tiny figure, made without a stop."""
    return make(tmp_path_factory.mktemp("figure"))
