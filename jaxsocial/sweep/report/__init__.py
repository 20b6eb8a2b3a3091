"""What came of a sweep: settings ranked, pictures, and one page that holds them."""

from jaxsocial.sweep.report.ranking import About, Ranking
from jaxsocial.sweep.report.writing import write

__all__ = ["About", "Ranking", "write"]
