"""Boxes drawn into pictures, to be looked at."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from evonas.data.dataset import Images, Targets

# Told apart by most eyes, colour-blind ones too (Okabe and Ito, 2008), dark ones first.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442")
WHITE = "#FFFFFF"
CORNERS = ("x1", "y1", "x2", "y2")
SMALLEST_PX = 240  # the side of an image of a sheet
LARGE_PX = 400  # the side of a picture from which on lines and letters grow with it
GAP_PX = 8  # between the pictures of a sheet


def draw_boxes(
    picture: Image.Image, boxes: Iterable[Mapping[str, Any]], classes: Sequence[str]
) -> Image.Image:
    """A copy of the picture with its boxes, in a colour for each class, and their scores.

    Args:
        boxes: `class`, `score` (None: it is not told) and corners `x1`, `y1`, `x2`, `y2` in px.
    """
    drawn = picture.convert("RGB")
    pen = ImageDraw.Draw(drawn)
    size = max(1, max(drawn.size) // LARGE_PX)
    font = ImageFont.load_default(11 * size)
    for box in reversed([*boxes]):  # the surest on top
        colour = COLOURS[classes.index(box["class"]) % len(COLOURS)]
        _frame(pen, box, colour, 2 * size)
        if box.get("score") is not None:
            _label(pen, box, f"{box['class']} {box['score']:.2f}", colour, font)
    return drawn


def draw_labels(picture: Image.Image, boxes: Iterable[Mapping[str, Any]]) -> Image.Image:
    """A copy of the picture with the boxes that it is labelled with, as thin white lines."""
    drawn = picture.convert("RGB")
    pen = ImageDraw.Draw(drawn)
    for box in boxes:
        _frame(pen, box, WHITE, 1)
    return drawn


def example_sheet(
    images: Images,
    targets: Targets,
    boxes: Iterable[Sequence[Mapping[str, Any]]],
    classes: Sequence[str],
) -> Image.Image:
    """Images beside each other, enlarged where they are small: labels in white, boxes in colours.

    Args:
        images: uint8 (images, channels, height, width).
        targets: (images, most, 5): class, x1, y1, x2, y2 in px; class -1 fills up.
        boxes: As for `draw_boxes`, of each image.
    """
    zoom = math.ceil(SMALLEST_PX / images.shape[-1])
    side = zoom * images.shape[-1]
    whole = Image.new("RGB", (len(images) * (side + GAP_PX) - GAP_PX, side), "white")
    for place, (image, labels, seen) in enumerate(zip(images, targets, boxes, strict=True)):
        levels = image[0] if len(image) == 1 else image.transpose(1, 2, 0)
        picture = Image.fromarray(np.ascontiguousarray(levels)).resize((side, side))
        truth = [dict(zip(CORNERS, zoom * row[1:5], strict=True)) for row in labels if row[0] >= 0]
        larger = [{**box, **{name: zoom * box[name] for name in CORNERS}} for box in seen]
        drawn = draw_boxes(draw_labels(picture, truth), larger, classes)
        whole.paste(drawn, (place * (side + GAP_PX), 0))
    return whole


def _frame(pen: ImageDraw.ImageDraw, box: Mapping[str, Any], colour: str, width: int) -> None:
    left, right = sorted((box["x1"], box["x2"]))
    top, bottom = sorted((box["y1"], box["y2"]))
    pen.rectangle((left, top, right, bottom), outline=colour, width=width)


def _label(
    pen: ImageDraw.ImageDraw, box: Mapping[str, Any], text: str, colour: str, font: Any
) -> None:
    """Above the box, or within it where there is no room."""
    left, top, right, bottom = pen.textbbox((0, 0), text, font=font)
    height = bottom - top + 2
    above = box["y1"] - height if box["y1"] >= height else box["y1"]
    start = min(max(0, box["x1"]), max(0, pen.im.size[0] - (right - left) - 4))
    pen.rectangle((start, above, start + right - left + 4, above + height), fill=colour)
    pen.text((start + 2, above - top + 1), text, fill=_ink(colour), font=font)


def _ink(colour: str) -> str:
    """Black on light colours, white on dark ones."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "white"
