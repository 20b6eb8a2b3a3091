"""Keys of both kinds: typed ones (`jax.random.key`) and raw ones (`jax.random.PRNGKey`)."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key, Shaped

AnyKey = Key[Array, "..."] | Shaped[Array, "..."] | Shaped[np.ndarray, "..."] | int
"""What `typed_key` is given: a typed or a raw key, or something that it refuses."""


def typed_key(key: AnyKey) -> Key[Array, ""]:
    """Returns a typed key; a raw one of `jax.random.PRNGKey` becomes the typed key that draws the same.

    >>> typed_key(jax.random.PRNGKey(3)) == jax.random.key(3)
    Array(True, dtype=bool)

    Raises:
      ValueError: no key, or several, with the remedy.
    """
    given: Any = np.asarray(key) if isinstance(key, int) else key
    if not jnp.issubdtype(given.dtype, jax.dtypes.prng_key):
        try:
            given = jax.random.wrap_key_data(given)
        except TypeError as error:
            raise ValueError(
                f"key is {given.dtype}{list(given.shape)}: give one of jax.random.key(seed) or jax.random.PRNGKey(seed)"
            ) from error
    if given.shape:
        raise ValueError(f"keys of shape {given.shape}: give one key, or jax.vmap the function over the keys")
    return given
