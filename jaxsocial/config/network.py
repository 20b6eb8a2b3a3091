"""The network that a config describes."""

from jaxsocial.agents.networks.network import Network, make_network
from jaxsocial.config.config import Config


def network_of(config: Config) -> Network:
    """The network that a config describes.

    Raises:
      ValueError: the world is not shown in pictures, or not in the same way to all agents.
    """
    world = config.world
    if world.observation != "rgb" or len(world.agents_by_view) > 1:
        raise ValueError(
            f"world.observation={world.observation!r}, views={world.views}: networks learn from pictures that are made "
            "alike for all agents, choose rgb and leave views empty"
        )
    return make_network(
        config.network,
        world.observation_shape,
        world.agent_views[0].tile_pixels,
        world.actions,
        config.sizes.prediction != "none",
    )
