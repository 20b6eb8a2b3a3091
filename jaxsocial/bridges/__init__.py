"""Worlds as other libraries' environments. Each module needs its library, and is imported where it is asked for."""

MODULES = ("one_agent", "gymnasium", "pettingzoo", "gymnax", "stoa", "jaxmarl", "dm_env")
"""From the bottom up: a module imports only from those before it. A test checks this order."""
