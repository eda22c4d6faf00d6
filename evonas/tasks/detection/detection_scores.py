"""How well boxes are found, over batches."""

import math
from typing import Any

import numpy as np
import torch

from evonas.networks.problem import Problem
from evonas.settings import TrainingSettings
from evonas.tasks.detection.average_precision import Evaluated, Numbers
from evonas.tasks.detection.detection_loss import terms
from evonas.tasks.detection.head_outputs import head_of
from evonas.tasks.detection.labels import Labels
from evonas.tasks.detection.mirroring import together
from evonas.tasks.detection.suppression import found
from evonas.tasks.detection.terms import Terms
from evonas.tasks.task import LOSS, Batches, Outputs

PLAIN = TrainingSettings(label_smoothing=0)  # one loss for all recipes
CONFIDENCE = 0.001  # of boxes that average precision looks at


def detection_scores(
    batches: Batches, problem: Problem, recipe: TrainingSettings
) -> dict[str, float]:
    """All measures of `Detection`; the loss is that of the usual assigner, losses and gains."""
    evaluated, loss = _evaluated(batches, problem, recipe)
    return {**evaluated.scores(), LOSS: loss}


def by_class(batches: Batches, problem: Problem, recipe: TrainingSettings) -> dict[str, Any]:
    """`Evaluated.table` and `Evaluated.precisions`."""
    evaluated, _ = _evaluated(batches, problem, recipe)
    return {"table": evaluated.table(), "precisions": evaluated.precisions()}


def _evaluated(
    batches: Batches, problem: Problem, recipe: TrainingSettings
) -> tuple[Evaluated, float]:
    truth: list[Numbers] = [np.zeros((0, 6))]
    boxes: list[Numbers] = [np.zeros((0, 7))]
    images, is_finite = 0, True
    sums: list[Terms] = []
    for outputs, targets in batches:
        truth.append(_truth(targets, images))
        images += len(targets)
        if not all(bool(output.isfinite().all()) for output in outputs):
            is_finite = False
            continue
        boxes.append(_boxes(outputs, images - len(targets), recipe))
        own = terms(tuple(output[: len(targets)] for output in outputs), targets, PLAIN)
        sums = [a + b for a, b in zip(sums, own, strict=True)] if sums else own
    loss = float(sum(own.loss(PLAIN) for own in sums)) if is_finite else math.nan
    return Evaluated(problem.classes, images, np.concatenate(truth), np.concatenate(boxes)), loss


def _truth(targets: torch.Tensor, first: int) -> Numbers:
    labels = Labels.of(targets)
    columns = (labels.image[:, None] + first, labels.classes[:, None], labels.boxes)
    return np.asarray(torch.cat([column.double() for column in columns], 1).cpu())


def _boxes(outputs: Outputs, first: int, recipe: TrainingSettings) -> Numbers:
    head = head_of(outputs)
    nms = "none" if head.says_once and not recipe.flip_test else recipe.nms
    seen = together(*head.decoded(outputs), recipe)
    own = found(*seen, nms, recipe.nms_iou, CONFIDENCE)
    image, place = (own.scores > 0).nonzero(as_tuple=True)
    columns = (
        image[:, None] + first,
        own.classes[image, place, None],
        own.boxes[image, place],
        own.scores[image, place, None],
    )
    return np.asarray(torch.cat([column.double() for column in columns], 1).cpu())
