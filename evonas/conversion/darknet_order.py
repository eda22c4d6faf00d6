"""Where the numbers of a Darknet file belong in a network: its convolutions in a cfg's order."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import nn

from evonas.models import Network
from evonas.models.cross_stage import CrossStage
from evonas.presets.cfg_order import in_darknet_order

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Section:
    """A [convolutional] or [connected] of a cfg, as it lies in a network.

    `shape`: of its kernel. `first`: the first of its output channels within the layer. `columns`:
    where in the layer its input channels lie, in the order of the cfg; None: as they are there.
    """

    layer: str
    norm: str | None
    shape: Shape
    first: int = 0
    columns: tuple[int, ...] | None = None

    @property
    def tensors(self) -> tuple[str, ...]:
        """Names of the tensors it fills, in the order of the file; the kernel is the last."""
        kernel = f"{self.layer}.weight"
        if self.norm is None:
            return (f"{self.layer}.bias", kernel)
        names = ("bias", "weight", "running_mean", "running_var")
        return (*(f"{self.norm}.{name}" for name in names), kernel)

    @property
    def numbers(self) -> int:
        """How many numbers it has in the file."""
        return sum(math.prod(shape) for _, shape in self._shapes())

    def parted(self, numbers: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
        """Its numbers in the file, (numbers,), as the tensors it fills, by name."""
        for name, shape in self._shapes():
            yield name, numbers[: math.prod(shape)].reshape(shape)
            numbers = numbers[math.prod(shape) :]

    def put(self, values: torch.Tensor, whole: torch.Tensor) -> None:
        """Writes one of these tensors where it belongs in the layer's, which may be larger."""
        rows = whole[self.first : self.first + len(values)]
        if values.dim() == 1 or self.columns is None:
            rows.copy_(values)
        else:
            rows[:, list(self.columns)] = values

    def _shapes(self) -> Iterator[tuple[str, Shape]]:
        *vectors, kernel = self.tensors
        yield from ((name, self.shape[:1]) for name in vectors)
        yield kernel, self.shape


def sections(network: Network) -> list[Section]:
    """The sections in the order of the cfg: part by part, in each as its modules stand."""
    found: list[Section] = []
    crossed: tuple[str, int] | None = None
    for name, module in _modules(network):
        if isinstance(module, CrossStage):
            found += _halves(found.pop(), module.around)
            crossed = (f"{name}.", module.around)
        elif isinstance(module, nn.Conv2d | nn.Linear):
            section = Section(name, None, tuple(module.weight.shape))
            if crossed is not None and not name.startswith(crossed[0]):
                section, crossed = _joining(section, crossed[1]), None
            found.append(section)
        elif isinstance(module, nn.BatchNorm2d):
            found[-1] = replace(found[-1], norm=name)
        else:
            assert not [*module.parameters(recurse=False)], f"{name} has weights of no section"
    return found


def _modules(network: Network) -> Iterator[tuple[str, nn.Module]]:
    for part in in_darknet_order(network.plan):
        yield from network.get_submodule(part.name).named_modules(prefix=part.name)


def _halves(both: Section, around: int) -> tuple[Section, Section]:
    """Two convolutions of a cfg that are one in the network: around the blocks, and before them."""
    through, *kernel = both.shape[0] - around, *both.shape[1:]
    first = replace(both, shape=(around, *kernel))
    return first, replace(both, shape=(through, *kernel), first=around)


def _joining(section: Section, around: int) -> Section:
    """What reads both parts of a stage: a cfg has the blocks' maps first, `layers = -1,-7`."""
    channels = range(section.shape[1])
    return replace(section, columns=(*channels[around:], *channels[:around]))
