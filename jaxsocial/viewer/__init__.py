"""The replay page: records episodes, and writes them into one HTML file."""

MODULES = (
    "predictions",
    "record",
    "packing",
    "template",
    "page",
    "tour",
)
"""From the bottom up: a module imports only from those before it. A test checks this order."""
