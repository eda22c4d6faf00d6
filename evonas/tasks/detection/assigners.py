"""Which points of a network learn which box, and how sure they are to be: the table of assigners.

An assigner first makes pairs of a box and a point that may learn it, and keeps the best of them. A
box that no point would learn takes the nearest one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch.nn import functional

from evonas.tasks.detection.labels import Branch, Labels
from evonas.tasks.detection.overlap import iou

TOP = 10  # points that learn a box; of a one-to-one branch, 1
ALPHA, BETA = 0.5, 6.0  # of score and overlap, TOOD
RADIUS = 1.5  # strides
OVERLAP_COST = 3.0
FAR_COST = 1e5
LEAST = 0.1  # quality of a point that a box takes for want of one that overlaps with it
TINY = torch.finfo(torch.float32).tiny


@dataclass(frozen=True)
class Pairs:
    """Boxes and points: `label` and `point` are numbers, int64 (pairs,).

    `is_last_resort` (pairs,): the point is the nearest one, and no other may learn the box.
    `quality` (pairs,): how sure of the class the point is to be, 0..1.
    """

    label: torch.Tensor
    point: torch.Tensor
    is_last_resort: torch.Tensor
    quality: torch.Tensor

    def __len__(self) -> int:
        return len(self.label)


Assigner = Callable[[Labels, Branch], Pairs]  # no point of an image twice


@torch.no_grad()
def tal(labels: Labels, branch: Branch, top: int = TOP) -> Pairs:
    """Task alignment learning: the `top` points in a box of highest t = s^0.5 u^6.

    s is the score of the true class, u the IoU of the box at the point. A point that several boxes
    claim learns that of the highest IoU. Quality is t, scaled for each box so that its highest is
    the box's highest IoU (TOOD, Feng et al. 2021, arXiv 2108.07755, section 3.2).
    """
    pairs = _pairs(_inside(labels, branch) > 0, labels, branch)
    overlap, score = _overlap(pairs, labels, branch), _logit(pairs, labels, branch).sigmoid()
    alignment = score.pow(ALPHA) * overlap.pow(BETA)
    kept = place(pairs.label, alignment) < top
    kept[kept.clone()] = _sole(pairs, labels, branch, overlap + pairs.is_last_resort, kept)
    pairs, overlap, alignment = _part(pairs, kept), overlap[kept], alignment[kept]
    highest, best = (_highest(values, pairs, labels) for values in (alignment, overlap))
    return _with_quality(pairs, alignment / highest.clamp(min=TINY) * best)


@torch.no_grad()
def simota(labels: Labels, branch: Branch) -> Pairs:
    """SimOTA: the k points of least cost, k the sum of a box's ten highest IoUs, at least 1.

    Points lie in the box or within 1.5 strides of its centre; those that do not do both cost 1e5
    more. Cost: binary cross-entropy of the classes + 3 x -log IoU. A point that several boxes claim
    learns that of least cost. Quality is the IoU, and at least 0.1. (YOLOX, Ge et al. 2021, arXiv
    2107.08430, section 2; there, a box may also take points that other boxes alone are near.)
    """
    inside, near = _inside(labels, branch) > 0, _near(labels, branch)
    pairs = _pairs(inside | near, labels, branch)
    overlap = _overlap(pairs, labels, branch)
    cost = _class_cost(pairs, labels, branch) - OVERLAP_COST * overlap.clamp(min=1e-8).log()
    cost += FAR_COST * ~(inside & near)[pairs.label, pairs.point]
    is_among_best = place(pairs.label, overlap) < TOP
    sums = overlap.new_zeros(len(labels)).index_add_(0, pairs.label, overlap * is_among_best)
    kept = place(pairs.label, -cost) < sums.floor().clamp(min=1)[pairs.label]
    kept[kept.clone()] = _sole(pairs, labels, branch, -cost, kept)
    return _with_quality(_part(pairs, kept), overlap[kept].clamp(min=LEAST))


@torch.no_grad()
def centre(labels: Labels, branch: Branch) -> Pairs:
    """All points in a box that are within 1.5 strides of its centre; quality is 1.

    A point in several boxes learns the smallest (FCOS, Tian et al. 2019, arXiv 1904.01355,
    section 3.1, with the centre sampling of its follow-up arXiv 2006.09214).
    """
    may = (_inside(labels, branch) > 0) & _near(labels, branch)
    pairs = _pairs(may, labels, branch)
    width, height = (labels.boxes[:, 2:] - labels.boxes[:, :2]).unbind(1)
    kept = torch.ones_like(pairs.is_last_resort)
    kept = _sole(pairs, labels, branch, -(width * height)[pairs.label], kept)
    return _part(pairs, kept)


ASSIGNERS: Mapping[str, Assigner] = {"tal": tal, "simota": simota, "centre": centre}
ONE_TO_ONE: Assigner = partial(tal, top=1)  # of a branch whose boxes need no suppression


def place(groups: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """The place of each value in its group, from 0 on, largest first; of equal ones the first is.

    >>> place(torch.tensor([0, 0, 1, 0]), torch.tensor([0.1, 0.3, 0.2, 0.2]))
    tensor([2, 0, 0, 1])
    """
    by_value = values.argsort(descending=True, stable=True)
    order = by_value[groups[by_value].argsort(stable=True)]
    ordered = groups[order]
    first = torch.searchsorted(ordered, ordered)
    places = torch.empty_like(order)
    places[order] = torch.arange(len(order), device=order.device) - first
    return places


def _inside(labels: Labels, branch: Branch) -> torch.Tensor:
    """How many px from its nearest side each point is inside of a box, (labels, points)."""
    x, y = branch.priors[:, 0], branch.priors[:, 1]
    left, top, right, bottom = labels.boxes[:, :, None].unbind(1)
    across, down = torch.minimum(x - left, right - x), torch.minimum(y - top, bottom - y)
    return torch.minimum(across, down)


def _near(labels: Labels, branch: Branch) -> torch.Tensor:
    """Whether each point is within 1.5 strides of the centre of a box, (labels, points)."""
    x, y, stride, _ = branch.priors.unbind(1)
    middle = (labels.boxes[:, :2] + labels.boxes[:, 2:]) / 2
    across, down = (x - middle[:, :1]).abs(), (y - middle[:, 1:]).abs()
    return torch.maximum(across, down) < RADIUS * stride


def _pairs(may_learn: torch.Tensor, labels: Labels, branch: Branch) -> Pairs:
    """The pairs that a mask (labels, points) chooses; for a box without any, the nearest point."""
    lonely = (~may_learn.any(1)).nonzero()[:, 0]
    middle = (labels.boxes[lonely, :2] + labels.boxes[lonely, 2:]) / 2
    away = (middle[:, None] - branch.priors[:, :2]).square().sum(2)
    may_learn[lonely, away.argmin(1)] = True
    label, point = may_learn.nonzero(as_tuple=True)
    is_lonely = torch.zeros_like(may_learn[:, 0]).index_fill_(0, lonely, True)
    return Pairs(label, point, is_lonely[label], torch.ones_like(label, dtype=torch.float32))


def _overlap(pairs: Pairs, labels: Labels, branch: Branch) -> torch.Tensor:
    """IoU of the box at the point with the label's, (pairs,)."""
    overlap = iou(branch.boxes[labels.image[pairs.label], pairs.point], labels.boxes[pairs.label])
    return torch.where(pairs.is_last_resort, overlap.clamp(min=LEAST), overlap)


