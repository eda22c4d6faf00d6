"""Images as networks take them."""

from dataclasses import dataclass
from functools import lru_cache

import torch


@dataclass(frozen=True)
class Normalisation:
    """Mean and deviation per channel of images scaled to 0..1."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    def apply(self, images: torch.Tensor) -> torch.Tensor:
        """uint8 (batch, channels, height, width) to normalised float32, channels last."""
        scale, shift = _factors(self, images.device)
        # In the plain layout first: numbers of one channel lie together there.
        normalised = images.contiguous().float().mul_(scale).add_(shift)
        return normalised.contiguous(memory_format=torch.channels_last)


@lru_cache(maxsize=16)
def _factors(
    normalisation: Normalisation, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """(x / 255 - mean) / deviation as x * scale + shift; kept, as a copy to a GPU would wait."""
    mean, deviation = torch.tensor([normalisation.mean, normalisation.deviation]).double()
    scale, shift = 1 / (255 * deviation), -mean / deviation
    return scale.float()[:, None, None].to(device), shift.float()[:, None, None].to(device)
