"""Emergent social learning in one compiled program: a multi-agent gridworld and its learners."""

from jaxsocial.env.core import Env, make_env
from jaxsocial.env.registry import make, make_scenario, register, registered_scenarios
from jaxsocial.env.scenario import Scenario, View
from jaxsocial.env.text.text_map import scenario_from_file, scenario_from_text
from jaxsocial.env.types import Dropout, Observation, Rules, State, Timestep, make_dropout, make_rules

__all__ = [
    "Dropout",
    "Env",
    "Observation",
    "Rules",
    "Scenario",
    "State",
    "Timestep",
    "View",
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

PACKAGES = ("env", "agents", "learning", "config", "train", "evaluate", "play", "sweep", "reproduce", "cli")
"""From the bottom up: a package imports only from those before it. A test holds this order."""
