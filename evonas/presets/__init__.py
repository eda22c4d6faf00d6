"""Published networks as data: a YAML file a family beside this one, in a space file's words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from evonas.blueprint import Blueprint
from evonas.errors import BuildError
from evonas.networks import Scale, tidied
from evonas.networks.scale import STACKS
from evonas.registry import pick
from evonas.yaml_file import read_yaml

CLASSES = 1000
NOT_OF_SCALE = ("title", "of", "network")


@dataclass(frozen=True)
class Preset:
    """A published network.

    `scale` is the one it was published at: input, width and depth multipliers, classes.
    """

    name: str
    title: str
    blueprint: Blueprint
    scale: Scale = field(repr=False)


def preset(name: str) -> Preset:
    """The published network of that name.

    Raises:
        UnknownName: There is none; the message lists all.
    """
    return pick(presets(), name, "model")


@cache
def presets() -> Mapping[str, Preset]:
    """All published networks by name, family by family, in the order of the files."""
    found: dict[str, Preset] = {}
    for family in sorted(Path(__file__).parent.glob("*.yaml")):
        values, _ = read_yaml(family, BuildError)
        twice = found.keys() & values.keys()
        assert not twice, f"{family.name} has {twice} once more"
        found |= {name: _preset(name, values) for name in values}
    return found


def _preset(name: str, values: Mapping[str, Mapping[str, Any]]) -> Preset:
    own = values[name]
    parent = values[own["of"]] if "of" in own else own
    network = dict(parent["network"])
    if parent is not own:  # a member of a family: some sections differ in some keys
        for section, keys in own.get("network", {}).items():
            differs = isinstance(keys, dict)  # and does not replace all of it
            network[section] = {**network[section], **keys} if differs else keys
    published = {"name": "published", "classes": CLASSES, "resolution_px": parent["resolution_px"]}
    published |= {key: own[key] for key in own if key not in NOT_OF_SCALE}
    repeats = published.pop("repeats", [])
    published["repeats"] = tuple(repeats) if isinstance(repeats, list) else (repeats,) * STACKS
    tidy, repairs = tidied(network)
    return Preset(name, own["title"], Blueprint(tidy, repairs=repairs), Scale(**published))
