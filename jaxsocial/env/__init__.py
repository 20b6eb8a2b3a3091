"""The multi-agent gridworld. It needs jax, numpy and jaxtyping only, and nothing else of jaxsocial."""

MODULES = (
    "objects",
    "grid",
    "scenario",
    "types",
    "batching",
    "actions",
    "spawning",
    "observations",
    "core",
    "text",
    "scenarios",
    "registry",
    "settings",
    "render",
)
"""From the bottom up: a module imports only from those before it. A test holds this order."""
