"""A batch in mini-batches: gradients add up, and norms may look at all of them."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch


def cut(
    images: torch.Tensor, targets: torch.Tensor, mini_batches: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """A batch in at most so many parts, the last of which may be smaller."""
    return zip(images.chunk(mini_batches), targets.chunk(mini_batches), strict=True)


@dataclass
class Accumulation:
    """Hands out the mini-batches of a batch, and knows which of them is on its way.

    `share`: its images, as a part of those of the batch up to and with it: 1 for the first.
    """

    mini_batches: int = 1
    share: float = field(default=1.0, init=False)
    is_last: bool = field(default=True, init=False)

    def parts(
        self, images: torch.Tensor, targets: torch.Tensor
    ) -> Iterator[tuple[float, torch.Tensor, torch.Tensor]]:
        """Each mini-batch behind its part of the batch, 0..1."""
        seen = 0
        for some, their_targets in cut(images, targets, self.mini_batches):
            seen += len(some)
            self.share, self.is_last = len(some) / seen, seen == len(images)
            yield len(some) / len(images), some, their_targets
