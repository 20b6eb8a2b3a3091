"""The notebooks of examples/ run from top to bottom, with tiny sizes."""

import json
import re
from pathlib import Path

import jax
import matplotlib.pyplot as plt
import pytest

ROOT = Path(__file__).parent.parent.parent
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
QUICK = ("own_ppo",)


def cells(notebook: Path) -> list[dict]:
    return json.loads(notebook.read_text())["cells"]


def code(notebook: Path) -> str:
    """The code of all cells; what installs is for Colab."""
    written = ["".join(cell["source"]) for cell in cells(notebook) if cell["cell_type"] == "code"]
    return re.sub(r"^( *)%.*", r"\1pass", "\n\n".join(written), flags=re.MULTILINE)


@pytest.mark.parametrize(
    "notebook",
    [pytest.param(path, id=path.stem, marks=() if path.stem in QUICK else pytest.mark.slow) for path in NOTEBOOKS],
)
def test_a_notebook_runs(notebook, monkeypatch):
    monkeypatch.setenv("JAXSOCIAL_SMALL", "1")
    plt.switch_backend("agg")
    # The check of key reuse misjudges scans under vmap.
    with jax.debug_key_reuse(False):
        exec(compile(code(notebook), notebook.name, "exec"), {"__name__": "__main__"})
    plt.close("all")


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_begins_on_colab_and_has_no_output(notebook):
    text, first, *_ = cells(notebook)
    assert text["cell_type"] == "markdown"
    assert "%pip install -q jaxsocial" in "".join(first["source"])
    assert not any(cell.get("outputs") for cell in cells(notebook))


def test_there_are_notebooks():
    assert len(NOTEBOOKS) == 5
