"""The quickstart's figure, from run folders: every run's return over training, and the penalty that was charged.

jaxsocial train --seed 0 --out runs/q0        (and seeds 1 and 2, and --preset quickstart-solo)
python -m experiments.quickstart runs/q0 runs/q1 runs/q2 runs/solo --out docs/quickstart.png
"""

import argparse
import json
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from jaxsocial.evaluate import media
from jaxsocial.training import metrics
from jaxsocial.training.folder import EVALUATION, config_of
from jaxsocial.training.metrics import METRICS

BESIDE, ALONE = "tab:blue", "tab:orange"
STYLES = ("-", "--", ":")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, help="run folders, one seed each")
    parser.add_argument("--out", type=Path, required=True, help="the picture, .png or .pdf")
    options = parser.parse_args()
    draw(options.runs).savefig(options.out, dpi=130)


def draw(runs: list[Path]) -> Figure:
    """Draws one line per run, the experts' return as a level, and the penalty of the last run as an area."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for run in runs:
        config, rows = config_of(run), metrics.read(run / METRICS)
        where, colour = ("beside experts", BESIDE) if config.partners else ("alone", ALONE)
        steps = [row["step"] / 1e6 for row in rows]
        returns = [metrics.learner_return(row) for row in rows]
        style = STYLES[config.seed % len(STYLES)]
        axes.plot(steps, returns, style, color=colour, label=f"{where}, seed {config.seed}")
    experts = _experts_return(runs)
    axes.axhline(experts, color="0.4", linewidth=1)
    axes.annotate(f"experts, {experts:.1f}", (0, experts), (2, -12), textcoords="offset points", color="0.4")
    axes.axhline(experts / 2, color="0.7", linewidth=1)
    axes.annotate("half of that", (0, experts / 2), (2, 4), textcoords="offset points", color="0.6")
    axes.set(xlabel="learner steps (millions)", ylabel="return of an episode", ylim=(0, None))
    axes.legend(frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(0.0, 0.92))
    axes.spines[["top", "right"]].set_visible(False)
    media.draw_penalty(axes, metrics.read(runs[-1] / METRICS))
    return figure


def _experts_return(runs: list[Path]) -> float:
    results = [result for run in runs for result in json.loads((run / EVALUATION).read_text())]
    return float(np.mean([result["return"]["mean"] for result in results if result["player"] == "expert"]))


if __name__ == "__main__":
    main()
