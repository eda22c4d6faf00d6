"""Operations that keep the order in which maps lie in memory: trainings are the faster for it."""

from collections.abc import Sequence

import torch
from torch.nn import functional

ONEDNN_BLOCK = 16  # channels that its kernels of AVX-512 take at once


def trains_channels_last(maps: torch.Tensor) -> bool:
    """True where gradients flow through maps whose pixels lie channels last in memory.

    What is made of them shall lie so, too, and its gradient: where orders meet, an operation takes
    up to ten times the time. Elsewhere the plainest operations count, which ONNX has as well.
    """
    return torch.is_grad_enabled() and maps.is_contiguous(memory_format=torch.channels_last)


def map_means(maps: torch.Tensor, keepdim: bool = False) -> torch.Tensor:
    """The mean of each map: (batch, channels, h, w) to (batch, channels), or with h = w = 1."""
    if not trains_channels_last(maps):
        return maps.mean((2, 3), keepdim=keepdim)
    means = maps.permute(0, 2, 3, 1).mean((1, 2), keepdim=keepdim)
    return means.permute(0, 3, 1, 2) if keepdim else means


def split_channels(maps: torch.Tensor, first: int) -> tuple[torch.Tensor, torch.Tensor]:
    """So many first channels, at least one and not all, and the others.

    Where gradients flow, both parts' go back at once: slices' are filled up with zeros and added.
    """
    if not torch.is_grad_enabled():
        return maps[:, :first], maps[:, first:]
    one, other = torch.split(maps, [first, maps.size(1) - first], 1)
    return one, other


def writes_beyond_its_memory(
    weight_shape: Sequence[int], stride: Sequence[int], padding: Sequence[int], groups: int
) -> bool:
    """Whether the gradient of a convolution does so in oneDNN, if maps lie channels last.

    That is of 1x1 convolutions with a stride that read fewer channels than a block: gradients are
    wrong then, or the process ends (https://github.com/uxlfoundation/oneDNN/issues/6035).

    Args:
        weight_shape: (out_channels, in_channels / groups, height, width).
    """
    _, channels, *kernel = weight_shape
    is_pointwise = max(kernel) == 1 and groups == 1 and not any(padding)
    return is_pointwise and channels < ONEDNN_BLOCK and max(stride) > 1


def strided_pointwise(
    maps: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, stride: Sequence[int]
) -> torch.Tensor:
    """A 1x1 convolution with a stride as one without, on the pixels that it looks at.

    (batch, in_channels, h, w) to (batch, out_channels, ceil(h / stride), ceil(w / stride)).
    """
    down, right = stride
    return functional.conv2d(maps[..., ::down, ::right], weight, bias)
