"""The static parts of a run from its config: environment, network and partners."""

import dataclasses

from jaxsocial.agents.policy import Policy
from jaxsocial.agents.seating import PLAYERS, seat_partners
from jaxsocial.config.config import Config
from jaxsocial.config.network import network_of
from jaxsocial.config.traced import player_noise, traced_config
from jaxsocial.env.core import make_env
from jaxsocial.env.scenario import Scenario
from jaxsocial.learning.rollout import AgentSetup
from jaxsocial.training.pretrained import FROZEN, TRAINED, frozen_player, source_of


def make_agent_setup(config: Config) -> AgentSetup:
    """Builds the environment, network and partners of a config.

    Raises:
      ValueError: partners that are unknown or do not fit, or a network that does not fit the observation.
    """
    if config.teacher and ":" not in config.teacher and config.teacher not in PLAYERS:
        known = ", ".join(PLAYERS)
        raise ValueError(
            f"teacher={config.teacher!r}: choose from {known}, or name a run as run:FOLDER, or your own as "
            "module:function"
        )
    teachers = (config.teacher,) * config.sizes.learners if config.teacher else ()
    first_seat = config.sizes.learners - len(teachers)
    partners = seated(teachers + config.partners, config.world, first_seat, may_be_each=True)
    partners = partners._replace(
        parameters=partners.parameters._replace(epsilon=player_noise(traced_config(config), config))
    )
    network = network_of(config)
    # What a prediction is compared with is observed too, though the network does not see it.
    needs = () if network.target is None else network.target.needs
    missing = tuple(name for name in needs if name not in config.world.inputs)
    world = dataclasses.replace(config.world, inputs=config.world.inputs + missing)
    return AgentSetup(make_env(world), network, partners, config.sizes, imitates=bool(teachers))


def seated(names: tuple[str, ...], scenario: Scenario, first_seat: int = 1, may_be_each: bool = False) -> Policy:
    """Builds one policy of named players, and loads those of earlier runs.

    Args:
      names: the players, one per seat.
      scenario: the world.
      first_seat: the first of their seats.
      may_be_each: whether a player may be one network for each seed of a run (`pretrained.frozen_player`).

    Raises:
      ValueError: players that are unknown or do not fit.
    """
    frozen = {}
    for name in names:
        if name.startswith(TRAINED):
            try:
                frozen[name] = frozen_player(name.removeprefix(FROZEN), may_be_each)
            except ValueError as error:
                moved = name.startswith(FROZEN) and not source_of(name.removeprefix(FROZEN), True).folder.exists()
                beside = ". If it was moved, put it beside the run that it is a partner of, or evaluate with --partners"
                cure = beside if moved else ""
                raise ValueError(f"partner {name}: {error}{cure}") from None
    return seat_partners(names, scenario, frozen, first_seat)
