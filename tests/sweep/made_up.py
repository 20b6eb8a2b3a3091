"""Tables of sweeps with made-up numbers."""

import itertools

import numpy as np
import pandas as pd


def table(settings, returns, seeds=3, steps=(1000, 2000), **columns):
    """Returns a row per setting (a dict of fields), seed and step.

    Args:
      settings: dicts of varied fields.
      returns: (number of the setting, seed, step) -> its return.
      seeds: the number of seeds.
      steps: the learner steps of the rows.
      columns: further columns, one value for all rows.
    """
    rows = [
        {"setting": number, "seed": seed, "learner": 0, "step": step, **fields, "return": returns(number, seed, step)}
        for (number, fields), seed, step in itertools.product(enumerate(settings), range(seeds), steps)
    ]
    return pd.DataFrame(rows).assign(**{"healthy": 1.0, **columns})


def ridge(rates=16, penalties=16, seeds=3, points=20, seed=0):
    """Returns a grid of learning rates and penalties; the best rate falls as the penalty grows."""
    rng = np.random.default_rng(seed)
    grid = itertools.product(np.geomspace(1e-5, 1e-2, rates), np.linspace(0, 2, penalties))
    settings = [{"coefficients.learning_rate": rate, "rules.penalty": penalty} for rate, penalty in grid]
    steps = np.linspace(0, 2_000_000, points + 1)[1:].astype(int)
    lucky = rng.random((len(settings), seeds))

    def returns(number, seed, step):
        rate, penalty = settings[number].values()
        off = np.log10(rate) + 3 + 0.6 * penalty
        best = 9 * np.exp(-(off**2) / 0.5) * (lucky[number, seed] > 0.2 * penalty) - 0.3 * penalty
        return best * (1 - np.exp(-step / 5e5)) + rng.normal(0, 0.15)

    return table(settings, returns, seeds, steps)


def drawn(count=60, seeds=3, points=20, seed=0):
    """Returns random settings of four fields, one of them categorical; half are dropped half way."""
    rng = np.random.default_rng(seed)
    settings = [
        {
            "coefficients.learning_rate": 10 ** rng.uniform(-5, -2),
            "coefficients.entropy": 10 ** rng.uniform(-4, -1),
            "network.channels": str(rng.choice(["8", "16, 32", "32, 64", "16, 32, 64"])),
            "rules.penalty": rng.uniform(0, 2),
        }
        for _ in range(count)
    ]
    steps = np.linspace(0, 1_000_000, points + 1)[1:].astype(int)
    bonus = {"8": 0.0, "16, 32": 1.0, "32, 64": 1.5, "16, 32, 64": 0.5}

    def returns(number, seed, step):
        rate, entropy, channels, penalty = settings[number].values()
        best = 8 * np.exp(-((np.log10(rate) + 3.3) ** 2)) + bonus[channels] - abs(np.log10(entropy) + 2) - 0.5 * penalty
        return best * (1 - np.exp(-step / 3e5)) + rng.normal(0, 0.2)

    found = table(settings, returns, seeds, steps)
    last = found[found["step"] == 500_000].groupby("setting")["return"].mean()
    return found[found["setting"].isin(last.nlargest(count // 2).index) | (found["step"] <= 500_000)]
