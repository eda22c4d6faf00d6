"""SVG documents: text stays text, whatever it holds, and colours know light and dark."""

import re
from xml.etree import ElementTree

import pytest

from evonas.reports.svg.svg_drawing import COLOURS, Drawing, shortened, width_of

SVG = "{http://www.w3.org/2000/svg}"


def contrast(one: str, other: str) -> float:
    """WCAG's contrast ratio of two colours, 1..21."""

    def luminance(colour: str) -> float:
        levels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in levels]
        return sum(w * x for w, x in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(
    ("text", "shown"),
    [('<b>&"x"</b>', '<b>&"x"</b>'), ("a\x1b[31m\x00", r"a\x1b[31m\x00"), ("猫\ufffe", "猫")],
)
def test_any_text_is_well_formed_and_shown_as_it_is(text: str, shown: str) -> None:
    drawing = Drawing(100, 50, text)
    drawing.text((1, 2), text)
    drawing.dot((1, 2), 3, "blue", told=text)
    root = ElementTree.fromstring(drawing.svg())
    told = [element.text for element in root.iter() if element.tag in (f"{SVG}text", f"{SVG}title")]
    assert told == [shown] * 3


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_colours_are_seen_on_their_page(theme: int) -> None:
    page = COLOURS["page"][theme]
    for name in {*COLOURS} - {"page", "grid", "faint", "cell", "right", "wrong", "on_cell"}:
        assert contrast(COLOURS[name][theme], page) >= 4.5, name
    for name in ("right", "wrong"):
        assert contrast(COLOURS["on_cell"][theme], COLOURS[name][theme]) >= 4, name


def test_dark_colours_hold_where_the_reader_prefers_them() -> None:
    style = Drawing(1, 1, "a").svg()
    light, dark = style.split("@media (prefers-color-scheme:dark)")
    for name, (day, night) in COLOURS.items():
        assert f".{name}{{color:{day}}}" in light
        assert f".{name}{{color:{night}}}" in dark
    assert not re.search(r"https?://(?!www.w3.org/2000/svg)", style)


def test_long_texts_are_shortened_to_their_room() -> None:
    assert shortened("cat", 100) == "cat"
    assert width_of(shortened("猫" * 40, 100)) <= 100
