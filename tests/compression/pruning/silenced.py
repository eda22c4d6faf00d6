"""A network whose channels that go do nothing: pruned of them, it gives what it gave."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from evonas.compression.pruning.matching import Coupling
from evonas.models import Network
from evonas.networks import narrowed
from evonas.networks import planned as plan_of
from evonas.tasks.task import outputs_of

Outputs = tuple[torch.Tensor, ...]


@torch.no_grad()
def before_and_after(
    section: Mapping[str, Any], shares: Sequence[float]
) -> tuple[Outputs, Outputs]:
    """What a network gives without the weights of some channels, and without the channels."""
    before, after = plan_of(section), plan_of(narrowed(section, shares))
    coupling = Coupling(before, after)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Network(before)
        _make_lively(network)
        images = torch.randn(2, *before.input_shape)
        kept = coupling.kept(np.random.default_rng(0).random(coupling.large.labels.max() + 1))
    _silence(network, coupling, set(kept.values()))
    narrow = Network(after)
    narrow.load_state_dict(coupling.narrowed(network.state_dict(), kept))
    return outputs_of(network.eval()(images)), outputs_of(narrow.eval()(images))


def _make_lively(network: Network) -> None:
    """No norm or bias does nothing."""
    for name, tensor in network.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 1.5)
        elif tensor.is_floating_point() and tensor.dim() == 1:
            tensor.normal_(1 if name.endswith("weight") else 0, 0.3)


def _silence(network: Network, coupling: Coupling, kept: set[int]) -> None:
    """Zeros for all weights of the other channels: what makes, changes or reads them."""
    labels, state = coupling.large.labels, network.state_dict()
    for name, axes in coupling.large.axes.items():
        if "running" in name:
            continue
        state[name][_gone(labels[axes.out.flatten().numpy()], kept)] = 0
        if axes.into is not None:
            read = _gone(labels[axes.into.flatten().numpy()], kept).view(axes.groups, -1)
            state[name][read.repeat_interleave(len(state[name]) // axes.groups, 0)] = 0


def _gone(labels: Any, kept: set[int]) -> torch.Tensor:
    return torch.from_numpy(~np.isin(labels, list(kept)))


def check_pruning(section: Mapping[str, Any], shares: Sequence[float]) -> None:
    """Outputs are those of before, and no others."""
    before, after = before_and_after(section, shares)
    assert [each.shape for each in before] == [each.shape for each in after]
    for one, other in zip(before, after, strict=True):
        assert one.std() > 0
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4 * float(one.abs().max()))
