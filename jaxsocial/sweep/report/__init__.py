"""The report of a sweep: settings ranked, pictures, and one page that holds them."""

MODULES = ("ranking", "fields", "margins", "colours", "parallel", "drawing", "page")
"""From the bottom up: a module imports only from those before it. A test holds this order."""
