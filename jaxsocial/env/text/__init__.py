"""Worlds drawn in characters."""

MODULES = (
    "alphabet",
    "maps",
    "text_map",
)
"""From the bottom up: a module imports only from those before it. A test checks this order."""
