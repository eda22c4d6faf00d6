"""What came of a retraining, for a terminal."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from evonas.reports.epochs import told_epochs, told_weights
from evonas.reports.flip_test import told_flip
from evonas.reports.format import duration
from evonas.reports.models import print_forms
from evonas.reports.training_pictures import MISTAKES, PICTURES, TABLE
from evonas.tasks import test_scores

TOLD_MISTAKES = 3


def print_retrain(result: Mapping[str, Any], console: Console) -> None:
    """The scores on the test images, which are looked at only here, and what is left."""
    if "compression" in result:
        print_forms(result["compression"], console)
    console.print(
        f"Test {', '.join(test_scores(result))}, on {result['test_images']} images"
        f"{told_flip(result) or ','} after "
        f"{told_epochs(result)} in {duration(result['seconds'])}. "
        f"Weights, ONNX and card are in {result['folder']}.",
        soft_wrap=True,
    )
    for line in _more(result):
        console.print(line, soft_wrap=True)


def _more(result: Mapping[str, Any]) -> Iterator[str]:
    yield told_weights(result)
    if result.get(MISTAKES):
        yield f"Mistaken most often: {', '.join(_most_frequent(result))}."
    pictures = [file for file in result["files"] if Path(file).name in PICTURES]
    yield f"Pictures: {', '.join(pictures)}"


def _most_frequent(result: Mapping[str, Any]) -> Iterator[str]:
    """Pairs of classes, with how many images of the first were taken for the second."""
    images = {row["class"]: row["images"] for row in result[TABLE]}
    pairs = [(n, own, other) for own, row in result[MISTAKES].items() for other, n in row.items()]
    for count, own, other in sorted(pairs, key=lambda pair: -pair[0])[:TOLD_MISTAKES]:
        yield f"{own} for {other} ({count} of {images[own]})"
