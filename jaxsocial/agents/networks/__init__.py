"""The recurrent network of a learner, and its parts."""

MODULES = (
    "parts",
    "sizes",
    "blocks",
    "tiles",
    "dense",
    "convolutions",
    "symbols",
    "inputs",
    "encoders",
    "memories",
    "decoders",
    "targets",
    "network",
)
"""From the bottom up: a module imports only from those before it. A test checks this order."""
