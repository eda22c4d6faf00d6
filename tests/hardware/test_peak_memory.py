import pytest
import torch
from torch import nn

from evonas.blueprint import plan_network
from evonas.hardware.memory import Move, network_memory_bytes, peak_elements, peak_memory_bytes
from evonas.models import count
from evonas.presets import preset


class Skipped(nn.Module):
    """Two convolutions and a skip around them."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, 6, 3, padding=1, bias=False)
        self.second = nn.Conv2d(6, 2, 3, padding=1, bias=False)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return maps + self.second(torch.relu(self.first(maps)))


def memory(network: nn.Module, shape: tuple[int, int, int]) -> int:
    return network_memory_bytes(network.to("meta"), shape)


def test_a_skipped_block_keeps_its_input_to_the_end() -> None:
    # 4x4 maps: image 32 numbers, hidden 96, second 32. The peak is the second convolution: the
    # image that the skip waits for, the hidden maps and the result. Weights 2 x 108.
    assert memory(Skipped(), (2, 4, 4)) == 4 * (32 + 96 + 32 + 216)


def test_without_the_skip_the_image_is_gone_by_then() -> None:
    # The peak is either convolution: what it reads and what it makes, 32 + 96; 2 x 108 weights.
    skipped = Skipped()
    network = nn.Sequential(skipped.first, nn.ReLU(), skipped.second)
    assert memory(network, (2, 4, 4)) == 4 * (128 + 216)


def test_a_norm_writes_over_what_it_reads_unless_that_is_read_later() -> None:
    one_after_the_other = nn.Sequential(nn.ReLU(), nn.Sigmoid(), nn.Hardswish())
    assert memory(one_after_the_other, (1, 4, 4)) == 4 * 16

    class Gate(nn.Module):
        def forward(self, maps: torch.Tensor) -> torch.Tensor:
            return maps * torch.sigmoid(maps)

    assert memory(Gate(), (1, 4, 4)) == 4 * (16 + 16)


def test_maps_that_are_concatenated_are_there_twice() -> None:
    class Twice(nn.Module):
        def forward(self, maps: torch.Tensor) -> torch.Tensor:
            return torch.cat([nn.functional.avg_pool2d(maps, 2), maps[:, :, ::2, ::2]], 1)

    # Image 16, pooled 4, together 8; a slice takes nothing but keeps the image alive.
    assert memory(Twice(), (1, 4, 4)) == 4 * (16 + 4 + 8)


def test_a_map_that_nobody_reads_lives_while_it_is_made() -> None:
    moves = [Move((0,), 1, 50), Move((0,), 2, 5), Move((2,), 3, 5)]
    assert peak_elements(10, moves, 3) == 60


def test_mobilenet_v2_peaks_at_its_first_depthwise_convolution_of_stride_2() -> None:
    made = preset("mobilenet_v2")
    plan = plan_network(made.blueprint, made.scale)
    statistics = peak_memory_bytes(plan) / 4 - count(plan).parameters - 96 * (112**2 + 56**2)
    assert 0 < statistics < 40_000, "the rest is the running means and variances of its norms"


@pytest.mark.parametrize("name", ["darts_v2_cifar", "mobilenet_v3_small"])
def test_no_network_needs_less_than_its_weights_and_its_image(name: str) -> None:
    made = preset(name)
    plan = plan_network(made.blueprint, made.scale)
    channels, height, width = plan.input_shape
    least = 4 * (count(plan).parameters + channels * height * width)
    assert least < peak_memory_bytes(plan) < 4 * least + 2**27
