"""Which classes are taken for which."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evonas.settings import TrainingSettings
from evonas.tasks.classification.scores import of_both
from evonas.tasks.task import Batches

Counts = NDArray[np.int64]


def confusion(batches: Batches, classes: int, recipe: TrainingSettings) -> Counts:
    """(classes, classes): images by their class (row) and by the most likely one (column)."""
    counts = np.zeros((classes, classes), np.int64)
    for (logits,), targets in batches:
        logits = of_both(logits) if recipe.flip_test else logits
        pairs = targets.cpu().numpy(), logits.argmax(1).cpu().numpy()
        np.add.at(counts, pairs, 1)
    return counts


def class_table(counts: Counts, names: Sequence[str]) -> list[dict[str, Any]]:
    """A row for each class: `class`, `images`, `precision`, `recall`, `taken_for`.

    `precision`: the share of what was taken for the class that is of it; None if nothing was.
    `recall`: the share of its images that were recognised; None if it has none. `taken_for`: the
    class that most of the others were taken for; None if there are no others.
    """
    images, taken, right = counts.sum(1), counts.sum(0), counts.diagonal()
    wrong = counts - np.diag(right)
    return [
        {
            "class": name,
            "images": int(images[place]),
            "precision": float(right[place] / taken[place]) if taken[place] else None,
            "recall": float(right[place] / images[place]) if images[place] else None,
            "taken_for": names[wrong[place].argmax()] if wrong[place].any() else None,
        }
        for place, name in enumerate(names)
    ]


def mistakes(counts: Counts, names: Sequence[str]) -> dict[str, dict[str, int]]:
    """By class, how many of its images were taken for which other; what is frequent comes first."""
    wrong = counts - np.diag(counts.diagonal())
    return {
        name: {
            names[other]: int(row[other]) for other in np.argsort(-row, kind="stable") if row[other]
        }
        for name, row in zip(names, wrong, strict=True)
        if row.any()
    }
