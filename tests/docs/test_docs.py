"""The examples in README run, and what it says of commands is so."""

import re
from pathlib import Path

import pytest

from jaxsocial.cli.parsing import parse
from jaxsocial.env import registry
from jaxsocial.reproduce.command import CLAIMS

README = (Path(__file__).parent.parent / "README.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.split("\n")[-2][:30])
def test_an_example_runs(example, monkeypatch):
    monkeypatch.setattr(registry, "_SCENARIOS", registry.registered_scenarios())
    exec(compile(example, "README.md", "exec"), {"__name__": "readme"})


def test_there_are_examples():
    assert len(EXAMPLES) == 3


@pytest.mark.parametrize("command", re.findall(r"`jaxsocial ([a-z-]+ [^`\[]*?)`", README))
def test_a_command_is_understood(command):
    parse(command.replace("RUN", "folder").replace("SCENARIO", "maze").split())


def test_links_lead_somewhere():
    root = Path(__file__).parent.parent
    for target in re.findall(r"\]\((?!http)([^)]+)\)", README):
        assert (root / target).exists(), target


def test_claims_are_those_of_the_results():
    results = Path(__file__).parent.parent / "experiments" / "results" / "laptop"
    claims = (results / CLAIMS).read_text().replace("](", "](experiments/results/laptop/")
    assert claims in README
    made = set(re.findall(r"\[(\w+)\]\(\1/results.md\)", (results / CLAIMS).read_text()))
    assert made == {path.parent.name for path in results.glob("*/results.json")} != set()
