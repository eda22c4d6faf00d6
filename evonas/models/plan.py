"""A network as a list of layers with their arguments: built, and written as source, from this."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from evonas.models.constants import set_constants


@dataclass(frozen=True)
class Layer:
    """One module: its class and the keyword arguments: plain values, layers, or lists of them."""

    module: type[nn.Module]
    arguments: Mapping[str, Any]

    def build(self) -> nn.Module:
        """The module, freshly initialised."""
        return self.module(**{name: _built(value) for name, value in self.arguments.items()})

    @property
    def modules(self) -> Iterator[type[nn.Module]]:
        """Its class, and those of the layers in its arguments."""
        yield self.module
        for value in self.arguments.values():
            yield from _modules(value)


def _built(value: Any) -> Any:
    if isinstance(value, Layer):
        return value.build()
    return [_built(item) for item in value] if isinstance(value, list) else value


def _modules(value: Any) -> Iterator[type[nn.Module]]:
    if isinstance(value, Layer):
        yield from value.modules
    elif isinstance(value, list):
        for item in value:
            yield from _modules(item)


@dataclass(frozen=True)
class Plan:
    """Named parts, each one layer or several in a row; the network runs through them in order."""

    parts: tuple[tuple[str, tuple[Layer, ...]], ...]
    input_shape: tuple[int, int, int]  # (channels, height, width)
    classes: int
    constants: Mapping[str, float] = field(default_factory=dict)  # arguments of `set_constants`


class Network(nn.Module):
    """What a plan describes. Parameter names equal those of the exported source."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        for name, layers in plan.parts:
            modules = [layer.build() for layer in layers]
            part = modules[0] if len(modules) == 1 else nn.Sequential(*modules)
            self.add_module(name, part)
        set_constants(self, **plan.constants)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(batch, channels, height, width) to logits (batch, classes)."""
        maps = images
        for part in self.children():
            maps = part(maps)
        return maps
