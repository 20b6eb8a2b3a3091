"""Measurements of trained learners: returns, social learning, probes, and pictures."""

MODULES = (
    "statistics",
    "episodes",
    "returns",
    "social",
    "interventions",
    "probes",
    "decoding",
    "probe_picture",
    "cross_play",
    "media",
)
"""From the bottom up: a module imports only from those before it. A test holds this order."""
