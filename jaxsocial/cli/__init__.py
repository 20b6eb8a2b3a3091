"""The command line."""

MODULES = (
    "options",
    "parsing",
    "main",
)
"""From the bottom up: a module imports only from those before it. A test holds this order."""
