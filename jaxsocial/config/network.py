"""The network that a config describes."""

import functools

from jaxsocial.agents.networks.network import Network, make_network
from jaxsocial.config.config import Config

# One network for equal layers: as a static argument it compiles once, however many runs are loaded.
_network = functools.cache(make_network)


def network_of(config: Config) -> Network:
    """Returns the network that a config describes; configs of equal layers and views share one.

    Raises:
      ValueError: agents do not observe images of equal shape, or observe more than the image.
    """
    world = config.world
    if world.observation != "rgb" or len(world.agents_by_view) > 1:
        raise ValueError(
            f"world.observation={world.observation!r}, views={world.views}: networks need RGB images of one kind for "
            "all agents, choose rgb and leave views empty"
        )
    if world.inputs:
        raise ValueError(f"world.inputs={world.inputs}: networks take the image only, leave world.inputs empty")
    return _network(
        config.network,
        world.observation_shape,
        world.agent_views[0].tile_pixels,
        world.actions,
        config.sizes.prediction != "none",
    )
