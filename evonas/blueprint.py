"""What was chosen, in words: the one record that evolution and models share."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Blueprint:
    """A decoded design as nested plain values.

    `network` says what is built, `training` which settings of the training recipe the design
    brings along, `compression` what is done to the trained network. `repairs` tells in words
    what decoding had to change; it is no part of the design's identity.
    """

    network: Mapping[str, Any]
    training: Mapping[str, Any] = field(default_factory=dict)
    compression: Mapping[str, Any] = field(default_factory=dict)
    repairs: tuple[str, ...] = ()

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that designs of equal meaning share (see `space.canonical`)."""
        return key_of([self.network, self.training, self.compression])

    def to_dict(self) -> dict[str, Any]:
        """The plain values behind `blueprint.json`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "network": dict(self.network),
            "training": dict(self.training),
            "compression": dict(self.compression),
            "repairs": list(self.repairs),
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
        )


def key_of(values: Any) -> str:
    """A short hash of plain values that does not depend on the order of mapping keys."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
