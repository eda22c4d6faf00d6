"""One class for each image."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from evonas.data.dataset import Targets
from evonas.data.frame import Frame
from evonas.networks.problem import Problem
from evonas.settings import TrainingSettings
from evonas.tasks.classification.predictions import most_likely
from evonas.tasks.task import LOSS, Batches, Outputs, Score, Shapes, Task

if TYPE_CHECKING:
    from torch import Generator, Tensor

NEAR = 5  # classes that `top5_accuracy` looks at


class Classification(Task):
    """Targets are the numbers of classes, int64 (images,); the output is logits (batch, classes).

    `accuracy`: share of images classified rightly. `loss`: mean cross-entropy.
    `balanced_accuracy`: that share in each class, and the mean of these: 1 / classes by chance,
    however unequal classes are. Classes without images do not count. `top5_accuracy`: share of
    images whose class is among the five most likely.
    """

    measures: Mapping[str, Score] = {
        "accuracy": Score("maximise", "accuracy", bounds=(0, 1)),
        "balanced_accuracy": Score("maximise", "balanced over the classes", bounds=(0, 1)),
        "top5_accuracy": Score("maximise", "top-5", bounds=(0, 1)),
        LOSS: Score("minimise"),
    }
    space, data = "mobile_cells", "digits"
    settings = frozenset(
        (
            *("auxiliary", "auxiliary_heads", "dropout", "drop_connect", "cuda_graphs"),
            "flip_test",
        )
    )
    tuned = (
        *("lr_factor", "weight_decay", "momentum", "label_smoothing"),
        *("translate", "scale", "fliplr", "cutout"),
    )
    unequal_classes = (
        "Accuracy misleads then: ask for balanced_accuracy, or let classes count the same by "
        "data.class_weights=balanced."
    )

    def uninformative(self, problem: Problem) -> Mapping[str, str]:
        """See `Task.uninformative`."""
        classes = len(problem.classes)
        if classes > NEAR:
            return {}
        return {
            "top5_accuracy": f"top5_accuracy is 1 for every network where there are {NEAR} or "
            f"fewer classes, and these are {classes}. Name accuracy or balanced_accuracy instead."
        }

    def wrong(self, targets: Targets, problem: Problem) -> Iterator[str]:
        """See `Task.wrong`."""
        if targets.ndim != 1 or targets.dtype != np.int64:
            yield f"Targets are {targets.dtype} {targets.shape}, and classes are int64 (images,)."
        elif not 0 <= targets.min() <= targets.max() < len(problem.classes):
            yield f"Targets are outside 0..{len(problem.classes) - 1}, the numbers of the classes."

    def counts(self, targets: Targets, problem: Problem) -> NDArray[Any]:
        """See `Task.counts`."""
        return np.bincount(targets, minlength=len(problem.classes))

    def class_weights(self, targets: Targets, problem: Problem) -> "Tensor":
        """See `Task.class_weights`."""
        from evonas.tasks.classification.loss import balanced_weights

        return balanced_weights(targets, len(problem.classes))

    def auxiliary_outputs(self, problem: Problem) -> int | None:
        """See `Task.auxiliary_outputs`."""
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
        """See `Task.varied`; targets of batches that may be mixed are shares of classes."""
        from evonas.tasks.variation import mixed, mixes, one_hot, varied

        images = varied(images, problem, recipe, done, generator)
        if not mixes(recipe):
            return images, targets
        return mixed(images, one_hot(targets, len(problem.classes)), recipe, generator)

    def loss(
        self,
        outputs: Outputs,
        targets: "Tensor",
        recipe: TrainingSettings,
        class_weights: "Tensor | None" = None,
    ) -> "Tensor":
        """See `Task.loss`."""
        from evonas.tasks.classification.loss import classification_loss

        return classification_loss(outputs[0], targets, recipe.label_smoothing, class_weights)

    def unteachable(self, outputs: Outputs, taught: Outputs) -> str | None:
        """See `Task.unteachable`: any classifier of these classes can teach any other."""
        return None

    def imitation_loss(
        self, outputs: Outputs, taught: Outputs, temperature: float, recipe: TrainingSettings
    ) -> "Tensor":
        """See `Task.imitation_loss`: the mean over the images."""
        from evonas.tasks.classification.loss import soft_loss

        return soft_loss(outputs[0], taught[0], temperature)

    def right_shapes(self, shapes: Shapes, problem: Problem) -> str | None:
        """See `Task.right_shapes`: a logit for each class."""
        wanted = (1, len(problem.classes))
        return None if [*shapes] == [wanted] else str(wanted)

    def scores(
        self, batches: Batches, problem: Problem, recipe: TrainingSettings
    ) -> dict[str, float]:
        """See `Task.scores`."""
        from evonas.tasks.classification.scores import classification_scores

        return classification_scores(batches, recipe)

    def details(
        self, batches: Batches, problem: Problem, recipe: TrainingSettings
    ) -> dict[str, Any]:
        """See `Task.details`: `table`, and by class `mistakes`."""
        from evonas.tasks.classification.confusion import class_table, confusion, mistakes

        classes = problem.classes
        counts = confusion(batches, len(classes), recipe)
        return {"table": class_table(counts, classes), "mistakes": mistakes(counts, classes)}

    def predictions(
        self,
        outputs: Sequence[NDArray[Any]],
        frames: Sequence[Frame],
        side_px: int,
        problem: Problem,
        recipe: TrainingSettings,
    ) -> list[dict[str, Any]]:
        """See `Task.predictions`: the most likely class, and the probabilities of all."""
        return most_likely(outputs[0], problem.classes, recipe)

    def rows(self, prediction: Mapping[str, Any]) -> list[dict[str, Any]]:
        """See `Task.rows`: the probability of each class is a column."""
        row = {name: prediction[name] for name in ("class", "probability")}
        probabilities = prediction["probabilities"].items()
        return [{**row, **{f"probability of {name}": value for name, value in probabilities}}]
