"""Lines over a common axis, and counts by row and column."""

from collections import Counter
from xml.etree import ElementTree

import pytest

from evonas.reports.svg.chart import LEFT, RIGHT, WIDTH, Line, Mark, Panel, chart
from evonas.reports.svg.matrix import matrix

SVG = "{http://www.w3.org/2000/svg}"


def elements(document: str, name: str) -> list[ElementTree.Element]:
    return [*ElementTree.fromstring(document).iter(f"{SVG}{name}")]


def texts(document: str) -> list[str | None]:
    return [element.text for element in elements(document, "text")]


def test_panels_share_their_axis_and_lines_are_named_once() -> None:
    up = Panel(
        "loss", [Line([(1, 0.5), (4, 0.1)], "training"), Line([(1, 0.6), (4, 0.3)], "other")]
    )
    down = Panel("rate", [Line([(0, 0.0), (2, 0.1), (4, 0.0)])])
    document = chart("Curves", "epoch", [up, down], Mark(4, "kept: epoch 4"), smallest_step=1)
    told = texts(document)
    for text in ("loss", "rate", "epoch", "training", "other", "kept: epoch 4"):
        assert told.count(text) == 1, text
    lines = {line.get("class"): line for line in elements(document, "polyline")}
    assert {"blue", "vermilion", "muted dashed"} <= lines.keys()
    rate = elements(document, "polyline")[-1].get("points", "").split()
    assert [point.split(",")[0] for point in rate] == [f"{LEFT:g}", "380", f"{WIDTH - RIGHT:g}"]
    assert len(elements(document, "circle")) == 7


def test_values_over_decades_are_drawn_logarithmically_where_that_is_meant() -> None:
    lines = [Line([(1, 20.0), (2, 0.02)])]
    assert "10" in texts(chart("a", "x", [Panel("y", lines, may_be_log=True)]))
    assert "15" in texts(chart("a", "x", [Panel("y", lines)]))


def test_many_points_have_no_dots_and_one_is_a_dot() -> None:
    many = Panel("y", [Line([(float(x), 1.0) for x in range(100)])])
    assert not elements(chart("a", "x", [many]), "circle")
    assert len(elements(chart("a", "x", [Panel("y", [Line([(1.0, 2.0)])])]), "circle")) == 1


def test_a_matrix_shows_its_counts_and_the_diagonal_apart() -> None:
    document = matrix("m", "is", "taken for", ["cat", "dog"], [[7, 0], [2, 8]])
    assert {"7", "2", "8"} <= {*texts(document)}
    assert "0" not in texts(document)
    looks = Counter(cell.get("class") for cell in elements(document, "rect"))
    assert looks == {"page": 1, "cell": 2, "right": 2, "wrong": 1}
    cells = [cell for cell in elements(document, "rect") if cell.get("class") == "right"]
    assert [cell.get("fill-opacity") for cell in cells] == [None, "0.89"]


@pytest.mark.parametrize("classes", [2, 20, 41])
def test_names_of_any_length_stay_within_the_picture(classes: int) -> None:
    document = matrix("m", "is", "taken", ["W" * 300] * classes, [[1] * classes] * classes)
    root = ElementTree.fromstring(document)
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    assert 0 < width < 1000
    assert 0 < height < 1000
    for element in elements(document, "text"):
        assert 0 <= float(element.get("x", -1)) <= width