def _logit(pairs: Pairs, labels: Labels, branch: Branch) -> torch.Tensor:
    """Of the label's class at the point, (pairs,)."""
    return branch.logits[labels.image[pairs.label], pairs.point, labels.classes[pairs.label]]


def _class_cost(pairs: Pairs, labels: Labels, branch: Branch) -> torch.Tensor:
    """Binary cross-entropy of all classes at the point with the label's, (pairs,)."""
    others = functional.softplus(branch.logits).sum(2)[labels.image[pairs.label], pairs.point]
    return others - _logit(pairs, labels, branch)


def _sole(
    pairs: Pairs, labels: Labels, branch: Branch, claims: torch.Tensor, kept: torch.Tensor
) -> torch.Tensor:
    """Of the pairs that are kept, those whose claim to the point is the highest."""
    points = labels.image[pairs.label] * len(branch.priors) + pairs.point
    return place(points[kept], claims[kept]) == 0


def _highest(values: torch.Tensor, pairs: Pairs, labels: Labels) -> torch.Tensor:
    """The highest value among the pairs of the same box, (pairs,); values are 0 or more."""
    highest = values.new_zeros(len(labels)).scatter_reduce_(0, pairs.label, values, "amax")
    return highest[pairs.label]


def _part(pairs: Pairs, kept: torch.Tensor) -> Pairs:
    return Pairs(
        pairs.label[kept], pairs.point[kept], pairs.is_last_resort[kept], pairs.quality[kept]
    )


def _with_quality(pairs: Pairs, quality: torch.Tensor) -> Pairs:
    return Pairs(pairs.label, pairs.point, pairs.is_last_resort, quality)
