"""Findings with made-up numbers, to test what is said of them."""

from jaxsocial.reproduce.claims import Finding
from jaxsocial.reproduce.figures import Findings

PROVENANCE = {"devices": ["cpu:0"], "versions": {"jax": "0"}, "python": "3", "date": "2026-01-01T00", "git": "abc"}
STEPS = 1_000_000


def finding(values, partners=None, steps=STEPS, run="it-0", **changes):
    """Returns a row with these numbers, one a seed."""
    seeds = list(range(len(values)))
    partners = partners or [None] * len(values)
    made = {"condition": "it", "runs": [run] * len(values), "seeds": seeds, "planned_steps": STEPS, "episodes": 100}
    return Finding(**made | {"steps": steps, "learner": _floats(values), "partners": _floats(partners)} | changes)


def _floats(values):
    return [None if value is None else float(value) for value in values]


def findings(rows, curves=None):
    """Returns rows by name, each a finding or numbers."""
    rows = {name: row if isinstance(row, Finding) else finding(row) for name, row in rows.items()}
    return Findings("figure0", "laptop", rows, curves or {}, {"it-0": 3600.0}, {"it-0": PROVENANCE}, PROVENANCE)


def curve(values):
    """Returns a curve of two seeds, of which the second gets half as much."""
    rows = [
        {"step": 1000 * (index + 1), "seed": seed, "penalty": 1.5, "return": value / (1 + seed)}
        for index, value in enumerate(values)
        for seed in (0, 1)
    ]
    return [*rows, {"step": 1000 * (len(values) + 1), "seed": 0, "penalty": 1.5, "return": None}]
