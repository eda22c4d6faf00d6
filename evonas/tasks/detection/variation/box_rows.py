"""Labels of a batch as rows (batch, most, 6): class, x1, y1, x2, y2 in px, weight; on the CPU.

Class -1 fills up. They are few numbers, and what is drawn lies on the CPU too.
"""

import torch
from torch.nn import functional

CLASS, BOX, WEIGHT = 0, slice(1, 5), 5
NOTHING = -1  # the class of a row that is no label

LEAST_SHARE = 0.1  # of a box's area that has to be left of it
LEAST_SIDE_PX = 2
MULTIPLE = 8  # of rows: batches then have few shapes


def rows_of(targets: torch.Tensor) -> torch.Tensor:
    """Those of targets (batch, most, 5), each with the weight 1."""
    return functional.pad(targets.cpu(), (0, 1), value=1.0)


def packed(rows: torch.Tensor) -> torch.Tensor:
    """The labels first, and no more rows than the fullest image needs, in a multiple of 8."""
    is_empty = rows[..., CLASS] < 0
    most = int((~is_empty).sum(1).max())
    most = max(1, -(-most // MULTIPLE)) * MULTIPLE
    order = is_empty.byte().argsort(dim=1, stable=True)[:, :most]
    first = rows.gather(1, order[..., None].expand(-1, -1, rows.shape[2]))
    filler = functional.pad(rows.new_zeros(5), (1, 0), value=NOTHING)
    filled = first.where((first[..., CLASS] >= 0)[..., None], filler)
    missing = filler.expand(len(rows), most - filled.shape[1], -1)
    return torch.cat([filled, missing], 1)


def placed(rows: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
    """The labels with other boxes (batch, most, 4)."""
    return torch.cat([rows[..., :1], boxes, rows[..., WEIGHT:]], -1)


def only(rows: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    """The labels that are chosen (batch, most)."""
    classes = rows[..., CLASS].where(chosen, torch.tensor(float(NOTHING)))
    return torch.cat([classes[..., None], rows[..., 1:]], -1)


def cut(rows: torch.Tensor, windows: torch.Tensor) -> torch.Tensor:
    """The labels cut off at the borders of windows (..., 4): x1, y1, x2, y2 in px.

    Without those of which under a tenth is left, or a side of under 2 px.
    """
    inside = clipped(rows[..., BOX], windows)
    return only(placed(rows, inside), is_seen(rows[..., BOX], inside, area(inside)))


def clipped(boxes: torch.Tensor, windows: torch.Tensor) -> torch.Tensor:
    """Boxes (..., 4) cut off at the borders of windows (..., 4)."""
    low, high = (
        corner.repeat(*[1] * (corner.ndim - 1), 2)
        for corner in (windows[..., :2], windows[..., 2:])
    )
    return boxes.maximum(low).minimum(high)


def area(boxes: torch.Tensor) -> torch.Tensor:
    """In px²."""
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def is_seen(boxes: torch.Tensor, rests: torch.Tensor, areas: torch.Tensor) -> torch.Tensor:
    """Whether enough is left of boxes (..., 4): boxes round the rests, and their areas (...)."""
    sides = rests[..., 2:] - rests[..., :2]
    return (areas >= LEAST_SHARE * area(boxes)) & (sides >= LEAST_SIDE_PX).all(-1)


def square(side_px: int) -> torch.Tensor:
    """The window that an image is, (4,)."""
    return torch.tensor([0.0, 0.0, side_px, side_px])
