"""How far boxes agree: IoU and what is made of it for learning. Boxes are x1, y1, x2, y2.

All take boxes (..., 4) whose leading axes broadcast: element by element, or each with each by
`overlap(boxes[:, None], others)`. They are 1 where boxes are equal.
"""

import math
from collections.abc import Callable, Mapping

import torch

Overlap = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

AREA = 1e-2  # px², in place of less: gradients are finite without an area, too
TINY = torch.finfo(torch.float32).tiny
SIDE = 1e-2  # px, likewise


def iou(boxes: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """Intersection over union, 0..1.

    >>> iou(torch.tensor([0.0, 0, 2, 2]), torch.tensor([1.0, 0, 3, 2]))
    tensor(0.3333)
    """
    common, union = _common_and_union(boxes, others)
    return common / union


def giou(boxes: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """IoU - (hull - union) / hull, above -1 (Rezatofighi et al. 2019, arXiv 1902.09630)."""
    common, union = _common_and_union(boxes, others)
    width, height = _hull(boxes, others)
    hull = (width * height).clamp(min=AREA)
    return common / union - (hull - union) / hull


def diou(boxes: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """IoU - d² / c² of the centres' distance and the hull's diagonal, above -1.

    Zheng et al. 2020, arXiv 1911.08287, equation 7.
    """
    return iou(boxes, others) - _distance(boxes, others)


def ciou(boxes: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """DIoU - a v, v = 4 / π² (atan(w / h) - atan(w' / h'))², a = v / (1 - IoU + v).

    Zheng et al. 2020, arXiv 1911.08287, equations 8 to 11; a is a constant for gradients.
    """
    agreed = iou(boxes, others)
    shape = 4 / math.pi**2 * (_angle(others) - _angle(boxes)).square()
    with torch.no_grad():
        weight = shape / (1 - agreed + shape).clamp(min=TINY)
    return agreed - _distance(boxes, others) - weight * shape


OVERLAPS: Mapping[str, Overlap] = {"iou": iou, "giou": giou, "diou": diou, "ciou": ciou}


def _common_and_union(
    boxes: torch.Tensor, others: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    left, top, right, bottom = boxes.unbind(-1)
    left2, top2, right2, bottom2 = others.unbind(-1)
    width = (torch.minimum(right, right2) - torch.maximum(left, left2)).clamp(min=0)
    height = (torch.minimum(bottom, bottom2) - torch.maximum(top, top2)).clamp(min=0)
    common = width * height
    areas = (right - left) * (bottom - top) + (right2 - left2) * (bottom2 - top2)
    return common, (areas - common).clamp(min=AREA)


def _hull(boxes: torch.Tensor, others: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Width and height of the smallest box around both."""
    left, top, right, bottom = boxes.unbind(-1)
    left2, top2, right2, bottom2 = others.unbind(-1)
    width = torch.maximum(right, right2) - torch.minimum(left, left2)
    return width, torch.maximum(bottom, bottom2) - torch.minimum(top, top2)


def _distance(boxes: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """d² / c²: of the centres, as a share of the hull's diagonal."""
    width, height = _hull(boxes, others)
    left, top, right, bottom = boxes.unbind(-1)
    left2, top2, right2, bottom2 = others.unbind(-1)
    across, down = left + right - left2 - right2, top + bottom - top2 - bottom2
    return (
        (across.square() + down.square()) / 4 / (width.square() + height.square()).clamp(min=AREA)
    )


def _angle(boxes: torch.Tensor) -> torch.Tensor:
    left, top, right, bottom = boxes.unbind(-1)
    return torch.atan((right - left) / (bottom - top).clamp(min=SIDE))
