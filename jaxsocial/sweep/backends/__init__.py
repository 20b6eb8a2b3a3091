"""Backends, which run the items of a sweep: processes on this machine, a Ray cluster, or SLURM."""

MODULES = ("items", "processes", "local", "ray", "queue", "job", "slurm")
"""From the bottom up: a module imports only from those before it. A test holds this order."""
