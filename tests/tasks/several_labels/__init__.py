"""Any number of classes in each image: a task that evonas does not have, written as it asks for."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from evonas.data.dataset import Targets
from evonas.data.frame import Frame
from evonas.networks.problem import Problem
from evonas.settings import TrainingSettings
from evonas.tasks.task import LOSS, Batches, Outputs, Score, Shapes, Task

if TYPE_CHECKING:
    from torch import Generator, Tensor


class SeveralLabels(Task):
    """Targets are float32 (images, classes) of 0 and 1; the output is logits (batch, classes)."""

    measures: Mapping[str, Score] = {
        "f1": Score("maximise", "F1", bounds=(0, 1)),
        LOSS: Score("minimise"),
    }
    space, data = "nano", "bars"
    unequal_classes = "F1 counts them alike."
    fit = "letterbox"

    def wrong(self, targets: Targets, problem: Problem) -> Iterator[str]:
        if targets.dtype != np.float32 or targets.shape[1:] != (len(problem.classes),):
            yield "Targets are float32 (images, classes)."

    def counts(self, targets: Targets, problem: Problem) -> NDArray[Any]:
        return (targets > 0).sum(0)

    def auxiliary_outputs(self, problem: Problem) -> int | None:
        return len(problem.classes)

    def varied(
        self,
        images: "Tensor",
        targets: "Tensor",
        problem: Problem,
        recipe: TrainingSettings,
        done: float,
        generator: "Generator",
    ) -> "tuple[Tensor, Tensor]":
        from evonas.tasks.variation import mixed, varied

        images = varied(images, problem, recipe, done, generator)
        return mixed(images, targets, recipe, generator)

    def loss(
        self,
        outputs: Outputs,
        targets: "Tensor",
        recipe: TrainingSettings,
        class_weights: "Tensor | None" = None,
    ) -> "Tensor":
        from torch.nn.functional import binary_cross_entropy_with_logits

        smooth = targets.lerp(targets.new_full((), 0.5), recipe.label_smoothing)
        return binary_cross_entropy_with_logits(outputs[0], smooth)

    def right_shapes(self, shapes: Shapes, problem: Problem) -> str | None:
        wanted = (1, len(problem.classes))
        return None if [*shapes] == [wanted] else str(wanted)

    def scores(
        self, batches: Batches, problem: Problem, recipe: TrainingSettings
    ) -> dict[str, float]:
        import torch
        from torch.nn.functional import binary_cross_entropy_with_logits

        pairs = [(outputs[0].cpu(), targets.cpu()) for outputs, targets in batches]
        logits, targets = (torch.cat(parts) for parts in zip(*pairs, strict=True))
        loss = binary_cross_entropy_with_logits(logits, targets)
        chosen, there = logits > 0, targets > 0
        hits = 2 * (chosen & there).sum()
        return {"f1": float(hits / (chosen.sum() + there.sum())), LOSS: float(loss)}

    def predictions(
        self,
        outputs: Sequence[NDArray[Any]],
        frames: Sequence[Frame],
        side_px: int,
        problem: Problem,
        recipe: TrainingSettings,
    ) -> list[dict[str, Any]]:
        return [
            {
                "labels": "+".join(
                    name for name, logit in zip(problem.classes, row, strict=True) if logit > 0
                ),
                "side_px": float(frame.side),
            }
            for row, frame in zip(outputs[0], frames, strict=True)
        ]

    def rows(self, prediction: Mapping[str, Any]) -> list[dict[str, Any]]:
        return [{"labels": prediction["labels"]}]
