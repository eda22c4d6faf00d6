"""Where a training stands."""

from dataclasses import dataclass, field

import torch


@dataclass
class Progress:
    """Enough to go on from, together with the network's weights.

    `curve` is the mean training loss of each epoch. Where there are validation images,
    `validation_curve` is the loss there and `validation_scores` the task's main measure. `state`
    holds what optimiser and averaging remember, by name. `bfloat16` is what the training began to
    compute in, and so goes on in.
    """

    epochs_done: int = 0
    state: dict[str, torch.Tensor] = field(default_factory=dict)
    curve: list[float] = field(default_factory=list)
    validation_curve: list[float] = field(default_factory=list)
    bfloat16: bool = False
    validation_scores: list[float] = field(default_factory=list)

    @property
    def loss_sum(self) -> float:
        """Sum of the training losses: tells early which of two designs learns faster.

        TSE of arXiv 2006.04492, equation 2, with epochs' means for its sums over batches.
        """
        return sum(self.curve)

    @property
    def watched(self) -> list[float]:
        """The losses that early stopping goes by: those on validation images if there are any."""
        return self.validation_curve or self.curve
