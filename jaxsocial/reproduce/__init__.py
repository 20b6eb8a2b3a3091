"""The paper's figures: trains what a figure needs, measures it, and writes tables and pictures."""

MODULES = (
    "findings",
    "claims",
    "figures",
    "conditions",
    "scales",
    "store",
    "train",
    "measuring",
    "origins",
    "gathering",
    "plots",
    "report",
    "progress",
    "command",
)
"""From the bottom up: a module imports only from those before it. A test holds this order."""
