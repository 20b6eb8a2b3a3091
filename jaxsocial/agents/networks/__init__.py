"""The recurrent network of a learner, and its parts."""

MODULES = (
    "sizes",
    "blocks",
    "tiles",
    "dense",
    "lstm",
    "decoders",
    "network",
    "flops",
)
"""From the bottom up: a module imports only from those before it. A test checks this order."""
