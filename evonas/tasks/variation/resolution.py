"""Small images first: a training's early epochs cost a fraction and teach as much."""

import torch
from torch.nn import functional

PHASES = 3
SMALLEST_PX = 8
# A side that networks can halve again and again: 20 px (10, 5, 3) cost nearly what 24 px do.
MULTIPLE_PX, SMALL_MULTIPLE_PX, SMALL_PX = 8, 4, 16


def side_px(full_px: int, start_share: float, progress: float) -> int:
    """The side of images at this share of the training, 0..1.

    It grows from `start_share` of the full side in three equal phases, of which the last has the
    full side (progressive learning, arXiv 2104.00298, algorithm 1, without its regularisation);
    in multiples of 8 px, below 16 px of 4 px, and from 8 px on.

    >>> [side_px(32, 0.5, progress) for progress in (0.1, 0.4, 0.9)]
    [16, 24, 32]
    """
    phase = min(int(progress * PHASES), PHASES - 1)
    share = start_share + (1 - start_share) * phase / (PHASES - 1)
    if share >= 1:
        return full_px
    multiple_px = MULTIPLE_PX if share * full_px >= SMALL_PX else SMALL_MULTIPLE_PX
    return min(full_px, max(SMALLEST_PX, multiple_px * round(share * full_px / multiple_px)))


def resized(images: torch.Tensor, height_px: int) -> torch.Tensor:
    """uint8 (batch, channels, height, width) with this height, smoothed before it is thinned out.

    Bilinear with antialiasing; the width shrinks as much.
    """
    height, width = images.shape[2:]
    if height_px == height:
        return images
    size = (height_px, max(1, round(width * height_px / height)))
    # On a CPU torch is three times as fast with bytes, channels last, than with floats.
    on_cpu = images.device.type == "cpu"
    given = images.contiguous(memory_format=torch.channels_last) if on_cpu else images.float()
    small = functional.interpolate(given, size, mode="bilinear", antialias=True)
    return small.round().clamp(0, 255).to(torch.uint8) if not on_cpu else small.contiguous()
