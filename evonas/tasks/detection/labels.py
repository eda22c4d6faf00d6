"""What a detector is to find in a batch, and what it says of it, as tensors of one kind each."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

BRANCH = 3  # outputs of a branch: boxes, logits, distances
WEIGHT = 5  # the column of a label's weight, where there is one


@dataclass(frozen=True)
class Labels:
    """All boxes of a batch, one after the other.

    `image`: of which image each is; `classes`, both int64 (labels,). `boxes`: (labels, 4) in px.
    `weights`: how much each counts, (labels,).
    """

    image: torch.Tensor
    classes: torch.Tensor
    boxes: torch.Tensor
    weights: torch.Tensor

    @classmethod
    def of(cls, targets: torch.Tensor) -> "Labels":
        """Those of targets (batch, most, 5 or 6); class -1 is no box."""
        image, place = (targets[..., 0] >= 0).nonzero(as_tuple=True)
        rows = targets[image, place]
        weights = rows[:, WEIGHT] if rows.shape[1] > WEIGHT else torch.ones_like(rows[:, 0])
        return cls(image, rows[:, 0].long(), rows[:, 1:WEIGHT], weights)

    def __len__(self) -> int:
        return len(self.image)


@dataclass(frozen=True)
class Branch:
    """What a branch of a network says at each of its points.

    `boxes` (batch, points, 4) in px, `logits` (batch, points, classes), `distances` (batch,
    points, 4 x bins); `priors` (points, 4): centre and size of each point's cell, in px.
    """

    boxes: torch.Tensor
    logits: torch.Tensor
    distances: torch.Tensor
    priors: torch.Tensor


def branches(outputs: Sequence[torch.Tensor]) -> tuple[Branch, Branch | None]:
    """The branch that is deployed, and the one beside it that teaches many points a box.

    Without the second, the first does that.
    """
    priors = outputs[BRANCH][0]
    many = outputs[BRANCH + 1 :]
    deployed, *beside = (
        Branch(boxes, logits, distances, priors)
        for boxes, logits, distances in (own for own in (outputs[:BRANCH], many) if own)
    )
    return deployed, beside[0] if beside else None
