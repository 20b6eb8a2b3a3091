"""Emergent social learning in one compiled program: a multi-agent gridworld and its learners."""

import importlib
from typing import TYPE_CHECKING, Any

from jaxsocial.env.core import Env, make_env
from jaxsocial.env.registry import make, make_scenario, register, registered_scenarios
from jaxsocial.env.scenario import Scenario, View
from jaxsocial.env.text.text_map import scenario_from_file, scenario_from_text
from jaxsocial.env.types import Dropout, Observation, Rules, State, Timestep, make_dropout, make_rules

if TYPE_CHECKING:
    from jaxsocial.training.pretrained import load_policy

__all__ = [
    "Dropout",
    "Env",
    "Observation",
    "Rules",
    "Scenario",
    "State",
    "Timestep",
    "View",
    "load_policy",
    "make",
    "make_dropout",
    "make_env",
    "make_rules",
    "make_scenario",
    "register",
    "registered_scenarios",
    "scenario_from_file",
    "scenario_from_text",
]
__version__ = "0.1.0"

PACKAGES = ("env", "agents", "learning", "config", "training", "evaluate", "play", "sweep", "reproduce", "cli")
"""From the bottom up: a package imports only from those before it. A test checks this order."""


def __getattr__(name: str) -> Any:
    """Imports `load_policy` at its first use, since it needs flax and orbax."""
    if name == "load_policy":
        return importlib.import_module("jaxsocial.training.pretrained").load_policy
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
