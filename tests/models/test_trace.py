"""Following a forward pass on the meta device."""

import torch
from torch import nn

from evonas.blueprint import plan_network
from evonas.models import count, network_macs
from evonas.presets import preset


def test_counting_leaves_the_default_device_alone() -> None:
    found = preset("lenet5")
    count(plan_network(found.blueprint, found.scale))
    assert nn.Linear(1, 1).weight.device.type == "cpu"


def test_functions_are_counted_as_their_modules_are() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.kernels = nn.Parameter(torch.ones(6, 2, 3, 3))
            self.linear = nn.Parameter(torch.ones(5, 6))

        def forward(self, maps: torch.Tensor) -> torch.Tensor:
            maps = nn.functional.conv2d(maps, self.kernels, stride=2, padding=1, groups=2)
            return nn.functional.linear(maps.mean((2, 3)), self.linear)

    assert network_macs(Twice(), (4, 8, 8)) == 6 * 2 * 9 * 4 * 4 + 5 * 6
