"""Arrays and pictures of a page, read back."""

import base64
import io
import zlib

import numpy as np
import pytest
from PIL import Image

from jaxsocial.viewer.packing import TileSheet, packed, sheet


def unpacked(page):
    """Reads `packed` arrays back, as the page's script does."""
    plain, found, start = zlib.decompress(base64.b64decode(page["data"])), {}, 0
    for name, size, shape, scale in page["layout"]:
        count = int(np.prod(shape))
        planes = np.frombuffer(plain[start : start + count * size], np.uint8).reshape(size, count)
        found[name] = np.ascontiguousarray(planes.T).view(f"<i{size}").reshape(shape) * scale
        start += count * size
    assert start == len(plain)
    return found


def test_arrays_are_read_back():
    rng = np.random.default_rng(0)
    arrays = {
        "small": rng.integers(-128, 128, (7, 3)),
        "large": rng.integers(-(2**15) + 1, 2**15, (5, 2, 2), dtype=np.int32),
        "truth": rng.random(9) < 0.5,
        "colour": rng.integers(0, 256, (4, 3), dtype=np.uint8),
        "float": rng.normal(size=(6, 2)).astype(np.float32),
        "zero": np.zeros((2, 0, 3), np.float32),
        "coarse": rng.random(50),
    }
    found = unpacked(packed(arrays, {"coarse": 10}))
    for name in ("small", "large", "truth", "colour"):
        np.testing.assert_array_equal(found[name], arrays[name])
    most = np.abs(arrays["float"]).max()
    np.testing.assert_allclose(found["float"], arrays["float"], atol=0.51 * most / 32767)
    np.testing.assert_allclose(found["coarse"], arrays["coarse"], atol=0.051)
    assert found["zero"].shape == (2, 0, 3)


def test_a_number_without_a_form_is_refused():
    with pytest.raises(ValueError, match="clock holds 40000: a page has room for 32767"):
        packed({"clock": np.array([40000])})
    with pytest.raises(ValueError, match="value is not finite: choose a seed or a checkpoint"):
        packed({"value": np.array([0.0, np.nan])})


def picture_of(sheet):
    kind, _, text = sheet["url"].partition(";base64,")
    return kind, np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))


def test_pictures_are_rebuilt_from_their_tiles():
    rng = np.random.default_rng(1)
    drawn = rng.integers(0, 256, (40, 3, 3, 3), dtype=np.uint8)
    sheet = TileSheet(3)
    for shape in ((4, 4, 5), (3, 1, 6)):
        chosen = rng.integers(0, 40, shape)
        pictures = np.moveaxis(drawn[chosen], -3, -4).reshape(shape[0], 3 * shape[1], 3 * shape[2], 3)
        indices, found = sheet.indices(pictures), sheet.picture()
        kind, whole = picture_of(found)
        assert kind == "data:image/png"
        row, column = np.divmod(indices, found["columns"])
        rebuilt = [
            whole[3 * r : 3 * r + 3, 3 * c : 3 * c + 3] for r, c in zip(row.ravel(), column.ravel(), strict=True)
        ]
        np.testing.assert_array_equal(np.array(rebuilt).reshape(*shape, 3, 3, 3), drawn[chosen])
    assert whole.shape == (2 * 3, 32 * 3, 3)


def test_pictures_that_are_no_tiles_are_stored_about_as_they_are():
    smooth = np.linspace(40, 200, 33 * 21 * 21).reshape(33, 21, 21, 1).repeat(3, -1).astype(np.uint8)
    kind, whole = picture_of(sheet(smooth, lossless=False))
    assert kind == "data:image/jpeg"
    assert whole.shape == (2 * 21, 32 * 21, 3)
    assert np.abs(whole[21:, :21].astype(int) - smooth[32]).mean() < 4
