"""Emergent social learning in one compiled program: a multi-agent gridworld and its learners."""

from jaxsocial.env import Env, make_env
from jaxsocial.registry import make, make_scenario, register, registered_scenarios
from jaxsocial.scenario import Scenario, View
from jaxsocial.scenarios.text_map import scenario_from_file, scenario_from_text
from jaxsocial.world import Dropout, Observation, Rules, State, Timestep, make_dropout, make_rules

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
