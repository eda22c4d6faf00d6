"""Pictures of a retraining, drawn from what training.json says of it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from evonas.exporters.file_names import CONFUSION, CURVES, PRECISION_RECALL
from evonas.reports.svg.chart import Line, Mark, Panel, chart
from evonas.reports.svg.matrix import matrix
from evonas.reports.svg.svg_drawing import OF_LINES

TABLE, MISTAKES, PRECISIONS = "test_table", "test_mistakes", "test_precisions"  # keys of results
RATES = "learning_rates"
MOST_CLASSES = 40  # of a matrix
OTHERS = "all others"
RATE_HEIGHT = 90.0  # px


def pictures(training: Mapping[str, Any]) -> dict[str, bytes]:
    """SVG files by name, of all that there is to draw."""
    drawn = {name: draw(training) for name, draw in PICTURES.items()}
    return {name: text.encode() for name, text in drawn.items() if text is not None}


def curves(training: Mapping[str, Any]) -> str | None:
    """Loss, score of the validation images and learning rate, epoch by epoch."""
    if RATES not in training:
        return None  # of an earlier version
    scores = training.get("validation_scores", {})
    panels = [Panel("loss", _loss_lines(training), may_be_log=True)]
    panels += [
        Panel(f"validation {name}", [Line(_by_epoch(each))]) for name, each in scores.items()
    ]
    panels.append(Panel("learning rate", [Line(training[RATES])], (0.0,), height=RATE_HEIGHT))
    best = training.get("best_epoch")
    mark = Mark(best, f"kept: epoch {best}") if best else None
    return chart("Curves of the training", "epoch", panels, mark, smallest_step=1)


def _loss_lines(training: Mapping[str, Any]) -> list[Line]:
    losses = {"training": training["curve"], "validation": training.get("validation_curve")}
    return [Line(_by_epoch(each), name) for name, each in losses.items() if each]


def confusion(training: Mapping[str, Any]) -> str | None:
    """How many images of each class were taken for which."""
    if MISTAKES not in training:
        return None
    names, counts = confusion_matrix(training[TABLE], training[MISTAKES])
    if len(names) > MOST_CLASSES:
        names, counts = _most_mistaken(names, counts)
    title = "Confusion matrix of the test images"
    return matrix(title, "what it is", "what it is taken for", names, counts)


def precision_recall(training: Mapping[str, Any]) -> str | None:
    """The precision of each class at each recall, at an IoU of .5, and the mean of the classes."""
    found = training.get(PRECISIONS)
    if not found:
        return None
    is_named = len(found) <= len(OF_LINES)
    lines = [
        Line(_shares(each), name, "" if is_named else "faint thin", is_listed=is_named)
        for name, each in found.items()
    ]
    mean = [sum(column) / len(found) for column in zip(*found.values(), strict=True)]
    if len(found) > 1:
        lines.append(Line(_shares(mean), "mean", "ink dashed" if is_named else "blue"))
    panel = Panel("precision, at an IoU of .5", lines, (0.0, 1.0), height=360)
    return chart("Precision and recall on the test images", "recall", [panel])


# File to what draws it: None if the training has nothing of the kind.
PICTURES: Mapping[str, Callable[[Mapping[str, Any]], str | None]] = {
    CURVES: curves,
    CONFUSION: confusion,
    PRECISION_RECALL: precision_recall,
}


def confusion_matrix(
    table: Sequence[Mapping[str, Any]], mistakes: Mapping[str, Mapping[str, int]]
) -> tuple[list[str], list[list[int]]]:
    """The classes, and by class (row) how many of its images were taken for each (column).

    Args:
        table: A row for each class: `class`, `images`.
        mistakes: By class, how many of its images were taken for which other.
    """
    names = [row["class"] for row in table]
    counts = [[mistakes.get(own, {}).get(other, 0) for other in names] for own in names]
    for place, row in enumerate(table):
        counts[place][place] = row["images"] - sum(counts[place])
    return names, counts


def _most_mistaken(
    names: Sequence[str], counts: Sequence[Sequence[int]]
) -> tuple[list[str], list[list[int]]]:
    """The classes with most mistakes, in their order, and all others together."""
    wrong = [sum(row) - row[place] for place, row in enumerate(counts)]
    order = sorted(range(len(names)), key=lambda place: -wrong[place])
    shown, others = sorted(order[:MOST_CLASSES]), order[MOST_CLASSES:]
    joined = [[*(row[n] for n in shown), sum(row[n] for n in others)] for row in counts]
    rows = [joined[place] for place in shown]
    rows.append([sum(column) for column in zip(*(joined[n] for n in others), strict=True)])
    return [*(names[place] for place in shown), OTHERS], rows


def _by_epoch(values: Sequence[float]) -> list[tuple[float, float]]:
    return [(float(epoch), value) for epoch, value in enumerate(values, start=1)]


def _shares(values: Sequence[float]) -> list[tuple[float, float]]:
    """Values at equal steps from 0 to 1."""
    return [(place / (len(values) - 1), value) for place, value in enumerate(values)]
