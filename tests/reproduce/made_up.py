"""Findings that nobody found: numbers made up to see what is said of them."""

from jaxsocial.reproduce.findings import Finding, Findings, Part

PROVENANCE = {"devices": ["cpu:0"], "versions": {"jax": "0"}, "python": "3", "date": "2026-01-01T00", "git": "abc"}
STEPS = 1_000_000


def finding(values, partners=None, steps=STEPS, **changes):
    """A row of these numbers, one a seed, whatever is measured."""
    values, partners = _floats(values), _floats(partners or [])
    numbers = dict.fromkeys(("return", "penalties", "following", "following_by_chance", "lag"), values)
    others = {"return": partners, "penalties": partners} if partners else {}
    part = Part("it-0", "0", steps, STEPS, list(range(len(values))), numbers, others)
    return Finding("it", 100, [part], **changes)


def _floats(values):
    return [None if value is None else float(value) for value in values]


def findings(rows, curves=None):
    """Of rows by name, each a finding or numbers."""
    rows = {name: row if isinstance(row, Finding) else finding(row) for name, row in rows.items()}
    return Findings("figure0", "laptop", rows, curves or {}, {}, {"it-0": 3600.0}, {"it-0": PROVENANCE}, PROVENANCE)


def curve(values):
    """Of two seeds, the second half as good."""
    rows = [
        {"step": 1000 * (place + 1), "seed": seed, "penalty": 1.5, "return": value / (1 + seed)}
        for place, value in enumerate(values)
        for seed in (0, 1)
    ]
    return [*rows, {"step": 1000 * (len(values) + 1), "seed": 0, "penalty": 1.5, "return": None}]
