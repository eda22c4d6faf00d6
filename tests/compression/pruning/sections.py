"""Scaled network sections, no longer than they need be."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from evonas.blueprint import Blueprint, scaled_network
from evonas.networks import Scale, scaled, tidied
from evonas.presets import preset
from evonas.space import load_space

SCALE = Scale("proxy", 16, classes=3)
LAYERS = 3  # of a stage: a first block, a last one, and one between


def a_section(network: Mapping[str, Any], scale: Scale = SCALE) -> dict[str, Any]:
    return scaled_network(Blueprint(tidied(network)[0]), scale)


def a_chain(*layers: Any, **more: Any) -> dict[str, Any]:
    """Layers behind a convolution to 16 channels."""
    first, head = {"conv": 16, "kernel": 3}, [{"global_pool": "average"}, {"linear": "classes"}]
    chain = {"builder": "chain", "activation": "relu", "layers": [first, *layers], "head": head}
    return a_section({**chain, **more})


def designs(name: str) -> Iterator[dict[str, Any]]:
    """Designs of a space, always the same."""
    space = load_space(name)
    rng = np.random.default_rng(3)
    while True:
        design = space.decode(space.sample(rng))
        yield shortened(scaled_network(design, space.scales["proxy"]))


def published(name: str, px: int, width: float = 1.0) -> dict[str, Any]:
    found = preset(name)
    scale = replace(found.scale, resolution_px=px, classes=10, width=found.scale.width * width)
    return scaled(found.blueprint.network, scale)


def shortened(section: dict[str, Any]) -> dict[str, Any]:
    """A network without blocks that are like those before them."""
    if section["builder"] != "stages":
        return section
    stages = [{**stage, "layers": min(stage["layers"], LAYERS)} for stage in section["stages"]]
    return {**section, "stages": stages}
