"""Weights in fewer bits as a file, and how the numbers come out of it again.

`compression.packing` writes such files. What reads them is plain torch, and part of the source of a
network that is shipped so: see `network_source`.

A weight of a convolution or a linear layer is a matrix, (out_channels, all else), whose rows are
cut into blocks. Under its own name the file has a whole number for each weight, and under
`NAME.scale`, (out_channels, blocks), what those of a block are multiplied by; or the file has a
whole number for each block, and under `NAME.codebook`, (codewords, block), what that stands for.
Numbers of 4 bits lie two in a byte. All other tensors are there as they are, in fewer bits. The
metadata `layout` holds for each weight its `shape`, the `bits` of a number, and the `block`.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file


def load_packed(file: Path) -> dict[str, torch.Tensor]:
    """The weights in packed.safetensors in 32 bits, by their names in the network."""
    with safe_open(file, framework="pt") as opened:
        layout = json.loads(opened.metadata()["layout"])
    return unpacked(load_file(file), layout)


def unpacked(
    stored: Mapping[str, torch.Tensor], layout: Mapping[str, Mapping[str, Any]]
) -> dict[str, torch.Tensor]:
    """Tensors in 32 bits, of what is stored and how."""
    tensors = {}
    for name in sorted(stored):
        if name in layout:
            tensors[name] = unpacked_weight(name, stored, **layout[name])
        elif name.rpartition(".")[0] not in layout:
            tensors[name] = stored[name].float()
    return tensors


def unpacked_weight(
    name: str, stored: Mapping[str, torch.Tensor], shape: list[int], bits: int, block: int
) -> torch.Tensor:
    """A weight of this shape: numbers times their scales, or the codewords of numbers."""
    columns = math.prod(shape[1:])
    if f"{name}.codebook" in stored:
        count = shape[0] * math.ceil(columns / block)
        blocks = stored[f"{name}.codebook"].float()[whole_numbers(stored[name], bits, count)]
        return blocks.reshape(shape[0], -1)[:, :columns].reshape(shape)
    numbers = whole_numbers(stored[name], bits, math.prod(shape))
    if bits == 4:
        numbers = numbers - 8  # stored from 0 on
    scales = stored[f"{name}.scale"].float().repeat_interleave(block, 1)[:, :columns]
    return (numbers.reshape(shape[0], -1) * scales).reshape(shape)


def whole_numbers(stored: torch.Tensor, bits: int, count: int) -> torch.Tensor:
    """(count,), of which two lie in a byte if they have 4 bits: the first in its lower half."""
    if bits != 4:
        return stored.flatten().long()
    return torch.stack((stored & 15, stored >> 4), dim=-1).flatten()[:count].long()
