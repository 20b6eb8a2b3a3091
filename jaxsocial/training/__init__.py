"""Training: from a config to compiled programs, checkpoints and a run folder."""

MODULES = (
    "tables",
    "stopping",
    "folder",
    "provenance",
    "distributed",
    "metrics",
    "devices",
    "accelerators",
    "weights",
    "packaged",
    "checkpoint",
    "pretrained",
    "build",
    "member",
    "program",
    "loop",
    "progress",
    "run",
)
"""From the bottom up: a module imports only from those before it. A test checks this order."""
