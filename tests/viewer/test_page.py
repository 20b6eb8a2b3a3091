"""The replay page as text: its size, what it holds, and the verb that writes it."""

import json
import re
import subprocess
import sys

import jax
import pytest

import jaxsocial
from jaxsocial.training.folder import REPLAY, config_of
from jaxsocial.training.packaged import card_of
from jaxsocial.viewer.page import page, plain
from jaxsocial.viewer.tour import tour
from tests import runs
from tests.viewer.conftest import HOSTILE

MEGABYTE = 1_000_000


def comparisons_of(text):
    (found,) = re.findall(r'<script id="data" type="application/json">(.*?)</script>', text, re.DOTALL)
    return json.loads(found)


def data_of(text):
    """The sides of a page's only comparison."""
    (comparison,) = comparisons_of(text)
    return comparison["sides"]


def test_twenty_episodes_take_less_than_a_megabyte(laptop):
    text = page([laptop])
    assert len(data_of(text)[0]["episodes"]) == 20
    assert len(text.encode()) < MEGABYTE / 4


def test_a_run_s_page_replays_its_first_seed_beside_partners_and_alone(finished_run):
    company, alone = data_of((finished_run / REPLAY).read_text())
    first = config_of(finished_run).seed
    for side, who in ((company, "beside searching_expert, searching_expert"), (alone, "alone")):
        assert [episode["number"] for episode in side["episodes"]] == [first, first + 1, first + 2]
        assert side["about"].endswith(f"seed {first}, 256 steps, {who}")
    assert [one["goals"] for one in company["episodes"]] == [one["goals"] for one in alone["episodes"]]


@pytest.mark.slow
def test_twenty_episodes_at_the_papers_sizes_take_less_than_a_megabyte():
    from jaxsocial.viewer.page import Side  # noqa: PLC0415
    from tests.viewer.untrained import recorded  # noqa: PLC0415

    config = jaxsocial.preset("paper")
    assert len(page([Side("paper", "untrained", config, recorded(config, *range(20)))]).encode()) < MEGABYTE


def test_names_are_escaped(compared):
    text = page(compared)
    assert data_of(text)[0]["title"] == HOSTILE
    assert text.count("</script>") == 2
    assert "<b id" not in text
    assert "<title>Replay of &lt;/script&gt;&lt;b" in text


def test_nothing_else_is_loaded(laptop):
    text = page([laptop])
    addresses = set(re.findall(r"[a-z]+://[^\"'\s<>]*", text))
    assert addresses == {"http://www.w3.org/2000/svg"}, "the name of a format, which is never loaded"
    assert "default-src 'none'" in text
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", text)


@pytest.mark.parametrize("option", ["--alone", "{run}#4"])
def test_the_verb_writes_a_page(option, finished_run, tmp_path, capsys):
    out = tmp_path / "episodes.html"
    common = ["--out", str(out), "--episodes", "2", "--episode", "3", "--seed", "3"]
    assert runs.command("render", str(finished_run), option.format(run=finished_run), *common) == 0
    assert f"wrote {out}" in capsys.readouterr().out
    sides = data_of(out.read_text())
    assert [[one["number"] for one in side["episodes"]] for side in sides] == [[3, 4], [3, 4]]
    assert sides[0]["title"] == finished_run.name
    assert re.fullmatch(r"quickstart, seed 3, 256 steps, beside (\w+), \1", sides[0]["about"])
    if option == "--alone":
        assert sides[1]["title"] == f"{finished_run.name}, alone"
        assert [one["goals"] for one in sides[0]["episodes"]] == [one["goals"] for one in sides[1]["episodes"]]
    else:
        assert "seed 4" in sides[1]["about"]


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        ({"path": "a.html", "episodes": 0}, "episodes=0: choose 1 or more"),
        (
            {"path": "a.gif", "alone": True},
            "a.gif: only a page compares, and has several episodes: end the name in .html",
        ),
        ({"path": "a.gif", "episodes": 3}, "a.gif: only a page compares, and has several episodes"),
        ({"path": "a.png", "other": "b"}, "a.png: only a page compares, and has several episodes"),
        (
            {"path": "a.html", "other": "b", "alone": True},
            "other=b, alone=True: a page compares two",
        ),
        ({"path": "a.html", "other": "nowhere"}, "nowhere holds no run"),
    ],
)
def test_a_refusal_is_one_line_with_the_remedy(arguments, remedy, finished_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=remedy) as refusal, jax.debug_key_reuse(False):
        jaxsocial.Run.load(finished_run).render(**arguments)
    assert "\n" not in str(refusal.value)
    assert list(tmp_path.iterdir()) == []


def test_importing_loads_no_picture_library():
    program = "import sys; import jaxsocial.viewer.page; raise SystemExit('PIL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


# The tour


def test_the_tour_has_every_learner_of_the_package_beside_partners_and_alone(tmp_path, monkeypatch, capsys):
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address) or True)
    out = tmp_path / "tour.html"
    assert runs.command("tour", "--out", str(out)) == 0
    assert opened == [out.as_uri()]
    text = out.read_text()
    comparisons = comparisons_of(text)
    assert sorted(one["title"] for one in comparisons) == sorted(jaxsocial.pretrained_names())
    for one in comparisons:
        assert one["about"] == card_of(one["title"]).about
        beside, alone = one["sides"]
        assert alone["about"].endswith(", alone")
        assert [episode["goals"] for episode in beside["episodes"]] == [e["goals"] for e in alone["episodes"]]
    assert len(text.encode()) < MEGABYTE
    assert runs.command("tour", "--out", str(out), "--no-show") == 0
    assert len(opened) == 1


def test_the_tour_is_a_page_of_this_version(laptop):
    names = {name for one in comparisons_of(tour()) for side in one["sides"] for name in side}
    assert names == set(plain(laptop))
