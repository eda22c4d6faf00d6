"""The parts of a network of cells: what a cell is made of, and how cells follow each other."""

from collections.abc import Callable, Mapping

import torch
from torch import nn

from evonas.models.activations import ACTIVATIONS
from evonas.models.layers import ActivationConvNorm, DropPath, SumWeights
from evonas.models.norms import NORMS


def add(maps: list[torch.Tensor]) -> torch.Tensor:
    """The sum of maps of one shape."""
    total = maps[0]
    for more in maps[1:]:
        total = total + more
    return total


def concat(maps: list[torch.Tensor]) -> torch.Tensor:
    """All channels, one behind the other."""
    return torch.cat(maps, 1) if len(maps) > 1 else maps[0]


def mean(maps: list[torch.Tensor]) -> torch.Tensor:
    """The mean of maps of one shape (FractalNet's join, arXiv 1605.07648, section 3)."""
    return add(maps) / len(maps)


COMBINES: Mapping[str, Callable[[list[torch.Tensor]], torch.Tensor]] = {
    "add": add,
    "concat": concat,
    "mean": mean,
    "weighted": add,  # with `SumWeights`
}


class Dropped(nn.Sequential):
    """An operation whose result is left out for some images while training."""

    def __init__(self, operation: nn.Module, probability: float) -> None:
        super().__init__(operation, DropPath(probability))


class Node(nn.Module):
    """One state of a cell: operations on earlier states, combined.

    Args:
        operations: One for each of `states`.
        combine: A name in `COMBINES`.
    """

    def __init__(self, operations: list[nn.Module], states: list[int], combine: str) -> None:
        super().__init__()
        self.operations = nn.ModuleList(operations)
        self.states = states
        self.combine = COMBINES[combine]
        self.weights = SumWeights(len(operations)) if combine == "weighted" else None

    def forward(self, states: list[torch.Tensor]) -> torch.Tensor:
        """The states so far, each (batch, channels, height, width), to the next one."""
        pairs = zip(self.operations, self.states, strict=True)
        terms = [operation(states[state]) for operation, state in pairs]
        if self.weights is not None:
            terms = [term * weight for term, weight in zip(terms, self.weights(), strict=True)]
        return self.combine(terms)


class Cell(nn.Module):
    """A small graph of operations (NASNet, arXiv 1707.07012, section 3.1).

    Args:
        inputs: What makes each given map a state.
        nodes: The other states, in order.
        outputs: The states that are concatenated.
    """

    role = "cell"

    def __init__(self, inputs: list[nn.Module], nodes: list[nn.Module], outputs: list[int]) -> None:
        super().__init__()
        self.inputs = nn.ModuleList(inputs)
        self.nodes = nn.ModuleList(nodes)
        self.outputs = outputs

    def forward(self, *given: torch.Tensor) -> torch.Tensor:
        """The outputs of earlier cells to that of this one."""
        states = [fit(maps) for fit, maps in zip(self.inputs, given, strict=True)]
        for node in self.nodes:
            states.append(node(states))
        return concat([states[state] for state in self.outputs])


class ResidualReduction(nn.Module):
    """Two 3x3 convolutions beside a pooled 1x1 one: halves the map, changes the channels.

    The reduction of NAS-Bench-201 (arXiv 2001.00326, section 2.1), a basic residual block.
    """

    role = "unit"

    def __init__(
        self, in_channels: int, out_channels: int, stride: int, activation: str, norm: str
    ) -> None:
        super().__init__()
        self.first = ActivationConvNorm(in_channels, out_channels, 3, stride, 1, activation, norm)
        self.second = ActivationConvNorm(out_channels, out_channels, 3, 1, 1, activation, norm)
        self.pool = nn.AvgPool2d(stride, stride, ceil_mode=True, count_include_pad=False)
        self.project = nn.Conv2d(in_channels, out_channels, 1, bias=False)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(batch, in_channels, height, width) to (batch, out_channels, height / stride, ...)."""
        shortcut: torch.Tensor = self.project(self.pool(maps))
        residual: torch.Tensor = self.second(self.first(maps))
        return residual + shortcut


class NormActivation(nn.Sequential):
    """A norm and an activation, in front of a head."""

    def __init__(self, channels: int, activation: str, norm: str) -> None:
        super().__init__(NORMS[norm](channels), ACTIVATIONS[activation](channels))
