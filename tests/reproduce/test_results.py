"""The results in experiments/results: their text is what their records give."""

import functools
import operator
from pathlib import Path

import jaxtyping
import pytest

from jaxsocial.reproduce import command, generations, report, store
from jaxsocial.reproduce.command import CLAIMS, FIGURES, RECORDS
from jaxsocial.reproduce.scales import SCALES, make_scale

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "experiments" / "results"
OF_SCALES = [path.parent for path in sorted(RESULTS.glob(f"*/{RECORDS}")) if path.parent.name in SCALES]
OF_GENERATIONS = [path.parent for path in sorted(RESULTS.glob(f"*/{RECORDS}")) if path.parent.name not in SCALES]


@pytest.fixture(scope="module", autouse=True)
def types_unchecked():
    """Turns off the check of types in calls: it takes nine tenths of the time, and other tests make configs too."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def text_of(make, scale, results, figure):
    """Returns what the records say of a figure, and its table in Markdown."""
    found, _ = command.view(make, scale, store.read_records(results / RECORDS))
    pictures = {path.name for path in (results / figure.name).glob("*.gif")}
    return found, report.markdown(figure, found, pictures)


@pytest.mark.parametrize("results", OF_SCALES, ids=operator.attrgetter("name"))
def test_tables_and_claims_are_those_of_the_records(results):
    scale, made = make_scale(results.name), []
    for name in FIGURES:
        figure = command.load(name, scale)
        found, text = text_of(functools.partial(command.load, name), scale, results, figure)
        made.append((figure, found))
        assert (results / name / "results.md").read_text() == text
    assert (results / CLAIMS).read_text() == report.claims(made)


@pytest.mark.parametrize("results", OF_GENERATIONS, ids=operator.attrgetter("name"))
def test_tables_of_generations_are_those_of_the_records(results):
    file = f"experiments/{results.name}.toml"
    declared = generations.read_generations(ROOT / file)
    make = functools.partial(generations.figure, declared, command=f"jaxsocial generations {file} --out FOLDER")
    scale = generations.scale_of(declared)
    _, text = text_of(make, scale, results, make(scale))
    assert (results / "generations" / "results.md").read_text() == text


def test_there_are_results():
    assert OF_SCALES
    assert OF_GENERATIONS
