"""What was chosen, in words: the one record that evolution and models share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from evonas.key import key_of
from evonas.networks import Scale, built_meaning, meaning, planned, scaled
from evonas.networks.plan import Plan

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Blueprint:
    """A decoded design as nested plain values.

    `network` says what is built, `training` which settings of the training recipe the design
    brings along, `compression` what is done to the trained network. `values` are free: only the
    user's function or table knows what they mean, and then `network` may be empty. `repairs`
    tells in words what decoding had to change; it is no part of the design's identity.
    """

    network: Mapping[str, Any]
    training: Mapping[str, Any] = field(default_factory=dict)
    compression: Mapping[str, Any] = field(default_factory=dict)
    repairs: tuple[str, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that designs of the same function share (`networks.meaning`)."""
        own = [meaning(self.network), self.training, self.compression]
        return key_of([*own, self.values] if self.values else own)

    def to_dict(self) -> dict[str, Any]:
        """The plain values behind `blueprint.json`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "network": dict(self.network),
            "training": dict(self.training),
            "compression": dict(self.compression),
            "repairs": list(self.repairs),
            **({"values": dict(self.values)} if self.values else {}),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Blueprint":
        """The inverse of `to_dict`.

        Raises:
            ValueError: The values were written by another version of the format.
        """
        version = values.get("schema_version")
        if version != SCHEMA_VERSION:
            raise ValueError(f"schema_version is {version!r}, this evonas reads {SCHEMA_VERSION}")
        return cls(
            network=values["network"],
            training=values["training"],
            compression=values["compression"],
            repairs=tuple(values["repairs"]),
            values=values.get("values", {}),
        )


def scaled_network(blueprint: Blueprint, scale: Scale) -> dict[str, Any]:
    """The network section with every number as it is built at this scale.

    Raises:
        BuildError: The strides leave nothing of the input.
    """
    return scaled(blueprint.network, scale)


def plan_network(blueprint: Blueprint, scale: Scale) -> Plan:
    """The parts and layers of the blueprint at this scale.

    Raises:
        BuildError: The strides leave nothing of the input.
    """
    return planned(scaled_network(blueprint, scale))


def network_key(blueprint: Blueprint, scale: Scale) -> str:
    """Equal for designs that are the same network at this scale, whatever else differs."""
    return key_of(built_meaning(scaled_network(blueprint, scale)))
