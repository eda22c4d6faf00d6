"""Parts of images that overlap with their boxes (the random crop of SSD, arXiv 1512.02325, 2.2)."""

import torch

from evonas.tasks.detection.overlap import iou
from evonas.tasks.detection.variation.box_rows import BOX, CLASS, square

# The least IoU with every box; 0: any part. After them comes the image as it is.
LEAST_IOUS = (0.1, 0.3, 0.5, 0.7, 0.9, 0.0)
WHOLE = -1.0
TRIES = 50  # with one of them, before another is drawn
AHEAD = 4  # of them are drawn at once: four small operations cost as much as one
SCALES = (0.3, 1.0)  # of a part's sides
ASPECTS = (0.5, 2.0)  # least and largest width by height of a part


def crop_windows(rows: torch.Tensor, side: int, generator: torch.Generator) -> torch.Tensor:
    """A window for each image, (batch, 4) in whole px, in which the labels (batch, most, 6) agree.

    For each image a least IoU, or the whole image, is drawn evenly, and with it 50 windows: sides
    s r and s / r of the image's, s uniform in 0.3..1 and r² uniform in 1/2..2, as far as both fit
    into the image. The first one counts that has at least this IoU with every box, and a box's
    centre in it. If there is none, all is drawn again. An image without labels stays whole.
    """
    windows = square(side).repeat(len(rows), 1)
    waiting = (rows[..., CLASS] >= 0).any(1).nonzero()[:, 0]
    asked = torch.tensor([*LEAST_IOUS, WHOLE])
    while len(waiting):
        modes = torch.randint(len(asked), (len(waiting), AHEAD), generator=generator)
        least = asked[modes].repeat_interleave(TRIES, 1)
        tried = _candidates(len(waiting), side, generator)
        tried[least == WHOLE] = square(side)
        suits = _suits(rows[waiting], tried, least) | (least == WHOLE)
        found, first = suits.any(1), suits.byte().argmax(1)
        windows[waiting[found]] = tried[found, first[found]]
        waiting = waiting[~found]
    return windows


def _candidates(images: int, side: int, generator: torch.Generator) -> torch.Tensor:
    """Windows (images, tries, 4) as they are drawn."""
    scale, aspect, *places = torch.rand(4, images, AHEAD * TRIES, generator=generator)
    scale = SCALES[0] + (SCALES[1] - SCALES[0]) * scale
    least, largest = (
        scale.square().clamp(min=ASPECTS[0]),
        (1 / scale.square()).clamp(max=ASPECTS[1]),
    )
    root = (least + (largest - least) * aspect).sqrt()
    sizes = [(side * share).floor().clamp(1, side) for share in (scale * root, scale / root)]
    starts = [(place * (side - size)).floor() for place, size in zip(places, sizes, strict=True)]
    ends = [start + size for start, size in zip(starts, sizes, strict=True)]
    return torch.stack([*starts, *ends], 2)


def _suits(rows: torch.Tensor, tried: torch.Tensor, least: torch.Tensor) -> torch.Tensor:
    """Which windows (images, tries, 4) have the least IoU with all boxes, and a centre in them.

    Least IoUs (images, tries) to bool (images, tries).
    """
    is_label = (rows[..., CLASS] >= 0)[:, None]
    boxes, windows = rows[:, None, :, BOX], tried[:, :, None]
    agrees = (iou(boxes, windows) >= least[..., None]) | ~is_label
    return agrees.all(2) & (has_centre(boxes, windows) & is_label).any(2)


def has_centre(boxes: torch.Tensor, windows: torch.Tensor) -> torch.Tensor:
    """Whether the middles of boxes (..., 4) lie within windows (..., 4)."""
    middles = (boxes[..., :2] + boxes[..., 2:]) / 2
    return ((middles > windows[..., :2]) & (middles < windows[..., 2:])).all(-1)
