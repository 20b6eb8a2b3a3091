"""The paper's figures: trains the runs that a figure needs, measures them, and writes tables and pictures."""

MODULES = (
    "claims",
    "figures",
    "conditions",
    "scales",
    "store",
    "train",
    "plots",
    "generations",
    "report",
    "command",
)
"""From the bottom up: a module imports only from those before it. A test holds this order."""
