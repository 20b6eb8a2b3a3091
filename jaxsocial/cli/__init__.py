"""The command line: options, their parser, and one module of handlers per group of verbs."""

MODULES = (
    "options",
    "help",
    "parsing",
    "train",
    "cross_play",
    "evaluate",
    "play",
    "sweep",
    "reproduce",
    "generations",
    "listing",
    "log",
    "doctor",
    "main",
)
"""From the bottom up: a module imports only from those before it. A test checks this order."""
