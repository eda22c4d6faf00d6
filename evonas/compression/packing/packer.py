"""What packs a weight, and what comes of it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional


@dataclass(frozen=True)
class PackedWeight:
    """Tensors by what is behind the weight's name, and the weight's entry in the file's layout."""

    tensors: Mapping[str, torch.Tensor]
    layout: Mapping[str, Any]


class Packer(ABC):
    """A way to store weights in fewer bits; `exporters.packed_weights` has the form of the file."""

    @abstractmethod
    def stored_bytes(self, shape: Sequence[int]) -> int:
        """Of a packed weight of this shape."""

    @abstractmethod
    def packed(self, weight: torch.Tensor) -> PackedWeight:
        """A weight, (out_channels, in_channels, ...), in fewer bits."""


def nibbles(numbers: torch.Tensor) -> torch.Tensor:
    """(count / 2,) bytes, rounded up: two numbers from 0 to 15 in each, the first in its low half.

    >>> nibbles(torch.tensor([1, 2, 3])).tolist()
    [33, 3]
    """
    flat = numbers.flatten().to(torch.uint8)
    low, high = functional.pad(flat, (0, len(flat) % 2)).reshape(-1, 2).unbind(1)
    return low | high << 4
