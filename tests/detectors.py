"""Small detectors for tests."""

from typing import Any

from evonas.blueprint import Blueprint, plan_network
from evonas.networks import Scale, tidied
from evonas.networks.plan import Plan


def stage(channels: int, **changes: Any) -> dict[str, Any]:
    """A plain convolution of stride 2 unless told otherwise."""
    default = {"operation": "conv", "kernel": 3, "se_ratio": 0, "skip": "none", "layers": 1}
    return {**default, "stride": 2, "channels": channels, **changes}


def detector(**changes: Any) -> dict[str, Any]:
    """Strides 4, 8 and 16 of 8, 16 and 24 channels, the last two of which are looked at."""
    return {
        "builder": "detector",
        "activation": "relu",
        "backbone": {
            "stem": {"channels": 8, "kernel": 3, "stride": 2},
            "stages": [stage(8), stage(16), stage(24)],
        },
        "levels": 2,
        "neck": {"width": 8},
        "head": {},
        **changes,
    }


def ssd(**changes: Any) -> dict[str, Any]:
    """A small one: maps of 6, 3, 2 and 1 px of images of 48, behind layers of a chain."""
    conv, pool = {"conv": 8, "kernel": 3}, {"max_pool": 2}
    layers = [[conv, pool], [conv, pool], [conv, conv, pool], [{**conv, "stride": 2}, conv]]
    return {
        "builder": "detector",
        "activation": "relu",
        "norm": "none",
        "backbone": {"layers": layers},
        "levels": 2,
        "neck": {"kind": "extras", "width": 16, "depth": 2, "l2_norm": True},
        "head": {"kind": "ssd", "boxes": [4, 6, 6, 4]},
        **changes,
    }


def plan(network: dict[str, Any], px: int = 32, **scale: Any) -> Plan:
    """At full scale, for three classes."""
    return plan_network(blueprint(network), Scale("full", px, classes=3, **scale))


def blueprint(network: dict[str, Any]) -> Blueprint:
    """Tidied, as a space decodes it."""
    return Blueprint(tidied(network)[0])
