"""Where something was computed."""

import jax
import pytest

from jaxsocial.run.circumstances import _described, circumstances


class Device:
    """What jax says of a device."""

    def __init__(self, name, platform, kind):
        self.name, self.platform, self.device_kind = name, platform, kind

    def __str__(self):
        return self.name


@pytest.mark.parametrize(
    ("device", "described"),
    [
        (Device("cpu:0", "cpu", "cpu"), "cpu:0"),
        (Device("cuda:0", "gpu", "NVIDIA H100 80GB HBM3"), "cuda:0 (NVIDIA H100 80GB HBM3)"),
    ],
)
def test_a_device_says_what_make_it_is(device, described):
    assert _described(device) == described


def test_all_devices_are_told(monkeypatch):
    monkeypatch.setattr(jax, "devices", lambda: [Device("cuda:0", "gpu", "H100"), Device("cuda:1", "gpu", "H100")])
    assert circumstances()["devices"] == ["cuda:0 (H100)", "cuda:1 (H100)"]
