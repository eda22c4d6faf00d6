"""How sure a detector is to be of classes at a point: the table of class losses."""

from collections.abc import Callable, Mapping

import torch
from torch.nn import functional

ClassLoss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # of logits and soft targets
FOCUS = 2.0  # gamma of both focal losses
BACKGROUND = 0.75  # alpha of varifocal


def bce(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy with soft targets."""
    return functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")


def focal(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """|y - p|² x binary cross-entropy: the focal loss for soft targets y.

    The quality focal loss of Li et al. 2020, arXiv 2006.04388, equation 2.
    """
    return (targets - logits.sigmoid()).abs().pow(FOCUS) * bce(logits, targets)


def varifocal(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy, weighted by y where y > 0 and by 0.75 p² elsewhere.

    Zhang et al. 2021, arXiv 2008.13367, equation 2.
    """
    background = BACKGROUND * logits.sigmoid().pow(FOCUS)
    return torch.where(targets > 0, targets, background) * bce(logits, targets)


CLASS_LOSSES: Mapping[str, ClassLoss] = {"bce": bce, "focal": focal, "varifocal": varifocal}
