"""The network that a config describes."""

import functools

from jaxsocial.agents.networks.network import Network, make_network
from jaxsocial.config.config import Config

# One network for equal layers: as a static argument it compiles once, however many runs are loaded.
_network = functools.cache(make_network)


def network_of(config: Config) -> Network:
    """Returns the network that a config describes; configs of equal layers and views share one.

    Raises:
      ValueError: agents do not observe images of equal shape, or the network does not fit what they observe.
    """
    return _network(config.network, config.world, config.sizes.prediction)
