"""Agents' observations: the cells in view, drawn as pixels or encoded as symbols."""

MODULES = (
    "sprites",
    "vision",
    "pixels",
    "symbolic",
    "observe",
)
"""From the bottom up: a module imports only from those before it. A test checks this order."""
