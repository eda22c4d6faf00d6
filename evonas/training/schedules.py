"""Learning rates over the course of a training, as factors of the peak."""

import math
from collections.abc import Callable, Mapping


def one_cycle(progress: float, warmup_share: float, last: float) -> float:
    """Linear up to 1, then linear down to `last` (after Smith, arXiv 1708.07120).

    Args:
        progress: Share of the training that is done, 0..1.
        warmup_share: Share of the training that warms up.
        last: The factor at the end.
    """
    if progress < warmup_share:
        return progress / warmup_share
    return 1 - (1 - last) * (progress - warmup_share) / (1 - warmup_share)


def cosine(progress: float, warmup_share: float, last: float) -> float:
    """Linear up to 1, then half a cosine down to `last` (arXiv 1812.01187, section 5.1)."""
    if progress < warmup_share:
        return progress / warmup_share
    share = (progress - warmup_share) / (1 - warmup_share)
    return last + (1 - last) * (1 + math.cos(math.pi * share)) / 2


SCHEDULES: Mapping[str, Callable[[float, float, float], float]] = {
    "one_cycle": one_cycle,
    "cosine": cosine,
}
