"""An SVG document, element by element."""

import unicodedata
from collections.abc import Iterable, Mapping
from xml.etree import ElementTree

from evonas.reports.escape import printable

# Name of a colour to what it is on light and on dark pages. Those of lines are told apart by most
# eyes, colour-blind ones too (after Okabe and Ito, 2008).
COLOURS: Mapping[str, tuple[str, str]] = {
    "page": ("#ffffff", "#0d1117"),
    "ink": ("#1f2328", "#e6edf3"),
    "muted": ("#59636e", "#9198a1"),
    "faint": ("#b4bcc6", "#4b5563"),
    "grid": ("#dfe3e8", "#2a313c"),
    "blue": ("#0072b2", "#58b4f0"),
    "vermilion": ("#c8500a", "#f0884d"),
    "green": ("#007f5c", "#3fc59b"),
    "purple": ("#a3487c", "#e08fbe"),
    "ochre": ("#8f6a00", "#dfb340"),
    "slate": ("#4b5a8a", "#a2b0e0"),
    "cell": ("#f3f5f7", "#161b22"),
    "right": ("#0072b2", "#1c6fb0"),
    "wrong": ("#c8500a", "#b4500f"),
    "on_cell": ("#ffffff", "#ffffff"),
}
OF_LINES = ("blue", "vermilion", "green", "purple", "ochre", "slate")
FONT_PX = 12
SHAPES = (
    f"text{{font:{FONT_PX}px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}}"
    "text,rect,circle{fill:currentColor}"
    "polyline{fill:none;stroke:currentColor;stroke-width:2;stroke-linejoin:round}"
    ".thin{stroke-width:1}.dashed{stroke-dasharray:4 3}.strong{font-weight:600}"
)

Point = tuple[float, float]  # px; x grows to the right, y downwards


class Drawing:
    """A picture of so many px.

    Elements take the names of their colours, of `COLOURS`, and other classes of `SHAPES` behind
    them, as in `muted thin`.

    Args:
        title: What the picture is, for those who do not see it.
    """

    def __init__(self, width: float, height: float, title: str) -> None:
        size = {"width": _number(width), "height": _number(height)}
        self._root = ElementTree.Element(
            "svg",
            {
                "xmlns": "http://www.w3.org/2000/svg",
                **size,
                "viewBox": f"0 0 {size['width']} {size['height']}",
                "role": "img",
            },
        )
        ElementTree.SubElement(self._root, "title").text = _characters(title)
        ElementTree.SubElement(self._root, "style").text = _style()
        self.rectangle((0, 0), width, height, "page")

    def rectangle(
        self,
        corner: Point,
        width: float,
        height: float,
        look: str,
        opacity: float = 1.0,
        told: str = "",
    ) -> None:
        """From its upper left corner; `told` shows where a pointer rests on it."""
        x, y = corner
        sides = {"x": x, "y": y, "width": width, "height": height}
        faint = {} if opacity == 1 else {"fill-opacity": opacity}
        self._add("rect", look, told, **sides, **faint)

    def line(self, points: Iterable[Point], look: str, told: str = "") -> None:
        """From point to point."""
        path = " ".join(f"{_number(x)},{_number(y)}" for x, y in points)
        self._add("polyline", look, told, points=path)

    def dot(self, centre: Point, radius: float, look: str, told: str = "") -> None:
        """A filled circle."""
        self._add("circle", look, told, cx=centre[0], cy=centre[1], r=radius)

    def text(
        self, place: Point, text: str, look: str = "ink", anchor: str = "start", turned: float = 0
    ) -> None:
        """Text whose `anchor` (`start`, `middle`, `end`) is at the place, on its baseline.

        Args:
            turned: Degrees, clockwise.
        """
        x, y = place
        turn = {"transform": f"rotate({_number(turned)} {_number(x)} {_number(y)})"}
        aligned = {} if anchor == "start" else {"text-anchor": anchor}
        element = self._add("text", look, x=x, y=y, **aligned, **(turn if turned else {}))
        element.text = _characters(text)

    def svg(self) -> str:
        """The document."""
        ElementTree.indent(self._root, "")
        return ElementTree.tostring(self._root, encoding="unicode") + "\n"

    def _add(
        self, name: str, look: str, told: str = "", **attributes: float | str
    ) -> ElementTree.Element:
        written = {key.replace("_", "-"): _number(value) for key, value in attributes.items()}
        element = ElementTree.SubElement(self._root, name, {"class": look, **written})
        if told:
            ElementTree.SubElement(element, "title").text = _characters(told)
        return element


def width_of(text: str) -> float:
    """About how many px a text of `FONT_PX` takes; fonts differ."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return FONT_PX * (0.57 * (len(text) - wide) + wide)


def shortened(text: str, width: float) -> str:
    """The text, or as much of it as takes so many px, with a mark that something is left out.

    >>> shortened("a long-winded name", 60)
    'a long-…'
    """
    if width_of(text) <= width:
        return text
    while text and width_of(f"{text}…") > width:
        text = text[:-1]
    return f"{text}…"


def _style() -> str:
    light, dark = (
        "".join(f".{name}{{color:{pair[theme]}}}" for name, pair in COLOURS.items())
        for theme in (0, 1)
    )
    return f"{SHAPES}{light}@media (prefers-color-scheme:dark){{{dark}}}"


def _number(value: float | str) -> str:
    """Hundredths of a px are enough."""
    if isinstance(value, str):
        return value
    return f"{value:.2f}".rstrip("0").rstrip(".") if value % 1 else f"{value:.0f}"


def _characters(text: str) -> str:
    """Without what XML has no room for."""
    return printable(text).replace("\ufffe", "").replace("\uffff", "")
