"""The multi-agent gridworld. It imports jax, numpy and jaxtyping only, and no other package of jaxsocial."""

MODULES = (
    "keys",
    "values",
    "objects",
    "grid",
    "scenario",
    "types",
    "spaces",
    "batching",
    "rewards",
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
"""From the bottom up: a module imports only from those before it. A test checks this order."""
