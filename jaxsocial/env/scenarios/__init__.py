"""The scenarios that come with the package, one module each. A module knows one kind of world and no other."""

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
"""From the bottom up: a module imports only from those before it. A test holds this order."""
