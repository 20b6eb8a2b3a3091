"""Policies: scripted experts, frozen networks, and the network that learns."""

MODULES = (
    "policy",
    "networks",
    "scripted",
    "seating",
)
"""From the bottom up: a module imports only from those before it. A test checks this order."""
