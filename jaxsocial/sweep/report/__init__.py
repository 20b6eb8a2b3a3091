"""What came of a sweep: settings ranked, pictures, and one page that holds them."""

from jaxsocial.sweep.report.ranking import About, Ranking
from jaxsocial.sweep.report.writing import write

__all__ = ["About", "Ranking", "write"]

MODULES = (
    "ranking",
    "fields",
    "margins",
    "colours",
    "parallel",
    "drawing",
    "page",
    "writing",
)
"""From the bottom up: a module imports only from those before it. A test holds this order."""
