"""The configuration of a run, and its two sides: what is static, and what is traced."""

MODULES = (
    "renamed",
    "partners",
    "penalty",
    "config",
    "presets",
    "fields",
    "traced",
    "network",
)
"""From the bottom up: a module imports only from those before it. A test holds this order."""
