"""What a card says of a retraining beside its scores: how it went, how single classes did."""

from collections.abc import Mapping
from typing import Any

from evonas.exporters.file_names import CONFUSION, CURVES, EXAMPLES, PRECISION_RECALL, TRAINING
from evonas.model_folder.model_folder import CHECKSUMS
from evonas.reports.epochs import told_weights
from evonas.reports.escape import printable
from evonas.reports.training_pictures import TABLE

MOST_ROWS = 50  # of a table of classes
LOSSES = (
    "The training loss is of varied images and has all terms of the recipe; that of validation "
    "images, where there is one, is plain."
)
# Picture of the test images to what it shows, in a sentence or two.
TEST_PICTURES = {
    EXAMPLES: "Test images: what the labels say is white, what was found has a colour for each "
    "class.",
    CONFUSION: "Test images by their class (rows) and by what they were taken for (columns). Cells "
    "are the stronger the larger their share of the row.",
    PRECISION_RECALL: "The precision of each class at each recall.",
}


def curve_lines(training: Mapping[str, Any] | None, checks: Mapping[str, Any]) -> list[str]:
    """How the training went, and what the weights are of."""
    if training is None or CURVES not in checks[CHECKSUMS]:
        return []
    return ["## Training", "", f"![Curves]({CURVES})", "", told_weights(training), LOSSES, ""]


def class_lines(training: Mapping[str, Any] | None, checks: Mapping[str, Any]) -> list[str]:
    """How the classes did on the test images, and pictures of that, where there are such."""
    table = training.get(TABLE) if training else None
    if not table:
        return []
    heads = list(table[0])
    rows = sorted(table, key=lambda row: (row["recall"] is None, row["recall"]))[:MOST_ROWS]
    shown = [row for row in table if row in rows]
    pictures = [name for name in TEST_PICTURES if name in checks[CHECKSUMS]]
    return [
        "## Classes, on the test images",
        "",
        *(
            line
            for name in pictures
            for line in (f"![{name}]({name})", "", TEST_PICTURES[name], "")
        ),
        *_left_out(len(table), len(shown)),
        f"| {' | '.join(heads)} |",
        f"| {' | '.join('---' for _ in heads)} |",
        *(f"| {' | '.join(_cell(row[head]) for head in heads)} |" for row in shown),
        "",
    ]


def _left_out(classes: int, shown: int) -> list[str]:
    if shown == classes:
        return []
    return [
        f"These {shown} of {classes} classes have the lowest recall; `{TRAINING}` has all of them.",
        "",
    ]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if isinstance(value, float) else printable(str(value)).replace("|", r"\|")
