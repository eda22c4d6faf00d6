"""What a card says of single classes and of the training's course."""

from typing import Any

from evonas.delivery.result_lines import MOST_ROWS, class_lines, curve_lines
from evonas.exporters.file_names import CONFUSION, CURVES
from evonas.model_folder.model_folder import CHECKSUMS


def row(name: str, recall: float | None) -> dict[str, Any]:
    return {"class": name, "images": 4, "precision": 0.5, "recall": recall, "taken_for": None}


def test_names_of_classes_cannot_break_the_table() -> None:
    lines = class_lines({"test_table": [row("a|b\n", 0.25), row("c", None)]}, {CHECKSUMS: {}})
    assert r"| a\|b\n | 4 | 0.5000 | 0.2500 |  |" in lines
    assert "| c | 4 | 0.5000 |  |  |" in lines
    assert not any("![" in line for line in lines)


def test_of_many_classes_those_that_are_recognised_least_have_a_row() -> None:
    table = [row(f"class {n}", (n * 37 % 101) / 101) for n in range(101)]
    lines = class_lines({"test_table": table}, {CHECKSUMS: {CONFUSION: ""}})
    assert f"![{CONFUSION}]({CONFUSION})" in lines
    assert "These 50 of 101 classes have the lowest recall; `training.json` has all of them." in (
        lines
    )
    rows = [line for line in lines if line.startswith("| class ")][1:]
    assert len(rows) == MOST_ROWS
    assert all(float(line.split("|")[4]) < 0.5 for line in rows)


def test_a_model_without_curves_has_no_picture_of_them() -> None:
    assert curve_lines(None, {CHECKSUMS: {CURVES: ""}}) == []
    assert curve_lines({"epochs": 3}, {CHECKSUMS: {}}) == []
    assert f"![Curves]({CURVES})" in curve_lines({"epochs": 3}, {CHECKSUMS: {CURVES: ""}})
