"""Tests of README and docs: examples run, commands parse, links lead somewhere, results are those stored."""

import re
import tomllib
from pathlib import Path

import jax
import pytest

from jaxsocial.cli.parsing import parse
from jaxsocial.env import registry
from jaxsocial.reproduce.command import CLAIMS
from jaxsocial.reproduce.generations import Generations, make_generations
from jaxsocial.sweep.spec import make_sweep
from jaxsocial.training.packaged import card_of, pretrained_names, return_text

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text()
OTHERS = ("observe_position", "observe_rewards", "rich_reward", "PreemptMode", "xla_cpu_prefer_vector_width")
"""Names of MarlGrid and its recordings, of SLURM and of XLA."""
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
MOST_LINES = 160
COMPLETE = [page for page in PAGES if page.name != "CHANGELOG.md" and page.parent.name != "notebook"]
"""Pages whose commands are checked. The others tell of versions before."""
RUN_BY_TEST = (
    "README.md",
    "docs/environment.md",
    "docs/extending.md",
    "docs/training.md",
    "docs/bridges.md",
    "docs/python.md",
    "docs/sweeps.md",
)


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def _without_code(text: str) -> str:
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))


EXAMPLES = [
    pytest.param(name, block, id=f"{name}-{number}")
    for name in RUN_BY_TEST
    for number, block in enumerate(_blocks(ROOT / name, "python"))
]


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_an_example_runs(name, example, monkeypatch):
    monkeypatch.setattr(registry, "_SCENARIOS", registry.registered_scenarios())
    for library in re.findall(r"jaxsocial\.bridges\.(\w+)", example):
        pytest.importorskip(library)
    # The check of key reuse misjudges scans under vmap, and this page trains.
    with jax.debug_key_reuse(name != "docs/python.md"):
        exec(compile(example, name, "exec"), {"__name__": "example"})


def test_no_page_has_examples_that_are_not_run():
    assert {_name(page) for page in PAGES if _blocks(page, "python")} == set(RUN_BY_TEST)


@pytest.mark.parametrize("page", [page for page in PAGES if _blocks(page, "toml")], ids=_name)
def test_a_sweep_file_is_understood(page):
    whole, *further = [tomllib.loads(block) for block in _blocks(page, "toml")]
    make = make_generations if page.name == "generations.md" else make_sweep
    made = make(whole)
    assert (made.number if isinstance(made, Generations) else len(made.settings)) > 1
    for more in further:
        make({"preset": "quickstart"} | more)


def _commands(page: Path) -> list[str]:
    """Commands that are given whole: in shell blocks, and in inline code with an argument and nothing left open."""
    text = page.read_text()
    inline = re.findall(r"`(jaxsocial [a-z-]+ [^`\[|]*?)`", _joined(text))
    shell = [line.split("#")[0] for block in _blocks(page, "sh") for line in _joined(block).splitlines()]
    found = [re.search(r"(?:^|/| )jaxsocial ([a-z-]+.*)", line) for line in [*inline, *shell]]
    return sorted({match[1].strip() for match in found if match and not re.search(r"\.\.\.|--help", match[1])})


def _joined(text: str) -> str:
    return text.replace("\\\n", " ")


COMMANDS = sorted({command for page in COMPLETE for command in _commands(page)})
PLACEHOLDERS = {"RUN": "folder", "OTHER": "folder", "FIGURE": "figure4", "EXPERT": "folder", "NAME": "quickstart"}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_understood(command, tmp_path):
    (tmp_path / "map.txt").write_text("######\n#>..0#\n#....#\n######\n")
    for placeholder, value in {**PLACEHOLDERS, "MAP": str(tmp_path / "map.txt")}.items():
        command = re.sub(rf"\b{placeholder}\b", value, command)
    parse(command.split())


def test_there_are_commands():
    assert len(COMMANDS) > 10


def _anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and mkdocs make them."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.M), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", _without_code(page.read_text())):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        assert not anchor or anchor in _anchors(file), target


@pytest.mark.parametrize("suffix", ["*.py", "*.toml"])
def test_pages_that_the_code_names_are_there(suffix):
    for folder in ("jaxsocial", "experiments", "benchmarks", "tests"):
        for file in (ROOT / folder).rglob(suffix):
            for page in re.findall(r"\bdocs/[\w/-]+\.md", file.read_text()):
                assert (ROOT / page).exists(), f"{_name(file)}: {page}"


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=lambda page: page.stem)
def test_names_and_files_of_the_code_are_current(page):
    code = "\n".join(path.read_text() for path in sorted((ROOT / "jaxsocial").rglob("*.py")))
    code += " ".join(pretrained_names())
    prose = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    names = re.findall(r"`(_?[A-Z]?[a-z]+(?:[A-Z_][a-z]+)+)`", prose)
    assert [name for name in names if not re.search(rf"\b{name}\b", code) and name not in OTHERS] == []
    assert [path for path in re.findall(r"`(jaxsocial/[\w/]+\.py)`", prose) if not (ROOT / path).is_file()] == []


def test_every_page_is_in_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text()
    for page in (ROOT / "docs").rglob("*.md"):
        assert f": {page.relative_to(ROOT / 'docs')}" in navigation, page


def test_readme_is_short():
    assert len(README.splitlines()) <= MOST_LINES


def test_claims_are_those_of_the_results():
    results, page = ROOT / "experiments" / "results" / "laptop", (ROOT / "docs" / "results.md").read_text()
    if not (results / CLAIMS).is_file():
        assert "none is evaluated so far" in page
        assert not re.search(r"\| (holds|\*\*does not hold\*\*)", page), "there is nothing that it could hold by"
        return
    claims = (results / CLAIMS).read_text()
    assert claims.replace("](", "](../experiments/results/laptop/") in page
    made = set(re.findall(r"\[(\w+)\]\(\1/results.md\)", claims))
    assert made == {path.parent.name for path in results.glob("*/results.md")} != set()


@pytest.mark.parametrize("name", pretrained_names())
def test_cards_of_learners_are_in_the_documentation(name):
    card = card_of(name)
    returns = " | ".join(return_text(card, place) for place in ("beside", "alone"))
    assert f"| `{name}` | {card.about} | {returns} |" in (ROOT / "docs" / "pretrained.md").read_text()
