"""A network as data: parts of layers that read each other. Built, counted and written from this."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

IMAGES = "images"  # what the first part reads


ENCODER = json.JSONEncoder(default=lambda layer: layer.to_dict())


class _Written(ABC):
    """Equal to what is written alike, and hashed by that."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Plain values: lists, numbers, words."""

    @cached_property
    def key(self) -> str:
        """The values as JSON, which tells 1 and 1.0 apart."""
        return ENCODER.encode(self._written())

    def _written(self) -> Any:
        return self.to_dict()

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.key == getattr(other, "key", None)

    def __hash__(self) -> int:
        return hash(self.key)


@dataclass(frozen=True, eq=False)
class Layer(_Written):
    """One module: its name in `models.MODULES`, and its keyword arguments.

    Arguments are plain values, layers, or lists of them.
    """

    module: str
    arguments: Mapping[str, Any]

    @property
    def parts(self) -> Iterator["Layer"]:
        """The layers among its arguments."""
        for value in self.arguments.values():
            for layer in value if isinstance(value, list) else [value]:
                if isinstance(layer, Layer):
                    yield layer

    @property
    def all(self) -> Iterator["Layer"]:
        """This layer, and those that it is made of, however deep."""
        yield self
        for layer in self.parts:
            yield from layer.all

    def _written(self) -> Any:
        """Without copies: counting asks for the keys of all layers of a design."""
        return [self.module, dict(self.arguments)]

    def to_dict(self) -> dict[str, Any]:
        """`module` and `arguments`; layers among the arguments likewise."""
        arguments = {name: _plain(value) for name, value in self.arguments.items()}
        return {"module": self.module, "arguments": arguments}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Layer":
        """The inverse of `to_dict`."""
        arguments = values["arguments"].items()
        return cls(values["module"], {name: _layered(value) for name, value in arguments})


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.to_dict() if isinstance(value, Layer) else value


def _layered(value: Any) -> Any:
    if isinstance(value, list):
        return [_layered(item) for item in value]
    is_layer = isinstance(value, dict) and value.keys() == {"module", "arguments"}
    return Layer.from_dict(value) if is_layer else value


@dataclass(frozen=True)
class Part:
    """Layers in a row, under the name that their weights have.

    `reads`: the parts whose maps the first layer is called with, in order; `IMAGES` is the input.
    """

    name: str
    layers: tuple[Layer, ...]
    reads: tuple[str, ...] = (IMAGES,)


def in_a_row(parts: Iterable[tuple[str, tuple[Layer, ...]]]) -> tuple[Part, ...]:
    """Parts of which each reads the one before."""
    row: list[Part] = []
    for name, layers in parts:
        row.append(Part(name, layers, (row[-1].name if row else IMAGES,)))
    return tuple(row)


@dataclass(frozen=True, eq=False)
class Plan(_Written):
    """Parts in an order in which they can run.

    `input_shape` is (channels, height, width) of an image. `outputs`: the parts that leave the
    network in a training. `bits`: of its weights and maps. `constants`: arguments of
    `models.set_constants`. `deployed`: the parts that leave the network that is deployed; the
    outputs unless others are named.
    """

    parts: tuple[Part, ...]
    input_shape: tuple[int, int, int]
    outputs: tuple[str, ...]
    bits: int = 32
    constants: Mapping[str, float] = field(default_factory=dict)
    deployed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.deployed:
            object.__setattr__(self, "deployed", self.outputs)
        known = [IMAGES]
        for part in self.parts:
            assert part.name not in known, f"two parts are called {part.name}"
            assert part.reads, f"{part.name} reads nothing"
            assert set(part.reads) <= {*known}, f"{part.name} reads {part.reads}, not all earlier"
            known.append(part.name)
        assert self.outputs, "no part leaves the network"
        leaving = (*self.outputs, *self.deployed)
        assert set(leaving) <= {*known[1:]}, f"of {leaving} some are no parts"

    def as_deployed(self) -> "Plan":
        """The plan of what is deployed, without parts that only a training needs."""
        return self.giving(*self.deployed)

    def giving(self, *outputs: str) -> "Plan":
        """The plan of a network that gives these parts, and has no others than they need.

        Parts keep their names, so that weights of the whole network fit.
        """
        alive = self.needed_for(outputs)
        if outputs == self.outputs and len(alive) == len(self.parts):
            return self
        parts = tuple(part for part in self.parts if part.name in alive)
        return replace(self, parts=parts, outputs=outputs, deployed=outputs)

    def needed_for(self, outputs: Iterable[str]) -> frozenset[str]:
        """The names of the parts that these are made of, themselves among them."""
        needed = set(outputs)
        for part in reversed(self.parts):
            if part.name in needed:
                needed.update(part.reads)
        return frozenset(needed - {IMAGES})

    @property
    def layers(self) -> Iterator[Layer]:
        """All layers, those in arguments of others too."""
        for part in self.parts:
            for layer in part.layers:
                yield from layer.all

    def to_dict(self) -> dict[str, Any]:
        """Plain values under the names of the fields."""
        parts = [
            {
                "name": part.name,
                "layers": [layer.to_dict() for layer in part.layers],
                "reads": list(part.reads),
            }
            for part in self.parts
        ]
        return {
            "parts": parts,
            "input_shape": list(self.input_shape),
            "outputs": list(self.outputs),
            "bits": self.bits,
            "constants": dict(self.constants),
            **({"deployed": list(self.deployed)} if self.deployed != self.outputs else {}),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Plan":
        """The inverse of `to_dict`."""
        parts = (
            Part(
                part["name"],
                tuple(Layer.from_dict(layer) for layer in part["layers"]),
                tuple(part["reads"]),
            )
            for part in values["parts"]
        )
        channels, height, width = values["input_shape"]
        shape, outputs = (channels, height, width), tuple(values["outputs"])
        deployed = tuple(values.get("deployed", outputs))
        return cls(tuple(parts), shape, outputs, values["bits"], values["constants"], deployed)
