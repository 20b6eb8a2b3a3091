"""The configuration of a run: its record, its presets, and its static and traced sides."""

MODULES = ("renamed", "partners", "penalty", "config", "presets", "fields", "traced", "network")
"""From the bottom up: a module imports only from those before it. A test checks this order."""
