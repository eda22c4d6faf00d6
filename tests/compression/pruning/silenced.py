"""A network whose channels that go do nothing: pruned of them, it gives what it gave."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from evonas.compression.pruning.matching import Coupling, meta_network
from evonas.models import Network
from evonas.networks import narrowed
from evonas.networks import planned as plan_of
from evonas.networks.plan import Plan
from evonas.tasks.task import outputs_of

Outputs = tuple[torch.Tensor, ...]


@torch.no_grad()
def before_and_after(
    section: Mapping[str, Any], shares: Sequence[float]
) -> tuple[Outputs, Outputs]:
    """What a network gives without the weights of some channels, and without the channels."""
    before, after = plan_of(section), plan_of(narrowed(section, shares))
    coupling, network = Coupling(before, after), lively_network(before)
    images = torch.randn(1, *before.input_shape, generator=torch.Generator().manual_seed(0))
    kept = some_kept(coupling)
    _silence(network, coupling, gone(coupling, kept))
    narrow = narrow_network(coupling, network, kept)
    return outputs_of(network(images)), outputs_of(narrow(images))


def lively_network(plan: Plan) -> Network:
    """A network, always the same, in which no norm or bias does nothing."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Network(plan).eval()
        for name, tensor in network.state_dict().items():
            if name.endswith("running_var"):
                tensor.uniform_(0.5, 1.5)
            elif tensor.is_floating_point() and tensor.dim() == 1:
                tensor.normal_(1 if name.endswith("weight") else 0, 0.3)
    return network


def some_kept(coupling: Coupling) -> dict[int, int]:
    """For each channel of the narrower network any that may become it."""
    return coupling.kept(np.random.default_rng(0).random(coupling.large.labels.max() + 1))


def gone(coupling: Coupling, kept: Mapping[int, int]) -> torch.Tensor:
    """For each number of the larger network's channels, whether what it counts is gone."""
    is_gone = np.ones(coupling.large.labels.max() + 1, bool)
    is_gone[[*kept.values()]] = False
    return torch.from_numpy(is_gone[coupling.large.labels])


def narrow_network(coupling: Coupling, network: Network, kept: Mapping[int, int]) -> Network:
    narrow = meta_network(coupling.small_plan)
    narrow.load_state_dict(coupling.narrowed(network.state_dict(), kept), assign=True)
    return narrow.eval()


def _silence(network: Network, coupling: Coupling, is_gone: torch.Tensor) -> None:
    """Zeros for all weights of the other channels: what makes, changes or reads them."""
    state = network.state_dict()
    for name, axes in coupling.large.axes.items():
        if "running" in name:
            continue
        state[name][is_gone[axes.out.flatten()]] = 0
        if axes.into is not None:
            read = is_gone[axes.into.flatten()].view(axes.groups, -1)
            state[name][read.repeat_interleave(len(state[name]) // axes.groups, 0)] = 0


def check_pruning(section: Mapping[str, Any], shares: Sequence[float]) -> None:
    """Outputs are those of before, and no others."""
    before, after = before_and_after(section, shares)
    assert [each.shape for each in before] == [each.shape for each in after]
    for one, other in zip(before, after, strict=True):
        assert one.numel() == 1 or one.std() > 0
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4 * float(one.abs().max()))
