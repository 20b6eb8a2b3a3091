"""A game in the terminal, in the learner's seat."""

MODULES = (
    "game",
    "screen",
    "terminal",
)
"""From the bottom up: a module imports only from those before it. A test checks this order."""
