"""COCO's average precision, by faster-coco-eval, an extra of evonas."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIZES = ("small", "medium", "large")  # below 32² px, below 96² px, above
AREAS = ("all", *SIZES)
NEEDED = (
    "detection is measured by faster-coco-eval, which is not installed. Run pip install "
    '"evonas[detection]".'
)

Numbers = NDArray[Any]


def is_installed() -> bool:
    """Whether faster-coco-eval is."""
    try:
        import faster_coco_eval  # noqa: F401
    except ImportError:
        return False
    return True


@dataclass(frozen=True)
class Evaluated:
    """Boxes that were found in images, and those that are there, compared as COCO does.

    Args:
        truth: (boxes, 6): image, class, x1, y1, x2, y2 in px.
        found: (boxes, 7): the same and the score. Of an image, the best 100 of a class count.
    """

    classes: Sequence[str]
    images: int
    truth: Numbers
    found: Numbers

    def scores(self) -> dict[str, float]:
        """`map50_95`, `map50`, `map75`, those by size, `precision` and `recall`, 0..1.

        Means over the classes that the images have; 0 where there is no box of a size.
        """
        precision, recall = self._best()
        by_size = {f"map_{size}": self._mean(area=AREAS.index(size)) for size in SIZES}
        return {
            "map50_95": self._mean(),
            "map50": self._mean(0),
            "map75": self._mean(5),
            **by_size,
            "precision": _mean(precision),
            "recall": _mean(recall),
        }

    def table(self) -> list[dict[str, Any]]:
        """A row for each class: `class`, `boxes`, `AP50_95`, `AP50`, `precision`, `recall`.

        Those of a class without boxes are None.
        """
        precision, recall = self._best()
        rows = []
        for number, name in enumerate(self.classes):
            boxes = int((self.truth[:, 1] == number).sum())
            own = self._precisions[:, :, number, 0]
            values = (own.mean(), own[0].mean(), precision[number], recall[number])
            told = [float(value) if boxes else None for value in values]
            columns = ("AP50_95", "AP50", "precision", "recall")
            rows.append({"class": name, "boxes": boxes, **dict(zip(columns, told, strict=True))})
        return rows

    def precisions(self) -> dict[str, list[float]]:
        """Of each class that has boxes, the precision at recalls of 0, .01, ... 1, at an IoU of .5.

        As COCO interpolates it: the best of those at this recall or a larger one; 0 where no box
        has it.
        """
        curves = self._precisions[0, :, :, 0].T
        return {
            name: [round(float(value), 4) for value in curve]
            for name, curve in zip(self.classes, curves, strict=True)
            if (curve >= 0).all()
        }

    def _mean(self, overlap: int | slice = slice(None), area: int = 0) -> float:
        return _mean(self._precisions[overlap][..., area])

    def _best(self) -> tuple[Numbers, Numbers]:
        """Precision and recall of each class where F1 is best, at an IoU of 0.5; -1: no boxes."""
        precision = self._precisions[0, :, :, 0]  # (recalls, classes)
        recall = np.linspace(0, 1, len(precision))[:, None]
        f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-9)
        best = f1.argmax(0)
        chosen = np.take_along_axis(precision, best[None], 0)[0]
        reached = np.where(chosen > 0, recall[best, 0], 0)
        return chosen, np.where(chosen < 0, -1, reached)

    @cached_property
    def _precisions(self) -> Numbers:
        """(IoUs .50:.95, recalls, classes, areas), as COCO interpolates it; -1: no such boxes."""
        if not len(self.truth):
            return np.full((10, 101, len(self.classes), len(AREAS)), -1.0)
        precisions: Numbers = self._compared().eval["precision"][..., -1]
        return precisions

    def _compared(self) -> Any:
        from faster_coco_eval import COCO, COCOeval_faster

        truth = COCO(_dataset(self.classes, self.images, self.truth))
        found = COCO(_dataset(self.classes, self.images, self.found))
        comparison = COCOeval_faster(truth, found, "bbox")
        comparison.evaluate()
        comparison.accumulate()
        return comparison


def _dataset(classes: Sequence[str], images: int, boxes: Numbers) -> dict[str, Any]:
    """Boxes as a COCO file has them."""
    corners = boxes[:, 2:6].astype(np.float64)
    sides = corners[:, 2:] - corners[:, :2]
    rows = np.concatenate([corners[:, :2], sides], 1).tolist()
    areas = sides.prod(1).tolist()
    scores = boxes[:, 6].tolist() if boxes.shape[1] > 6 else [1.0] * len(boxes)
    numbers = boxes[:, :2].astype(int).tolist()
    return {
        "images": [{"id": number} for number in range(images)],
        "categories": [{"id": number, "name": name} for number, name in enumerate(classes)],
        "annotations": [
            {
                "id": index + 1,
                "image_id": numbers[index][0],
                "category_id": numbers[index][1],
                "bbox": rows[index],
                "area": areas[index],
                "score": scores[index],
                "iscrowd": 0,
            }
            for index in range(len(boxes))
        ],
    }


def _mean(values: Numbers) -> float:
    """Of those that are there."""
    there = values[values > -1]
    return float(there.mean()) if there.size else 0.0
