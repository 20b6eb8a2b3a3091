"""Emergent social learning in one compiled program: a multi-agent gridworld and its learners."""

import importlib
from typing import TYPE_CHECKING, Any

from jaxsocial.env.core import Env, make_env
from jaxsocial.env.registry import make, make_scenario, register, registered_scenarios
from jaxsocial.env.scenario import Scenario, View
from jaxsocial.env.text.text_map import scenario_from_file, scenario_from_text
from jaxsocial.env.types import Dropout, Observation, Rules, State, Timestep, make_dropout, make_rules

if TYPE_CHECKING:
    from jaxsocial.agents.networks.parts import register_encoder, register_memory, register_target
    from jaxsocial.api import Run, make_train, train
    from jaxsocial.config.presets import preset
    from jaxsocial.config.traced import traced_config
    from jaxsocial.training.packaged import pretrained_names
    from jaxsocial.training.pretrained import load_policy, load_pretrained

__all__ = [
    "Dropout",
    "Env",
    "Observation",
    "Rules",
    "Run",
    "Scenario",
    "State",
    "Timestep",
    "View",
    "load_policy",
    "load_pretrained",
    "make",
    "make_dropout",
    "make_env",
    "make_rules",
    "make_scenario",
    "make_train",
    "preset",
    "pretrained_names",
    "register",
    "register_encoder",
    "register_memory",
    "register_target",
    "registered_scenarios",
    "scenario_from_file",
    "scenario_from_text",
    "traced_config",
    "train",
]
__version__ = "0.1.0"

PACKAGES = (
    "env",
    "agents",
    "learning",
    "config",
    "training",
    "evaluate",
    "viewer",
    "finish",
    "api",
    "play",
    "bridges",
    "sweep",
    "loggers",
    "reproduce",
    "cli",
)
"""From the bottom up, `finish` and `api` being modules: each imports only from those before it. A test holds this."""

_LAZY = {
    "Run": "api",
    "load_policy": "training.pretrained",
    "load_pretrained": "training.pretrained",
    "make_train": "api",
    "preset": "config.presets",
    "pretrained_names": "training.packaged",
    "register_encoder": "agents.networks.parts",
    "register_memory": "agents.networks.parts",
    "register_target": "agents.networks.parts",
    "traced_config": "config.traced",
    "train": "api",
}
"""Name to its module. These need flax, orbax and rich, so they are imported at their first use."""


def __getattr__(name: str) -> Any:
    """Imports a name of `_LAZY`."""
    if name in _LAZY:
        return getattr(importlib.import_module(f"jaxsocial.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
