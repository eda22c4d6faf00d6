"""Images mixed with each other, and their targets with them."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch.nn import functional

from evonas.settings import TrainingSettings

Mix = tuple[torch.Tensor, torch.Tensor]
# Of images, targets and alpha to a mix of them.
Mixer = Callable[[torch.Tensor, torch.Tensor, float, torch.Generator], Mix]


def mixes(recipe: TrainingSettings) -> bool:
    """Whether `mixed` ever changes a batch, so that it needs soft targets."""
    return any(getattr(recipe, name) > 0 for name in MIXERS)


def one_hot(labels: torch.Tensor, classes: int) -> torch.Tensor:
    """Labels (batch,) as shares of classes (batch, classes), which can be mixed."""
    return functional.one_hot(labels, classes).float()


def mixed(
    images: torch.Tensor,
    targets: torch.Tensor,
    recipe: TrainingSettings,
    generator: torch.Generator,
    mixers: Mapping[str, Mixer] | None = None,
) -> Mix:
    """Images and targets mixed with those of the next in the batch, by one of the kinds or none.

    The settings are shares of batches; where they add up to more than 1, they are divided by
    their sum.

    Args:
        images: Normalised floats (batch, channels, height, width).
        targets: Shares of classes (batch, classes).
        mixers: In place of `MIXERS`, which say of what kind images and targets are.
    """
    mixers = mixers or MIXERS
    shares = [getattr(recipe, name) for name in mixers]
    if not any(shares):
        return images, targets
    drawn = torch.rand((), generator=generator).item() * max(sum(shares), 1)
    for (name, mixer), share in zip(mixers.items(), shares, strict=True):
        if drawn < share:
            return mixer(images, targets, getattr(recipe, f"{name}_alpha"), generator)
        drawn -= share
    return images, targets


def mixup(
    images: torch.Tensor, targets: torch.Tensor, alpha: float, generator: torch.Generator
) -> Mix:
    """Weighted means of two images, x = λ xᵢ + (1 - λ) xⱼ, targets alike (arXiv 1710.09412).

    λ is drawn from Beta(alpha, alpha), once for the whole batch.
    """
    weight = beta(alpha, generator)
    return of_next(images).lerp(images, weight), of_next(targets).lerp(targets, weight)


def cutmix(
    images: torch.Tensor, targets: torch.Tensor, alpha: float, generator: torch.Generator
) -> Mix:
    """Each image with the same box of another (arXiv 1905.04899, equations 1 and 2).

    λ is drawn from Beta(alpha, alpha), once for the whole batch, and so is the box: its sides are
    √(1 - λ) of the image's, its centre is anywhere, and what is over the border is cut off. The
    targets go by the area that is pasted in truth.
    """
    height, width = images.shape[2:]
    share = (1 - beta(alpha, generator)) ** 0.5
    rows, columns = (_cut(side, share, generator) for side in (height, width))
    pasted = images.clone()
    pasted[:, :, rows, columns] = of_next(images[:, :, rows, columns])
    area = (rows.stop - rows.start) * (columns.stop - columns.start) / (height * width)
    return pasted, targets.lerp(of_next(targets), area)


# Setting to a mixer, which is given the setting `..._alpha`.
MIXERS: Mapping[str, Mixer] = {
    "mixup": mixup,
    "cutmix": cutmix,
}


def beta(alpha: float, generator: torch.Generator) -> float:
    """Drawn from Beta(alpha, alpha); in 0..1.

    By numpy, seeded from the generator: torch's own takes none.
    """
    seed = int(torch.randint(2**62, (), generator=generator))
    return np.random.default_rng(seed).beta(alpha, alpha)


def of_next(values: torch.Tensor) -> torch.Tensor:
    """Those of the next in the batch. Batches come shuffled, so this is a random partner."""
    return values.roll(-1, 0)


def _cut(side: int, share: float, generator: torch.Generator) -> slice:
    """A span of this share of the side, its centre anywhere, cut off at the border."""
    size = round(share * side)
    start = int(torch.randint(side, (), generator=generator)) - size // 2
    return slice(max(start, 0), min(start + size, side))
