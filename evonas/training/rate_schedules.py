"""Learning rates over the course of a training, as factors of the peak."""

import math
from collections.abc import Callable, Mapping, Sequence

from evonas.settings import TrainingSettings
from evonas.training.callbacks import plateau_factor
from evonas.training.rates import peak_rate

WARM_UP_SHARE = 0.4  # of a training, where nothing else is said


def one_cycle(progress: float, warmup_share: float, last: float) -> float:
    """Linear up to 1, then linear down to `last` (after Smith, arXiv 1708.07120).

    Args:
        progress: Share of the training that is done, 0..1.
        warmup_share: Share of the training that warms up, 0..1.
        last: The factor at the end.
    """
    if progress < warmup_share:
        return progress / warmup_share
    return 1 - (1 - last) * _share_after(progress, warmup_share)


def cosine(progress: float, warmup_share: float, last: float) -> float:
    """Linear up to 1, then half a cosine down to `last` (arXiv 1812.01187, section 5.1)."""
    if progress < warmup_share:
        return progress / warmup_share
    share = _share_after(progress, warmup_share)
    return last + (1 - last) * (1 + math.cos(math.pi * share)) / 2


def step(progress: float, warmup_share: float, last: float) -> float:
    """A tenth after 50 % and a hundredth after 75 % of the training (arXiv 1512.03385, 4.2).

    On its way up linearly; `last` does not count.
    """
    factor = 1.0 if progress < 0.5 else 0.1 if progress < 0.75 else 0.01
    return factor * min(1.0, progress / warmup_share if warmup_share else 1.0)


def constant(progress: float, warmup_share: float, last: float) -> float:
    """Linear up to 1, where it stays; `last` does not count."""
    return min(1.0, progress / warmup_share if warmup_share else 1.0)


SCHEDULES: Mapping[str, Callable[[float, float, float], float]] = {
    "one_cycle": one_cycle,
    "cosine": cosine,
    "step": step,
    "constant": constant,
}


def warmup_share(recipe: TrainingSettings) -> float:
    """The share of a recipe's training that warms up, 0..1.

    >>> warmup_share(TrainingSettings(epochs=10, warmup_epochs=3))
    0.3
    """
    if recipe.warmup_epochs is None:
        return WARM_UP_SHARE
    return min(1.0, recipe.warmup_epochs / recipe.epochs)


def rate_factor(recipe: TrainingSettings, progress: float) -> float:
    """The learning rate at this share of the training, as a factor of the peak."""
    return SCHEDULES[recipe.schedule](progress, warmup_share(recipe), recipe.lrf)


def peak_after(recipe: TrainingSettings, losses: Sequence[float]) -> float:
    """What a rate factor multiplies, once epochs have had these losses (see `Progress.watched`)."""
    return peak_rate(recipe) * plateau_factor(losses, recipe.plateau)


def rate_course(
    recipe: TrainingSettings, losses: Sequence[float], parts: int
) -> list[tuple[float, float]]:
    """The learning rates of a training: epochs done, and the rate there.

    Args:
        losses: Of its epochs (see `Progress.watched`).
        parts: Of each epoch, at whose ends the rate is told; the first is that of the beginning.
    """
    done = [number / parts for number in range(parts * len(losses) + 1)]
    return [(epochs, _rate_at(recipe, losses, epochs)) for epochs in done]


def _rate_at(recipe: TrainingSettings, losses: Sequence[float], epochs: float) -> float:
    under_way = max(0, math.ceil(epochs) - 1)  # the end of an epoch is of that epoch
    return peak_after(recipe, losses[:under_way]) * rate_factor(recipe, epochs / recipe.epochs)


def _share_after(progress: float, warmup_share: float) -> float:
    return (progress - warmup_share) / (1 - warmup_share) if warmup_share < 1 else 0.0
