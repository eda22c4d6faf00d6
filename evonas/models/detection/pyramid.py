"""What mixes maps of several strides."""

import torch
from torch import nn

from evonas.models.cell import COMBINES
from evonas.models.layers import SumWeights


class Upsample(nn.Module):
    """Each pixel as a square of factor x factor pixels.

    (batch, channels, h, w) to (batch, channels, factor * h, factor * w).
    """

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = float(factor)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(batch, channels, height, width) to (batch, channels, factor * height, ...)."""
        return nn.functional.interpolate(maps, scale_factor=self.factor, mode="nearest")


def cut_alike(maps: tuple[torch.Tensor, ...]) -> list[torch.Tensor]:
    """The maps (batch, channels, h, w), cut off at the right and below to the smallest size.

    One that was halved from an odd size and doubled again is larger: batches of a training may have
    any size.
    """
    height, width = size = min(each.shape[2:] for each in maps)
    return [each if each.shape[2:] == size else each[..., :height, :width] for each in maps]


class Fusion(nn.Module):
    """Maps of one shape as one map.

    `terms` maps (batch, channels, h, w) to one of as many channels, or of all of theirs.

    Args:
        how: `add`, `concat` or `weighted`: a sum with a trained weight for each map, fast
            normalised (BiFPN, arXiv 1911.09070, section 3.3).
    """

    role = "fusion"

    def __init__(self, how: str, terms: int) -> None:
        super().__init__()
        self.combine = COMBINES[how]
        self.weights = SumWeights(terms) if how == "weighted" else None

    def forward(self, *maps: torch.Tensor) -> torch.Tensor:
        """The fused map."""
        terms = cut_alike(maps)
        if self.weights is not None:
            terms = [term * weight for term, weight in zip(terms, self.weights(), strict=True)]
        return self.combine(terms)


class Still(nn.Module):
    """The maps as they are, without a gradient: what reads them does not teach what made them."""

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(batch, channels, height, width) to the same."""
        return maps.detach() if torch.is_grad_enabled() else maps
