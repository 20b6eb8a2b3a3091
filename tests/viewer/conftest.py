"""Pages of untrained learners."""

import pytest

from jaxsocial.config.presets import preset
from jaxsocial.viewer.page import Side
from tests.viewer.untrained import recorded, small_config

HOSTILE = '</script><b id="injected">/* script */ & <!-- title -->'
"""A name that would end the page's script, and names places of its template."""


@pytest.fixture(scope="session")
def laptop():
    """Twenty episodes of the preset laptop, which predicts symbols."""
    config = preset("laptop")
    return Side("first", "untrained", config, recorded(config, *range(20)))


@pytest.fixture(scope="session")
def compared():
    """Two episodes in company and alone, of a learner that predicts frames."""
    config = small_config("frame")
    return [
        Side(HOSTILE, "in company", config, recorded(config, 7, 8)),
        Side("second", "alone", config, recorded(config, 7, 8, alone=True)),
    ]
