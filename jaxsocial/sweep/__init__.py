"""Hyperparameter sweeps: settings that differ only in traced numbers train in one compiled program."""

MODULES = (
    "search",
    "spec",
    "members",
    "extension",
    "table",
    "work",
    "plan",
    "backends",
    "executor",
    "report",
    "population",
    "rungs",
    "trials",
    "command",
    "networks",
)
"""From the bottom up: a module imports only from those before it. A test holds this order."""
