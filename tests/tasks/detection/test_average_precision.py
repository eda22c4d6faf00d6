"""Average precision is COCO's, as pycocotools has it."""

import contextlib
import io
import warnings

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from evonas.tasks.detection.average_precision import Evaluated, Numbers

CLASSES = ("cell", "plate", "rare", "absent")


def random_boxes(images: int, seed: int) -> tuple[Numbers, Numbers]:
    """True boxes of all sizes, and found ones: moved, missed, of a wrong class, and of nothing."""
    rng = np.random.default_rng(seed)
    truth = []
    for image in range(images):
        for _ in range(rng.integers(0, 12)):
            label = rng.choice(3, p=(0.6, 0.3, 0.1))
            x, y = rng.uniform(0, 300, 2)
            width, height = np.exp(rng.uniform(np.log(6), np.log(200), 2))
            truth.append((image, label, x, y, x + width, y + height))
    rows = []
    for image, label, *box in truth:
        for _ in range(rng.integers(0, 4)):
            width, height = box[2] - box[0], box[3] - box[1]
            moved = np.array(box) + rng.normal(0, 0.08, 4) * (width, height, width, height)
            seen = label if rng.random() < 0.9 else rng.integers(3)
            rows.append((image, seen, *moved, rng.uniform(0.01, 1)))
    for _ in range(4 * images):
        x, y = rng.uniform(0, 300, 2)
        side = rng.uniform(5, 80)
        wrong = (rng.integers(images), rng.integers(3), x, y, x + side, y + side)
        rows.append((*wrong, rng.uniform(0.001, 0.6)))
    return np.array(truth), np.array(rows)


def by_pycocotools(images: int, truth: Numbers, found: Numbers) -> list[float]:
    """AP, AP50, AP75, small, medium, large."""

    def rows(boxes: Numbers) -> list[dict[str, object]]:
        return [
            {
                "id": number + 1,
                "image_id": int(row[0]),
                "category_id": int(row[1]),
                "bbox": [row[2], row[3], row[4] - row[2], row[5] - row[3]],
                "area": (row[4] - row[2]) * (row[5] - row[3]),
                "score": row[-1],
                "iscrowd": 0,
            }
            for number, row in enumerate(boxes)
        ]

    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        known, said = COCO(), COCO()
        for own, boxes in ((known, truth), (said, found)):
            own.dataset = {
                "images": [{"id": image} for image in range(images)],
                "categories": [{"id": label} for label in range(len(CLASSES))],
                "annotations": rows(boxes),
            }
            own.createIndex()
        comparison = COCOeval(known, said, "bbox")
        comparison.evaluate()
        comparison.accumulate()
        comparison.summarize()
    return [float(value) for value in comparison.stats[:6]]


@pytest.mark.parametrize("seed", range(3))
def test_scores_equal_those_of_pycocotools(seed: int) -> None:
    truth, found = random_boxes(25, seed)
    scores = Evaluated(CLASSES, 25, truth, found).scores()
    names = ("map50_95", "map50", "map75", "map_small", "map_medium", "map_large")
    expected = by_pycocotools(25, truth, found)
    assert [scores[name] for name in names] == pytest.approx(expected, abs=1e-6)
    assert 0.1 < scores["map50_95"] < 0.9


def box(image: int, label: int, side: float, *score: float) -> tuple[float, ...]:
    return (image, label, 10, 10, 10 + side, 10 + side, *score)


def evaluated(truth: list[tuple[float, ...]], found: list[tuple[float, ...]]) -> Evaluated:
    shaped = np.array(truth).reshape(-1, 6), np.array(found).reshape(-1, 7)
    return Evaluated(CLASSES, 4, *shaped)


def test_all_found_is_one_and_a_size_that_no_box_has_is_zero() -> None:
    scores = evaluated(
        [box(0, 0, 20), box(1, 1, 50)], [box(0, 0, 20, 0.9), box(1, 1, 50, 0.8)]
    ).scores()
    assert scores.pop("map_large") == 0
    assert list(scores.values()) == pytest.approx([1] * len(scores))


@pytest.mark.parametrize(("truth", "found"), [(0, 0), (0, 2), (2, 0)])
def test_nothing_there_or_nothing_found_is_zero(truth: int, found: int) -> None:
    there = [box(n, 0, 20) for n in range(truth)]
    own = evaluated(there, [box(n, 0, 20, 0.5) for n in range(found)])
    assert set(own.scores().values()) == {0.0}
    assert [row["boxes"] for row in own.table()] == [truth, 0, 0, 0]


def test_precision_and_recall_are_where_f1_is_best() -> None:
    # Of four boxes of class 0 two are found by the best two, a third after three wrong ones: F1 is
    # 2/2 x 2/4 -> .667 with two, 3/6 x 3/4 -> .6 with six.
    found = [box(0, 0, 20, 0.9), box(1, 0, 20, 0.8)]
    found += [(image, 0, 200, 200, 230, 230, 0.7) for image in range(3)]
    found += [box(2, 0, 20, 0.6)]
    own = evaluated([box(image, 0, 20) for image in range(4)], found)
    assert own.scores()["precision"] == pytest.approx(1)
    assert own.scores()["recall"] == pytest.approx(0.5)


def test_precision_at_each_recall_is_the_best_of_there_and_beyond() -> None:
    truth = [box(0, 0, 20), box(1, 0, 20), box(2, 1, 20)]
    found = [box(2, 0, 20, 0.9), box(0, 0, 20, 0.8), box(1, 0, 20, 0.7)]
    curves = evaluated(truth, found).precisions()
    assert curves == {CLASSES[0]: [0.6667] * 101, CLASSES[1]: [0.0] * 101}


def test_the_table_has_a_row_for_each_class() -> None:
    truth = [box(0, 0, 20), box(1, 0, 20), box(2, 1, 20)]
    rows = evaluated(truth, [box(0, 0, 20, 0.9), box(2, 1, 20, 0.9)]).table()
    assert [row["class"] for row in rows] == list(CLASSES)
    assert [row["boxes"] for row in rows] == [2, 1, 0, 0]
    # Recall of class 0 ends at 1/2: of COCO's 101 recalls those up to .50 have precision 1.
    assert rows[0]["AP50"] == rows[0]["AP50_95"] == pytest.approx(51 / 101)
    assert (rows[0]["precision"], rows[0]["recall"]) == pytest.approx((1, 0.5))
    assert rows[1]["AP50_95"] == pytest.approx(1)
    assert rows[3] == dict.fromkeys(rows[3]) | {"class": "absent", "boxes": 0}
