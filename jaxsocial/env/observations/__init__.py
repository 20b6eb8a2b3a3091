"""What agents observe: which cells they see, and these cells as pixels or as symbols."""

MODULES = (
    "sprites",
    "vision",
    "pixels",
    "symbolic",
    "observe",
)
"""From the bottom up: a module imports only from those before it. A test holds this order."""
