"""Boxes of things, each with its class."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from evonas.data.dataset import Images, Targets
from evonas.data.frame import Frame
from evonas.networks.detector.heads import says_once
from evonas.networks.detector.levels import DEPLOYED
from evonas.networks.problem import Problem
from evonas.settings import TrainingSettings
from evonas.tasks.detection.anchor_fitting import sizes_of, told_anchors
from evonas.tasks.task import LOSS, Batches, Outputs, Score, Shapes, Task

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Generator, Tensor
    from torch.nn import Module

COLUMNS = 5  # of a label: class, x1, y1, x2, y2
SHARE = (0.0, 1.0)


class Detection(Task):
    """Targets are float32 (images, most boxes, 5): class, x1, y1, x2, y2 in px of the square.

    Class -1 fills up. A sixth column weighs labels in a training. A network in training gives
    `boxes` (batch, points, 4) in px, `logits` (batch, points, classes), and what its kind of head
    adds; the number of outputs tells the head (see `head_outputs`). Deployed, it gives `boxes` and
    `scores`, the probabilities. An anchor-free head adds `distances` (batch, points, 4 x bins),
    raw, and `priors` (1, points, 4): centre, width and height of each point's cell in px; with a
    one-to-one branch these are its outputs, and `boxes`, `logits` and `distances` of the other
    follow. A head with anchors adds `objectness` (batch, points, 1), `offsets` (batch, points, 4),
    both raw, and `priors` (1, points, 5): the centre of each point's cell, width and height of its
    anchor, and the stride; YOLOv2's also `settling` (1,), 1 in the first batches and then 0.

    `map50_95` is COCO's mean average precision, over IoUs of .50 to .95, `map50` and `map75` at one
    IoU, and `map_small` (below 32² px), `map_medium` and `map_large` (above 96² px) those of boxes
    of a size, in px of the square that the network sees; 0 where no box has it. They look at boxes
    with a score of .001 or more, of which an image has 300 at most, and 100 of a class. `precision`
    and `recall` are at an IoU of .5, of each class where its F1 is best, and the mean of these.
    `loss` is that of the usual assigner, losses and gains, whatever the recipe has.
    """

    measures: Mapping[str, Score] = {
        "map50_95": Score("maximise", "mAP50-95", bounds=SHARE),
        "map50": Score("maximise", "mAP50", bounds=SHARE),
        "map75": Score("maximise", bounds=SHARE),
        "map_small": Score("maximise", bounds=SHARE),
        "map_medium": Score("maximise", bounds=SHARE),
        "map_large": Score("maximise", bounds=SHARE),
        "precision": Score("maximise", "precision", bounds=SHARE),
        "recall": Score("maximise", "recall", bounds=SHARE),
        LOSS: Score("minimise"),
    }
    space, data = "detector", "shapes"
    networks = "detection"
    recipe: Mapping[str, Any] = MappingProxyType(
        {
            "optimizer": "adamw",
            "lr0": 0.01,
            "momentum": 0.9,
            "weight_decay": 0.05,
            "batch_size": 8,
            "schedule": "cosine",
            "warmup_epochs": 1.0,
            "label_smoothing": 0.0,
            "ema": 0.99,
            "clip_gradients": 10.0,
            # The usual values of these two were found for classifiers.
            "residual_init": 1.0,
            "shift_init": 0.0,
            "auxiliary": 0.0,
            "mixup_alpha": 1.5,
            "cls": 1.0,
            "keep": "best",
            "epochs": 12,
        }
    )
    settings = frozenset(
        (
            *("mosaic", "close_mosaic", "crop", "expand", "interpolate", "multi_scale"),
            *("assigner", "box_loss", "class_loss", "box", "cls", "dfl"),
            *("obj", "ignore_iou", "anchors", "anchor_iou", "root_sizes"),
            *("object_scale", "noobject_scale", "coord_scale", "class_scale"),
            *("location", "hard_negatives"),
            *("nms", "nms_iou", "confidence", "flip_test", "neck_drop_block"),
        )
    )
    tuned = (
        *("lr_factor", "weight_decay", "momentum", "box", "cls", "dfl"),
        *("mosaic", "translate", "scale", "fliplr"),
    )
    counted = "boxes"
    unequal_classes = (
        "Average precision counts classes alike, and is uncertain for those with few boxes."
    )
    draws = True
    fit = "letterbox"
    tolerance = 1e-3

    def lack(self) -> str | None:
        """See `Task.lack`."""
        from evonas.tasks.detection.average_precision import NEEDED, is_installed

        return None if is_installed() else NEEDED

    def wrong(self, targets: Targets, problem: Problem) -> Iterator[str]:
        """See `Task.wrong`."""
        if targets.dtype != np.float32 or targets.ndim != 3 or targets.shape[2] != COLUMNS:
            yield (
                f"Targets are {targets.dtype} {targets.shape}, and boxes are float32 "
                f"(images, most boxes, {COLUMNS})."
            )
            return
        classes, most = targets[..., 0], len(problem.classes) - 1
        is_known = (classes >= -1) & (classes <= most) & (classes == np.floor(classes))
        if not is_known.all():
            yield f"Classes of boxes are outside 0..{most}, the numbers of the classes."
        boxes = targets[classes >= 0][:, 1:]
        if not (np.isfinite(boxes).all() and (boxes[:, 2:] > boxes[:, :2]).all()):
            yield "Boxes have no area: x2 is to be above x1, and y2 above y1."

    def counts(self, targets: Targets, problem: Problem) -> NDArray[Any]:
        """See `Task.counts`: boxes of each class."""
        known = targets[..., 0][targets[..., 0] >= 0].astype(int)
        return np.bincount(known, minlength=len(problem.classes))

    def varied(
        self,
        images: "Tensor",
        targets: "Tensor",
        problem: Problem,
        recipe: TrainingSettings,
        done: float,
        generator: "Generator",
    ) -> "tuple[Tensor, Tensor]":
        """See `Task.varied`; targets get a sixth column, the weight of each label."""
        from evonas.tasks.detection.variation import varied

        return varied(images, targets, problem, recipe, done, generator)

    def adapt(self, network: "Module", targets: Targets, recipe: TrainingSettings) -> None:
        """See `Task.adapt`: the anchors of a head that has such."""
        from evonas.tasks.detection.network_anchors import set_anchors

        set_anchors(network, targets, recipe)

    def adapted(self, recipe: TrainingSettings, network: "Module") -> TrainingSettings:
        """See `Task.adapted`."""
        from evonas.tasks.detection.network_anchors import anchors_of

        anchors = anchors_of(network)
        return recipe if anchors is None else recipe.model_copy(update={"anchors": anchors})

    def enlarged(self, recipe: TrainingSettings, times: float) -> TrainingSettings:
        """See `Task.enlarged`: anchors are in px."""
        if recipe.anchors is None:
            return recipe
        anchors = tuple((width * times, height * times) for width, height in recipe.anchors)
        return recipe.model_copy(update={"anchors": anchors})

    def findings(self, targets: Targets, recipe: TrainingSettings) -> Iterator[tuple[str, str]]:
        """See `Task.findings`: anchors, and how well they fit."""
        sizes = sizes_of(targets)
        if len(sizes):
            yield "anchors", told_anchors(sizes, recipe.anchors)

    def loss(
        self,
        outputs: Outputs,
        targets: "Tensor",
        recipe: TrainingSettings,
        class_weights: "Tensor | None" = None,
    ) -> "Tensor":
        """See `Task.loss`: the mean over the points that learn a box."""
        from evonas.tasks.detection.detection_loss import detection_loss

        return detection_loss(outputs, targets, recipe)

    def deception(self, outputs: Outputs, targets: "Tensor", recipe: TrainingSettings) -> "Tensor":
        """See `Task.deception`: that there is nothing in the image (arXiv 2004.10934, 3.3)."""
        from evonas.tasks.detection.detection_loss import unseen

        return unseen(outputs)

    def watched(self, outputs: Outputs, targets: "Tensor") -> "Mapping[str, Tensor]":
        """See `Task.watched`: boxes that the points which learn them see, of heads with anchors."""
        from evonas.tasks.detection.head_outputs import watched

        return watched(outputs, targets)

    def unteachable(self, outputs: Outputs, taught: Outputs) -> str | None:
        """See `Task.unteachable`: heads are alike, and look at the points of the same levels."""
        from evonas.tasks.detection.head_outputs import unlike

        return unlike(outputs, taught)

    def imitation_loss(
        self, outputs: Outputs, taught: Outputs, temperature: float, recipe: TrainingSettings
    ) -> "Tensor":
        """See `Task.imitation_loss`: the mean over the points where the teacher sees something."""
        from evonas.tasks.detection.head_outputs import head_of

        return head_of(outputs).imitated(outputs, taught, temperature, recipe)

    def fitted(self, recipe: TrainingSettings, outputs: Sequence[str]) -> TrainingSettings:
        """See `Task.fitted`: a one-to-one branch says each thing once, so nothing is suppressed."""
        return recipe.model_copy(update={"nms": "none"}) if says_once(outputs) else recipe

    def usage(self, recipe: TrainingSettings) -> tuple[str, str]:
        """See `Task.usage`: `detect`, by the suppression of the recipe."""
        suppression = f'nms="{recipe.nms}", threshold={recipe.nms_iou}'
        return "detect, ", (
            f"for boxes, scores, classes in detect(network, images, {suppression}):\n"
            "    print(boxes, scores, classes)  # of an image: corners in px, 0..1, class numbers"
        )

    def unmirrored(self, outputs: Sequence[Any], side_px: int) -> tuple[Any, ...]:
        """See `Task.unmirrored`: boxes, the first output of every head."""
        from evonas.tasks.detection.mirroring import mirrored_back

        return mirrored_back(outputs[0], side_px), *outputs[1:]

    def right_shapes(self, shapes: Shapes, problem: Problem) -> str | None:
        """See `Task.right_shapes`: of a deployed network, or of a head in a training."""
        from evonas.tasks.detection.head_outputs import HEADS

        heads = {len(DEPLOYED): 0, **{number: head.background for number, head in HEADS.items()}}
        logits = len(problem.classes) + heads.get(len(shapes), 0)
        points = shapes[0][1] if len(shapes[0]) > 1 else 0
        is_right = [*shapes[:2]] == [(1, points, 4), (1, points, logits)]
        of_points = all(shape == (1,) or shape[1:2] == (points,) for shape in shapes[2:])
        wanted = f"boxes (1, points, 4) and scores or logits (1, points, {logits})"
        return None if is_right and of_points and len(shapes) in heads else wanted

    def scores(
        self, batches: Batches, problem: Problem, recipe: TrainingSettings
    ) -> dict[str, float]:
        """See `Task.scores`."""
        from evonas.tasks.detection.detection_scores import detection_scores

        return detection_scores(batches, problem, recipe)

    def details(
        self, batches: Batches, problem: Problem, recipe: TrainingSettings
    ) -> dict[str, Any]:
        """See `Task.details`: `table`, and by class `precisions` at recalls of 0, .01, ... 1."""
        from evonas.tasks.detection.detection_scores import by_class

        return by_class(batches, problem, recipe)

    def predictions(
        self,
        outputs: Sequence[NDArray[Any]],
        frames: Sequence[Frame],
        side_px: int,
        problem: Problem,
        recipe: TrainingSettings,
    ) -> list[dict[str, Any]]:
        """See `Task.predictions`: boxes in px of the picture, with class and score, best first."""
        from evonas.tasks.detection.box_predictions import boxes_of_pictures

        return boxes_of_pictures(outputs, frames, side_px, problem.classes, recipe)

    def drawn(
        self, picture: "Image", prediction: Mapping[str, Any], problem: Problem
    ) -> "Image | None":
        """See `Task.drawn`: boxes in a colour for each class, with their scores."""
        from evonas.tasks.detection.drawing import draw_boxes

        return draw_boxes(picture, prediction["boxes"], problem.classes)

    def examples(
        self,
        images: Images,
        targets: Targets,
        outputs: Sequence[NDArray[Any]],
        problem: Problem,
        recipe: TrainingSettings,
    ) -> "Image | None":
        """See `Task.examples`: boxes that were found in colours, those of the labels in white."""
        from evonas.tasks.detection.drawing import example_sheet

        side = images.shape[-1]
        whole = Frame(0, 0, side, (side, side))
        seen = self.predictions(outputs, [whole] * len(images), side, problem, recipe)
        return example_sheet(images, targets, [each["boxes"] for each in seen], problem.classes)

    def told(self, prediction: Mapping[str, Any]) -> dict[str, str | float]:
        """See `Task.told`: how many things of each class, and how sure the surest is."""
        counts = Counter(box["class"] for box in prediction["boxes"])
        things = ", ".join(f"{count} {name}" for name, count in counts.most_common())
        surest = max((box["score"] for box in prediction["boxes"]), default=0.0)
        return {"found": things or "nothing", "surest": surest}

    def rows(self, prediction: Mapping[str, Any]) -> list[dict[str, Any]]:
        """See `Task.rows`: a row for each box."""
        return [dict(box) for box in prediction["boxes"]]
