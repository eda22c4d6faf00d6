"""What looks at a training after each epoch; all of it a function of the losses so far.

Nothing is remembered beside the losses, so a training that was stopped goes on the same.
"""

import math
from collections.abc import Sequence

from evonas.errors import TrialFailure

REDUCTION = 0.1


def epochs_without_gain(losses: Sequence[float]) -> int:
    """How many epochs ago the lowest loss was.

    >>> epochs_without_gain([2.0, 1.0, 1.5, 1.0])
    2
    """
    return len(losses) - 1 - losses.index(min(losses)) if losses else 0


def is_stopped_early(losses: Sequence[float], patience: int | None) -> bool:
    """True once `patience` epochs in a row have brought no lower loss; never without patience."""
    return patience is not None and epochs_without_gain(losses) >= patience


def plateau_factor(losses: Sequence[float], plateau: int | None) -> float:
    """What is left of the learning rate: a tenth for each `plateau` epochs without a lower loss.

    >>> plateau_factor([2.0, 1.0, 1.5, 1.0, 0.5], plateau=2)
    0.1
    """
    if plateau is None:
        return 1.0
    lowest, waited, factor = math.inf, 0, 1.0
    for loss in losses:
        lowest, waited = (loss, 0) if loss < lowest else (lowest, waited + 1)
        if waited == plateau:
            waited, factor = 0, factor * REDUCTION
    return factor


def check_finite(loss: float, epoch: int) -> None:
    """Ends a training whose loss is no number any more.

    Raises:
        TrialFailure: So it is (`diverged`).
    """
    if not math.isfinite(loss):
        raise TrialFailure("diverged", f"the training loss is {loss} in epoch {epoch + 1}")
