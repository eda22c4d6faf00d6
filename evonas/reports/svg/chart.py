"""Lines over a common axis, in panels that stand above each other."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from evonas.reports.svg.axis import Axis, linear_axis, log_axis, tick_label, tight_axis
from evonas.reports.svg.svg_drawing import OF_LINES, Drawing, Point, width_of

WIDTH, PANEL_HEIGHT = 720.0, 170.0  # px
LEFT, RIGHT, HEAD, FOOT = 64.0, 24.0, 44.0, 44.0  # around a panel; the foot is below the last one
TICK = 6.0  # px between an axis and what is written beside it
LINE = 18.0  # px from line to line of text
BASE = 4.0  # px from the middle of small letters to their baseline
SWATCH = 18.0  # px of line in a legend
MOST_DOTS = 30  # points of a line that are shown each
LOG_FROM = 20  # times the smallest value


@dataclass(frozen=True)
class Line:
    """Values over the common axis; its name, if it has one, shows where a pointer rests on it.

    `look`: see `Drawing`; without, the next of `OF_LINES`. `is_listed`: it is in the legend.
    """

    points: Sequence[Point]
    name: str = ""
    look: str = ""
    is_listed: bool = True


@dataclass(frozen=True)
class Panel:
    """Lines with an axis of values: `title` says what these are.

    `holds`: values that the axis reaches in any case. It is logarithmic if `may_be_log` and the
    values span that much.
    """

    title: str
    lines: Sequence[Line]
    holds: tuple[float, ...] = ()
    may_be_log: bool = False
    height: float = PANEL_HEIGHT

    @property
    def shown(self) -> list[Line]:
        """The lines, each with its look."""
        return [
            line if line.look else replace(line, look=OF_LINES[number % len(OF_LINES)])
            for number, line in enumerate(self.lines)
        ]

    def axis(self, start: float, end: float) -> Axis:
        """Of the values, from `start` to `end` px."""
        values = [y for line in self.lines for _, y in line.points] + [*self.holds]
        spans = min(values) > 0 and max(values) > LOG_FROM * min(values)
        return (log_axis if self.may_be_log and spans else linear_axis)(values, start, end)


@dataclass(frozen=True)
class Mark:
    """A place on the common axis, and what is there."""

    x: float
    name: str


def chart(
    title: str,
    x_title: str,
    panels: Sequence[Panel],
    mark: Mark | None = None,
    smallest_step: float = 0,
) -> str:
    """Panels over one axis, as SVG.

    Args:
        title: What the chart shows, for those who do not see it.
        x_title: What the common axis is.
        smallest_step: Between its ticks; 1 where its values are counts.
    """
    drawing = Drawing(WIDTH, sum(HEAD + panel.height for panel in panels) + FOOT, title)
    values = [x for panel in panels for line in panel.lines for x, _ in line.points]
    across = tight_axis(values, LEFT, WIDTH - RIGHT, smallest_step)
    top = 0.0
    for panel in panels:
        _draw(drawing, panel, across, top + HEAD, mark)
        _draw_legend(drawing, panel, None if top else mark, top + HEAD - LINE)
        top += HEAD + panel.height
    for tick in across.ticks:
        drawing.text((across.at(tick), top + LINE), tick_label(tick), "muted", "middle")
    drawing.text(((LEFT + WIDTH - RIGHT) / 2, top + 2 * LINE), x_title, "muted", "middle")
    return drawing.svg()


def _draw(drawing: Drawing, panel: Panel, across: Axis, top: float, mark: Mark | None) -> None:
    """A panel whose upper edge is at `top` px, its title and legend above that."""
    up = panel.axis(top + panel.height, top)
    drawing.text((LEFT, top - LINE + BASE), panel.title, "ink strong")
    for tick in up.ticks:
        y = up.at(tick)
        drawing.line([(across.start, y), (across.end, y)], "grid thin")
        drawing.text((across.start - TICK, y + BASE), tick_label(tick), "muted", "end")
    drawing.line([(across.start, up.start), (across.end, up.start)], "muted thin")
    if mark is not None:
        drawing.line([(across.at(mark.x), up.start), (across.at(mark.x), up.end)], "muted dashed")
    for line in panel.shown:
        points = [(across.at(x), up.at(y)) for x, y in line.points]
        drawing.line(points, line.look, line.name)
        if len(points) <= MOST_DOTS:
            for place, (x, y) in zip(points, line.points, strict=True):
                drawing.dot(place, 3, line.look, f"{tick_label(x)}: {y:.4g}")


def _draw_legend(drawing: Drawing, panel: Panel, mark: Mark | None, middle: float) -> None:
    """From the right edge to the left, each line's name behind a piece of it."""
    marks = [Line((), mark.name, "muted dashed")] if mark is not None else []
    right = WIDTH - RIGHT
    for line in reversed([line for line in [*panel.shown, *marks] if line.name and line.is_listed]):
        left = right - width_of(line.name)
        drawing.text((left, middle + BASE), line.name)
        drawing.line([(left - TICK - SWATCH, middle), (left - TICK, middle)], line.look)
        right = left - 2 * TICK - SWATCH - TICK
