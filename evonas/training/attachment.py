"""What acts on a network while it trains and is gone afterwards, beside what the recipe says."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import torch
from torch import nn


class Attachment:
    """One thing that a training is done with. This one does nothing.

    `modules`: what it trains along. `state`: tensors by name with which it goes on after a stop.
    """

    modules: tuple[nn.Module, ...] = ()

    @property
    def parameters(self) -> list[nn.Parameter]:
        """Those of its modules."""
        return [tensor for module in self.modules for tensor in module.parameters()]

    @property
    def state(self) -> Mapping[str, torch.Tensor]:
        """What a checkpoint keeps, under names that nothing else has."""
        return {}

    @contextmanager
    def attached(
        self, network: nn.Module, device: torch.device, state: Mapping[str, torch.Tensor]
    ) -> Iterator[None]:
        """Acts on the network in the block.

        Args:
            state: What a checkpoint kept, of this and of other things; empty at the beginning.
        """
        yield

    def before_epoch(self) -> None:
        """Called in the block, with the weights that are trained next."""

    def loss(
        self, images: torch.Tensor, outputs: tuple[torch.Tensor, ...], plain: torch.Tensor
    ) -> torch.Tensor:
        """What the training makes small.

        Args:
            images: (batch, channels, height, width), as the network saw them: normalised, varied.
            outputs: What the network gave.
            plain: The loss without this attachment.
        """
        return plain


@contextmanager
def all_attached(
    attachments: Sequence[Attachment],
    network: nn.Module,
    device: torch.device,
    state: Mapping[str, torch.Tensor],
) -> Iterator[None]:
    """Lets all of them act on the network in the block, in their order."""
    with ExitStack() as stack:
        for attachment in attachments:
            stack.enter_context(attachment.attached(network, device, state))
        yield
