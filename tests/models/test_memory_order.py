"""Trainings hold maps channels last; elsewhere operations are plain. Both give the same numbers."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch.nn import functional

from evonas.models.layers import ChannelShuffle, GlobalPool, SqueezeExcite, make_convolution
from evonas.models.memory_order import map_means, split_channels

ORDERS = (torch.channels_last, torch.contiguous_format)
SHARED = {
    "means": map_means,
    "means with h = w = 1": lambda maps: map_means(maps, keepdim=True),
    "shuffled": ChannelShuffle(2),
    "split": lambda maps: torch.cat([*reversed(split_channels(maps, 2))], 1),
}
both_orders = pytest.mark.parametrize("order", ORDERS)


def maps_in(order: torch.memory_format) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 6, 4, 5, generator=generator).contiguous(memory_format=order)


@both_orders
@pytest.mark.parametrize("name", SHARED)
def test_outputs_do_not_depend_on_the_order_nor_on_gradients(
    name: str, order: torch.memory_format
) -> None:
    with torch.no_grad():
        expected = SHARED[name](maps_in(torch.contiguous_format))
    torch.testing.assert_close(SHARED[name](maps_in(order)), expected)


@pytest.mark.parametrize("name", SHARED)
def test_gradients_do_not_depend_on_the_order(name: str) -> None:
    gradients = []
    for order in ORDERS:
        maps = maps_in(order).requires_grad_()
        made = SHARED[name](maps)
        torch.autograd.backward(made, torch.arange(1.0, made.numel() + 1).view(made.shape))
        gradients.append(maps.grad)
    torch.testing.assert_close(*gradients)


@both_orders
@pytest.mark.parametrize(
    "made",
    [*SHARED.values(), GlobalPool(), SqueezeExcite(6, 2, "relu", "sigmoid")],
    ids=[*SHARED, "pool", "attention"],
)
def test_gradients_lie_in_memory_as_the_maps_do(
    made: Callable[[torch.Tensor], torch.Tensor], order: torch.memory_format
) -> None:
    gradients: list[torch.Tensor] = []
    doubled = 2 * maps_in(order).requires_grad_()
    doubled.register_hook(gradients.append)
    given = made(doubled)
    torch.autograd.backward(given, torch.ones_like(given))
    assert gradients[0].is_contiguous(memory_format=order)


@pytest.mark.parametrize(("channels", "stride"), [(8, 2), (15, 2), (4, 3), (3, (2, 1))])
def test_gradients_of_strided_pointwise_convolutions_are_right_whatever_the_order(
    channels: int, stride: int | tuple[int, int]
) -> None:
    convolution = make_convolution(channels, 8, 1, stride)
    images = torch.randn(8, channels, 96, 96)
    gradients = []
    for order in (torch.contiguous_format, torch.channels_last):
        given = images.clone(memory_format=order).requires_grad_()
        own = copy.deepcopy(convolution).to(memory_format=order)  # type: ignore[call-overload]
        own(given).square().mean().backward()
        gradients.append((given.grad, own.weight.grad))
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)
    with torch.no_grad():
        plain = functional.conv2d(images, convolution.weight, stride=stride)
    torch.testing.assert_close(convolution(images), plain)
