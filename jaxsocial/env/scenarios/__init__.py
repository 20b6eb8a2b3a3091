"""The built-in scenarios, one module each. No module knows another scenario's world."""

MODULES = (
    "cluttered",
    "door_key",
    "empty",
    "four_rooms",
    "goal_cycle",
    "maze",
    "multi_room",
    "visibility",
    "marlgrid",
)
"""From the bottom up: a module imports only from those before it. A test checks this order."""
