"""Returns of every seed in the larger room: a picture of training, a CSV, and a table in Markdown.

python -m experiments.larger_room runs/larger-room-again runs/larger-room-vanilla --out docs/notebook/larger-room
"""

import argparse
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from jaxsocial.reproduce.plots import colour_of
from jaxsocial.sweep import table

ESCAPED = 3.0
"""Return in evaluation above which a learner has escaped the local optimum (docs/results.md)."""
CONDITIONS = {("symbols", 3): "SociAPL", ("none", 3): "social vanilla", ("symbols", 1): "solo SociAPL"}
"""(prediction, agents) to the condition's name."""
COLUMNS = ["condition", "seed", "step", "return", "evaluation.return"]


def read(sweeps: list[Path]) -> pd.DataFrame:
    """Returns the rows of several sweeps: condition, seed, step, and the returns in training and in evaluation.

    Raises:
      SystemExit: a sweep of other conditions.
    """
    rows = pd.concat([table.read(sweep) for sweep in sweeps])
    kinds = list(zip(rows["sizes.prediction"], rows["world.agents"], strict=True))
    if unknown := set(kinds) - set(CONDITIONS):
        raise SystemExit(f"(prediction, agents) {sorted(unknown)[0]} is no condition here: choose from {[*CONDITIONS]}")
    return rows.assign(condition=[CONDITIONS[kind] for kind in kinds]).loc[:, COLUMNS]


def draw(rows: pd.DataFrame) -> Figure:
    """Draws the return in training, an axis for each condition and a line for each seed."""
    conditions = [name for name in CONDITIONS.values() if name in set(rows["condition"])]
    figure = Figure(figsize=(4 * len(conditions), 3), layout="constrained")
    axes = figure.subplots(1, len(conditions), sharex=True, sharey=True, squeeze=False)[0]
    axes[0].set_ylabel("return in training")
    for axis, condition in zip(axes, conditions, strict=True):
        for _, of_seed in rows[rows["condition"] == condition].groupby("seed"):
            axis.plot(of_seed["step"] / 1e6, of_seed["return"], color=colour_of(condition))
        axis.axhline(1, color="grey", linestyle=":", linewidth=1)
        axis.set(title=condition, xlabel="learner steps, millions")
        axis.spines[["top", "right"]].set_visible(False)
    return figure


def main() -> None:
    """Writes the picture and the CSV, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sweeps", nargs="+", type=Path, help="folders of finished sweeps")
    parser.add_argument("--out", type=Path, required=True, help="name of the files, without .png and .csv")
    options = parser.parse_args()
    rows = read(options.sweeps)
    draw(rows).savefig(options.out.with_suffix(".png"), dpi=150)
    rows.round(4).to_csv(options.out.with_suffix(".csv"), index=False)
    last = rows[rows["step"] == rows["step"].max()]
    seeds = sorted(set(last["seed"]))
    print("| condition | " + " | ".join(map(str, seeds)) + " | escaped |\n| --- |" + " ---: |" * (len(seeds) + 1))
    for condition in CONDITIONS.values():
        found = last[last["condition"] == condition]
        if found.empty:
            continue
        returns = found.set_index("seed")["evaluation.return"].reindex(seeds)
        cells = [*(f"{value:.1f}" for value in returns), f"{(returns > ESCAPED).sum()} of {len(seeds)}"]
        print(f"| {condition} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
