"""Metrics of runs and sweeps for other programs: trackers of experiments, and files."""

MODULES = ("series", "destinations", "send", "export")
"""From the bottom up: a module imports only from those before it. A test checks this order."""
