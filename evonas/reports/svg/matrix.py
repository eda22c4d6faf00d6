"""Counts by row and column, as cells that are the stronger the larger their share of the row."""

import math
from collections.abc import Sequence

from evonas.reports.svg.svg_drawing import FONT_PX, Drawing, shortened, width_of

LABEL = 150.0  # px that a name may take
CELLS = 560.0  # px of all cells beside each other, where there are many
SMALLEST, LARGEST = 14.0, 48.0  # px, the side of a cell
NUMBERS_FROM = 26.0  # px of a cell that has its number in it
GAP, EDGE, LINE, BASE = 6.0, 16.0, 18.0, 4.0
STRONG = 0.3  # share of a row from which a cell's number is light
SLANTED_FROM = 20.0  # px of a cell whose column name need not stand upright, if it is wider


def matrix(
    title: str, rows: str, columns: str, names: Sequence[str], counts: Sequence[Sequence[int]]
) -> str:
    """A square matrix as SVG: its diagonal in one colour, what is beside it in another.

    Strength is the root of the share, so that few in many are seen too.

    Args:
        title: What it shows, for those who do not see it.
        rows, columns: What these are.
    """
    side = min(LARGEST, max(SMALLEST, CELLS / len(names)))
    told = [shortened(name, LABEL) for name in names]
    widest = max(map(width_of, told))
    slant = 0 if widest <= side - GAP else -45 if side >= SLANTED_FROM else -90  # degrees
    left = EDGE + LINE + widest + GAP
    top = EDGE + LINE + max(LINE, math.sin(math.radians(-slant)) * widest + FONT_PX)
    right = max(EDGE, math.cos(math.radians(-slant)) * widest) if slant else EDGE
    drawing = Drawing(left + side * len(names) + right, top + side * len(names) + EDGE, title)
    middle = side * len(names) / 2
    drawing.text((left + middle, EDGE + BASE), columns, "muted", "middle")
    drawing.text((EDGE + BASE, top + middle), rows, "muted", "middle", turned=-90)
    for number, name in enumerate(told):
        place = side * (number + 0.5)
        drawing.text((left - GAP, top + place + BASE), name, "ink", "end")
        below = left + place + (BASE if slant == -90 else 0)
        drawing.text((below, top - GAP), name, "ink", "start" if slant else "middle", slant)
    for row, values in enumerate(counts):
        _draw_row(drawing, (left, top + side * row), side, row, names, values)
    return drawing.svg()


def _draw_row(
    drawing: Drawing,
    corner: tuple[float, float],
    side: float,
    row: int,
    names: Sequence[str],
    counts: Sequence[int],
) -> None:
    left, top = corner
    total = sum(counts) or 1
    drawing.rectangle(corner, side * len(counts) - 1, side - 1, "cell")
    for column, count in enumerate(counts):
        if not count:
            continue
        place = (left + side * column, top)
        share = count / total
        look = "right" if row == column else "wrong"
        told = f"{names[row]}, {names[column]}: {count} ({100 * share:.3g} %)"
        drawing.rectangle(place, side - 1, side - 1, look, share**0.5, told)
        if side >= NUMBERS_FROM:
            ink = "on_cell" if share >= STRONG else "ink"
            middle = (place[0] + (side - 1) / 2, top + (side - 1) / 2 + BASE)
            drawing.text(middle, str(count), ink, "middle")
