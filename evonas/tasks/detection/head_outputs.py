"""What the outputs of a detector in a training mean: the table of heads.

A network gives a tuple, which has no names: the number of its outputs tells the head. What they are
is told by `Detection` and by the heads of `networks.detector`.
"""

from collections.abc import Callable, Mapping, Sized
from dataclasses import dataclass, replace

import torch

from evonas.networks.detector.anchored_heads import ANCHORED
from evonas.networks.detector.heads import MANY, TRAINED
from evonas.networks.detector.ssd_head import BACKGROUND, SSD
from evonas.settings import TrainingSettings
from evonas.tasks.detection.anchor_free_loss import anchor_free_terms
from evonas.tasks.detection.anchored_loss import (
    anchored_terms,
    anchors_imitated,
    exclusive_anchors_imitated,
)
from evonas.tasks.detection.anchors import AnchorPoints
from evonas.tasks.detection.imitation import branches_imitated
from evonas.tasks.detection.labels import Labels, branches
from evonas.tasks.detection.ssd_loss import ssd_imitated, ssd_terms
from evonas.tasks.detection.terms import Terms
from evonas.tasks.detection.yolov2_loss import running_recall, yolov2_terms
from evonas.tasks.task import Outputs


@dataclass(frozen=True)
class Head:
    """How outputs of a training are read.

    Attributes:
        decoded: Boxes (batch, points, 4) in px and scores (batch, points, classes), 0..1, as a
            deployed network gives them.
        terms: Of the loss. It is the sum of what they are means of.
        imitated: How far outputs are from a teacher's with a head of this kind (see
            `Task.imitation_loss`); kinds are told apart by it.
        cells: Where points are, (points, 3): the middle of the cell of each and its side, in px.
        watched: How many of the labels a training sees already (see `yolov2_loss.running_recall`).
        reaching: As `decoded`, of the branch whose gradients reach the images, if that is another.
        says_once: No two boxes are around one thing, so that nothing is to be suppressed.
        background: How many of the logits are of no class.
    """

    decoded: Callable[[Outputs], tuple[torch.Tensor, torch.Tensor]]
    terms: Callable[[Outputs, Labels, TrainingSettings], list[Terms]]
    imitated: Callable[[Outputs, Outputs, float, TrainingSettings], torch.Tensor]
    cells: Callable[[Outputs], torch.Tensor]
    watched: Callable[[Outputs, Labels], torch.Tensor] | None = None
    reaching: Callable[[Outputs], tuple[torch.Tensor, torch.Tensor]] | None = None
    says_once: bool = False
    background: int = 0


def _of_deployed_branch(outputs: Outputs) -> tuple[torch.Tensor, torch.Tensor]:
    branch, _ = branches(outputs)
    return branch.boxes, branch.logits.sigmoid()


def _of_other_branch(outputs: Outputs) -> tuple[torch.Tensor, torch.Tensor]:
    _, branch = branches(outputs)
    assert branch is not None, "only heads with two branches are read so"
    return branch.boxes, branch.logits.sigmoid()


def _cells_of_branches(outputs: Outputs) -> torch.Tensor:
    return branches(outputs)[0].priors[:, :3]


def _of_anchors(outputs: Outputs) -> tuple[torch.Tensor, torch.Tensor]:
    points = AnchorPoints.of(outputs)
    return points.boxes, points.objectness.sigmoid()[..., None] * points.logits.sigmoid()


def _of_exclusive_anchors(outputs: Outputs) -> tuple[torch.Tensor, torch.Tensor]:
    points = AnchorPoints.of(outputs)
    return points.boxes, points.objectness.sigmoid()[..., None] * points.logits.softmax(2)


def _cells_of_anchors(outputs: Outputs) -> torch.Tensor:
    points = AnchorPoints.of(outputs)
    return torch.cat([points.centres, points.strides[:, None]], 1)


def _of_default_boxes(outputs: Outputs) -> tuple[torch.Tensor, torch.Tensor]:
    boxes, logits, _ = outputs
    return boxes, logits.softmax(2)[:, :, BACKGROUND:]


def _default_boxes(outputs: Outputs) -> torch.Tensor:
    return outputs[-1][0, :, :3]


_ANCHOR_FREE = Head(_of_deployed_branch, anchor_free_terms, branches_imitated, _cells_of_branches)
HEADS: Mapping[int, Head] = {
    len(SSD): Head(
        _of_default_boxes, ssd_terms, ssd_imitated, _default_boxes, background=BACKGROUND
    ),
    len(TRAINED): _ANCHOR_FREE,
    len(ANCHORED): Head(
        _of_anchors, anchored_terms, anchors_imitated, _cells_of_anchors, running_recall
    ),
    len(ANCHORED) + 1: Head(
        *(_of_exclusive_anchors, yolov2_terms, exclusive_anchors_imitated),
        *(_cells_of_anchors, running_recall),
    ),
    len(TRAINED + MANY): replace(_ANCHOR_FREE, reaching=_of_other_branch, says_once=True),
}


def head_of(outputs: Sized) -> Head:
    """The one that gives so many outputs in a training."""
    return HEADS[len(outputs)]


def watched(outputs: Outputs, targets: torch.Tensor) -> dict[str, torch.Tensor]:
    """What the head watches, under the name that a log has for it."""
    own = head_of(outputs).watched
    return {} if own is None else {"recall": own(outputs, Labels.of(targets))}


def unlike(outputs: Outputs, taught: Outputs) -> str | None:
    """Why a teacher's outputs say nothing of a network's, in words; None: they do.

    Their heads are to be of one kind, and their points those of the same cells.
    """
    own, other = head_of(outputs), head_of(taught)
    if own.imitated is not other.imitated:
        return (
            "the teacher has a head of another kind. Only detectors of like heads teach each other"
        )
    cells, others = own.cells(outputs), other.cells(taught)
    if cells.shape == others.shape and bool((cells == others).all()):
        return None
    return (
        f"the teacher has levels of the strides {_strides(others)}, and the network of "
        f"{_strides(cells)}. Only detectors of the same levels teach each other"
    )


def _strides(cells: torch.Tensor) -> str:
    return ", ".join(f"{stride:g}" for stride in sorted({*cells[:, 2].tolist()}))
