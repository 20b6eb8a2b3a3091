"""The network that a config describes."""

from jaxsocial.agents.networks.network import Network, make_network
from jaxsocial.config.config import Config


def network_of(config: Config) -> Network:
    """Returns the network that a config describes.

    Raises:
      ValueError: agents do not observe images of equal shape, or the network does not fit what they observe.
    """
    world = config.world
    if len(world.agents_by_view) > 1 and world.observation != "symbolic_world":
        raise ValueError(f"world.views={world.views}: networks need equal views of all agents, leave views empty")
    return make_network(config.network, world, config.sizes.prediction)
