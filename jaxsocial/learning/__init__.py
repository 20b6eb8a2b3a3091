"""Recurrent PPO with an auxiliary prediction loss, or behaviour cloning. Pure functions that never inspect a world."""

MODULES = (
    "advantages",
    "losses",
    "settings",
    "sharding",
    "rollout",
    "replay",
    "minibatch",
    "update",
)
"""From the bottom up: a module imports only from those before it. A test checks this order."""
