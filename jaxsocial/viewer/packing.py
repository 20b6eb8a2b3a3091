"""Small forms of arrays and pictures for a page: tiles that repeat are stored once, and numbers are compressed."""

import base64
import io
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Int, Shaped, UInt8

LARGEST = 2**15 - 1
"""The largest integer of 16 bits, which the largest number of an array of floats becomes."""
COLUMNS = 32
"""Pictures side by side in a sheet."""
QUALITY = 60
"""Of JPEG."""


def packed(arrays: Mapping[str, Shaped[np.ndarray, "..."]], levels: Mapping[str, int] | None = None) -> dict[str, Any]:
    """Returns arrays of integers, truth values and floats as a layout and compressed text.

    Integers are stored in 8 or 16 bits, and floats as integers times a scale: exact to half a 32,767th of the largest
    magnitude, or of fewer levels. The two bytes of 16-bit numbers are stored apart, since high bytes repeat and so
    compress well.

    >>> packed({"clock": np.array([[0, 300]])})["layout"]
    [['clock', 2, [1, 2], 1]]

    Args:
      arrays: by name.
      levels: for arrays of floats by name, the integer that the largest magnitude becomes; `LARGEST` for others.

    Raises:
      ValueError: an integer that takes more than 16 bits, or a float that is not finite.

    Returns:
      ``layout``, with (name, bytes of a number, shape, scale) of each array, and ``data``: all bytes, as base64 of the
      format of zlib.
    """
    layout, parts = [], []
    for name, array in arrays.items():
        scale = 1
        if array.dtype.kind == "f":
            if not np.isfinite(array).all():
                raise ValueError(f"{name} is not finite: choose a seed or a checkpoint whose numbers are")
            scale = float(np.abs(array).max(initial=0.0)) / (levels or {}).get(name, LARGEST) or 1.0
            array = np.round(array / scale)
        wide = array.astype(np.int64)
        size = 1 if ((wide >= -128) & (wide <= 127)).all() else 2
        if np.abs(wide).max(initial=0) > LARGEST:
            raise ValueError(f"{name} holds {np.abs(wide).max()}: a page has room for {LARGEST} at most")
        plain = wide.astype(f"<i{size}").ravel().view(np.uint8)
        parts.append(plain.reshape(-1, size).T.tobytes())
        layout.append([name, size, list(array.shape), scale])
    return {"layout": layout, "data": base64.b64encode(zlib.compress(b"".join(parts), 9)).decode()}


class TileSheet:
    """The different tiles of many pictures."""

    def __init__(self, tile: int):
        self.tile, self._numbers = tile, {}

    def indices(self, pictures: UInt8[np.ndarray, "*B height width 3"]) -> Int[np.ndarray, "*B rows columns"]:
        """Returns the number of each tile in this sheet; new ones are added.

        >>> sheet = TileSheet(1)
        >>> sheet.indices(np.array([[[0, 0, 0], [9, 9, 9]], [[9, 9, 9], [0, 0, 0]]], np.uint8)).tolist()
        [[0, 1], [1, 0]]
        """
        *batch, height, width, colours = pictures.shape
        rows, columns = height // self.tile, width // self.tile
        tiles = np.moveaxis(pictures.reshape(*batch, rows, self.tile, columns, self.tile, colours), -3, -4)
        flat = np.ascontiguousarray(tiles).reshape(-1, self.tile**2 * colours)
        found, inverse = np.unique(flat.view(f"V{flat.shape[1]}").ravel(), return_inverse=True)
        numbers = [self._numbers.setdefault(tile.tobytes(), len(self._numbers)) for tile in found]
        return np.array(numbers)[inverse.ravel()].reshape(*batch, rows, columns)

    def picture(self) -> dict[str, Any]:
        """Returns all tiles as a lossless picture, see `sheet`."""
        flat = np.frombuffer(b"".join(self._numbers), np.uint8)
        return sheet(flat.reshape(-1, self.tile, self.tile, 3))


def sheet(pictures: UInt8[np.ndarray, "N height width 3"], lossless: bool = True) -> dict[str, Any]:
    """Returns pictures of one size side by side in one picture, row by row.

    Args:
      pictures: N of them.
      lossless: as PNG; if not, as JPEG, which is far smaller where pictures are no tiles.

    Returns:
      ``url``, ``columns``, and ``height`` and ``width`` of one picture.
    """
    from PIL import Image  # noqa: PLC0415, slow to import

    number, height, width, _ = pictures.shape
    rows = -(-number // COLUMNS)
    padded = np.zeros((rows * COLUMNS, height, width, 3), np.uint8)
    padded[:number] = pictures
    whole = padded.reshape(rows, COLUMNS, height, width, 3).swapaxes(1, 2).reshape(rows * height, COLUMNS * width, 3)
    file, kind = io.BytesIO(), "png" if lossless else "jpeg"
    # Without subsampling: colours of neighbouring tiles would mix.
    options: dict[str, Any] = {"optimize": True} if lossless else {"quality": QUALITY, "subsampling": 0}
    Image.fromarray(whole).save(file, kind, **options)
    url = f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"
    return {"url": url, "columns": COLUMNS, "height": height, "width": width}
