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


def plan(network: dict[str, Any], px: int = 32, **scale: Any) -> Plan:
    """At full scale, for three classes."""
    return plan_network(blueprint(network), Scale("full", px, classes=3, **scale))


def blueprint(network: dict[str, Any]) -> Blueprint:
    """Tidied, as a space decodes it."""
    return Blueprint(tidied(network)[0])
