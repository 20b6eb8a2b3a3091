"""Sweeps that nobody ran: tables of made-up numbers."""

import itertools

import numpy as np
import pandas as pd


def table(settings, returns, seeds=3, steps=(1000, 2000), **columns):
    """Rows of every setting (a dict of fields), seed and step.

    Args:
      settings: dicts of varied fields.
      returns: (number of the setting, seed, step) to its return.
      seeds: how many.
      steps: of the rows.
      columns: further columns, one value for all rows.
    """
    rows = [
        {"setting": number, "seed": seed, "learner": 0, "step": step, **fields, "return": returns(number, seed, step)}
        for (number, fields), seed, step in itertools.product(enumerate(settings), range(seeds), steps)
    ]
    return pd.DataFrame(rows).assign(**{"healthy": 1.0, **columns})


def ridge(rates=16, prices=16, seeds=3, points=20, seed=0):
    """Learning rates times penalties; the best rate falls as the penalty grows."""
    rng = np.random.default_rng(seed)
    grid = itertools.product(np.geomspace(1e-5, 1e-2, rates), np.linspace(0, 2, prices))
    settings = [{"coefficients.learning_rate": rate, "rules.penalty": price} for rate, price in grid]
    steps = np.linspace(0, 2_000_000, points + 1)[1:].astype(int)
    lucky = rng.random((len(settings), seeds))

    def returns(number, seed, step):
        rate, price = settings[number].values()
        off = np.log10(rate) + 3 + 0.6 * price
        best = 9 * np.exp(-(off**2) / 0.5) * (lucky[number, seed] > 0.2 * price) - 0.3 * price
        return best * (1 - np.exp(-step / 5e5)) + rng.normal(0, 0.15)

    return table(settings, returns, seeds, steps)


def drawn(count=60, seeds=3, points=20, seed=0):
    """Settings drawn at random over four fields, one of them categorical; half were dropped half way."""
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
        rate, entropy, channels, price = settings[number].values()
        best = 8 * np.exp(-((np.log10(rate) + 3.3) ** 2)) + bonus[channels] - abs(np.log10(entropy) + 2) - 0.5 * price
        return best * (1 - np.exp(-step / 3e5)) + rng.normal(0, 0.2)

    found = table(settings, returns, seeds, steps)
    last = found[found["step"] == 500_000].groupby("setting")["return"].mean()
    return found[found["setting"].isin(last.nlargest(count // 2).index) | (found["step"] <= 500_000)]
