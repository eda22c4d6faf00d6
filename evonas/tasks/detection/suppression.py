"""From what a network says at each point to boxes: of those around one thing one is left."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch

from evonas.tasks.detection.overlap import Overlap, diou, iou

CANDIDATES = 1000  # of an image, the best by score: more change no figure and take long
MOST = 300  # boxes of an image
BLOCK = 128  # candidates that are compared at once
PAIRS_AT_ONCE = 1 << 20
NO_CLASS = -1  # of what fills up
SIGMA = 0.5  # of soft suppression


@dataclass(frozen=True)
class Found:
    """Boxes of each image, best first.

    `boxes` (batch, most, 4), `scores` (batch, most), of which 0 fills up, `classes` (batch, most).
    """

    boxes: torch.Tensor
    scores: torch.Tensor
    classes: torch.Tensor


# Scores (images, candidates) after boxes, scores, classes and a threshold; 0: suppressed. The
# candidates of an image come best first.
Suppression = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, float], torch.Tensor]


@torch.no_grad()
def found(
    boxes: torch.Tensor, scores: torch.Tensor, nms: str, threshold: float, confidence: float
) -> Found:
    """At most 300 boxes an image, out of its 1,000 likeliest pairs of a point and a class.

    Args:
        boxes: (batch, points, 4).
        scores: Probabilities (batch, points, classes).
        nms: A name in `SUPPRESSIONS`; boxes of different classes never suppress each other.
        threshold: The overlap above which the less likely of two boxes is left out.
        confidence: The least score.
    """
    best, classes, points = _candidates(scores, confidence)
    chosen = boxes.gather(1, points[..., None].expand(-1, -1, 4))
    at_once = max(1, PAIRS_AT_ONCE // max(1, BLOCK * best.shape[1]))
    parts = [slice(start, start + at_once) for start in range(0, max(1, len(best)), at_once)]
    suppressed = SUPPRESSIONS[nms]
    left = torch.cat(
        [suppressed(chosen[part], best[part], classes[part], threshold) for part in parts]
    )
    left, order = (left * (left >= confidence)).topk(min(MOST, left.shape[1]), dim=1)
    kept = chosen.gather(1, order[..., None].expand(-1, -1, 4))
    return Found(kept, left, classes.gather(1, order))


def _candidates(
    scores: torch.Tensor, confidence: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Scores, classes and points of each image's best, (batch, candidates); 0 fills up.

    The best pairs of a point and a class are pairs of as many points with the best class: with many
    classes, that is much less to sort.
    """
    of_points = scores.amax(2)
    points = of_points.topk(min(CANDIDATES, of_points.shape[1]), dim=1).indices
    classes = scores.shape[2]
    flat = scores.gather(1, points[..., None].expand(-1, -1, classes)).flatten(1)
    most = int((flat >= confidence).sum(1).max()) if len(flat) else 0
    best, chosen = flat.topk(min(CANDIDATES, most), dim=1)
    return best * (best >= confidence), chosen % classes, points.gather(1, chosen // classes)


def greedy(
    boxes: torch.Tensor,
    scores: torch.Tensor,
    classes: torch.Tensor,
    threshold: float,
    overlap: Overlap = iou,
    most: int = MOST,
) -> torch.Tensor:
    """Goes from the best down, and leaves out what overlaps with one that was kept.

    In blocks: what earlier blocks kept suppresses first, then the block settles among itself. Of
    the same class alone, and no further than `most` are kept.
    """
    planes = boxes.permute(2, 0, 1).contiguous()  # numbers to compare lie side by side: faster
    kept = scores > 0
    for start in range(0, scores.shape[1], BLOCK):
        before, own = kept[:, :start], slice(start, start + BLOCK)
        count = before.sum(1)
        if bool((count >= most).all()):
            kept[:, start:] = False
            break
        is_kept, places = before.byte().topk(int(count.max()), dim=1)
        earlier = planes.gather(2, places.expand(4, -1, -1))
        labels = classes.gather(1, places).where(is_kept > 0, NO_CLASS)
        here, own_labels = planes[:, :, own], classes[:, own]
        hit = _hits(earlier, labels, here, own_labels, threshold, overlap).any(1)
        hits = _hits(here, own_labels, here, own_labels, threshold, overlap)
        kept[:, own] = _settled(hits.triu(1), kept[:, own] & ~hit)
    return scores * kept


def _hits(
    planes: torch.Tensor,
    classes: torch.Tensor,
    others: torch.Tensor,
    other_classes: torch.Tensor,
    threshold: float,
    overlap: Overlap,
) -> torch.Tensor:
    """Whether boxes (4, images, n) suppress others (4, images, m): (images, n, m)."""
    boxes, other_boxes = planes.permute(1, 2, 0), others.permute(1, 2, 0)
    hits = overlap(boxes[:, :, None], other_boxes[:, None]) > threshold
    return hits & (classes[:, :, None] == other_classes[:, None])


def _settled(hits: torch.Tensor, alive: torch.Tensor) -> torch.Tensor:
    """Which of a block a greedy pass keeps.

    All suppress at once, again and again with those that are left, until nothing changes: that is
    what greedy suppression gives (Cluster-NMS, Zheng et al. 2020, arXiv 2005.03572, section 3.3).

    Args:
        hits: Whether a candidate would suppress a later one, (images, block, block).
        alive: Those that no earlier block suppressed, (images, block).
    """
    kept = alive
    while True:
        left = alive & ~(hits & kept[..., None]).any(1)
        if torch.equal(left, kept):
            return kept
        kept = left


def soft(
    boxes: torch.Tensor, scores: torch.Tensor, classes: torch.Tensor, threshold: float
) -> torch.Tensor:
    """From the best down each makes those that it overlaps with less likely: s exp(-IoU² / 0.5).

    The Gaussian form, which knows no threshold (Bodla et al. 2017, arXiv 1704.04503, equation 3).
    """
    left, final = scores.clone(), torch.zeros_like(scores)
    for _ in range(min(MOST, scores.shape[1])):
        best, place = left.max(1, keepdim=True)
        final.scatter_(1, place, best)
        overlap = iou(boxes.gather(1, place[..., None].expand(-1, -1, 4)), boxes)
        is_same = classes == classes.gather(1, place)
        left *= torch.where(is_same, torch.exp(-overlap.square() / SIGMA), 1.0)
        left.scatter_(1, place, 0.0)
    return final


def unsuppressed(
    boxes: torch.Tensor, scores: torch.Tensor, classes: torch.Tensor, threshold: float
) -> torch.Tensor:
    """All of them: of networks that say each thing once."""
    return scores


SUPPRESSIONS: Mapping[str, Suppression] = {
    "nms": greedy,
    "diou": partial(greedy, overlap=diou),
    "soft": soft,
    "none": unsuppressed,
}
