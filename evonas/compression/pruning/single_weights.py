"""Single weights become zero, and stay it: the network does as much work as before."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from evonas.compression.pruning.importance import Scores
from evonas.compression.pruning.method import Cut, Method
from evonas.compression.step import Section
from evonas.models.network import Network
from evonas.training.attachment import Attachment
from evonas.training.parts import weighted


class Weights(Method):
    """Magnitude pruning (Han et al., arXiv 1506.02626): of each layer's weights the least go."""

    saves_macs = False

    def planned(self, section: Section, shares: Sequence[float]) -> Section:
        """See `Method.planned`."""
        return section

    def check(self, cut: Cut) -> None:
        """Every network has weights."""

    @torch.no_grad()
    def cut(self, network: Network, cut: Cut, importance: Scores) -> Network:
        """See `Method.cut`; the network itself."""
        names = {id(tensor): name for name, tensor in network.named_parameters()}
        for tensor in _weights(network):
            scores = importance[names[id(tensor)]].flatten()
            stays = torch.ones_like(scores)
            stays[scores.argsort(stable=True)[: round(len(scores) * cut.shares[0])]] = 0
            tensor.mul_(stays.view(tensor.shape).to(tensor.device))
        return network

    def attachments(self, network: Network) -> list[Attachment]:
        """See `Method.attachments`."""
        return [ZerosStay()]


def _weights(network: nn.Module) -> list[nn.Parameter]:
    return [layer.get_parameter("weight") for layer in weighted(network)]


class ZerosStay(Attachment):
    """Weights of convolutions and linear layers that are zero at the beginning stay it."""

    @contextmanager
    def attached(
        self, network: nn.Module, device: torch.device, state: Mapping[str, torch.Tensor]
    ) -> Iterator[None]:
        """See `Attachment.attached`."""
        kept = [(tensor, (tensor != 0).to(device)) for tensor in _weights(network)]

        @torch.no_grad()
        def silence(*_: Any) -> None:
            for tensor, mask in kept:
                tensor.mul_(mask)

        handle = network.register_forward_pre_hook(silence)
        try:
            yield
        finally:
            handle.remove()
            silence()
