"""Images as networks take them."""

from functools import lru_cache

import torch

from evonas.networks.problem import Problem


def normalised(images: torch.Tensor, problem: Problem) -> torch.Tensor:
    """uint8 (batch, channels, height, width) to float32 by the problem's mean and deviation.

    Channels last.
    """
    scale, shift = _factors(problem.mean, problem.deviation, images.device)
    # In the plain layout first: numbers of one channel lie together there.
    floats = images.contiguous().float().mul_(scale).add_(shift)
    return floats.contiguous(memory_format=torch.channels_last)


@lru_cache(maxsize=16)
def _factors(
    mean: tuple[float, ...], deviation: tuple[float, ...], device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """(x / 255 - mean) / deviation as x * scale + shift; kept, as a copy to a GPU would wait."""
    means, deviations = torch.tensor([mean, deviation]).double()
    scale, shift = 1 / (255 * deviations), -means / deviations
    return scale.float()[:, None, None].to(device), shift.float()[:, None, None].to(device)
