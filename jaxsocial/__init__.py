"""Emergent social learning in one compiled program: a multi-agent gridworld and its learners."""

from jaxsocial.env import Env, make_env
from jaxsocial.registry import make, make_scenario, register, registered_scenarios
from jaxsocial.world import Rules, Scenario, State, Timestep, make_rules

__all__ = [
    "Env",
    "Rules",
    "Scenario",
    "State",
    "Timestep",
    "make",
    "make_env",
    "make_rules",
    "make_scenario",
    "register",
    "registered_scenarios",
]
__version__ = "0.1.0"
