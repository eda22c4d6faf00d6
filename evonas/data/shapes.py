"""Pictures of shapes with their boxes, drawn from a seed: detection where no data are needed."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from evonas.data.arrays import Pictures
from evonas.data.box_targets import Boxes, box_groups, box_targets
from evonas.data.dataset import FEWEST, Source, Split
from evonas.data.image import arrays_to_images
from evonas.errors import SettingsError
from evonas.settings import DataSettings, ShapesSettings

Grid = NDArray[np.float64]  # of coordinates from -1 to 1 in a box, to the right or down
Corners = NDArray[np.floating]  # (4,): x1, y1, x2, y2

# Where in its box a shape is. Each touches all four sides, so that the box is tight.
SHAPES: Mapping[str, Callable[[Grid, Grid], NDArray[np.bool_]]] = {
    "circle": lambda x, y: x**2 + y**2 <= 1,
    "square": lambda x, y: np.maximum(abs(x), abs(y)) <= 1,
    "triangle": lambda x, y: 2 * abs(x) <= y + 1,
    "cross": lambda x, y: np.minimum(abs(x), abs(y)) <= 0.3,
    "ring": lambda x, y: (x**2 + y**2 >= 0.35) & (x**2 + y**2 <= 1),
    "diamond": lambda x, y: abs(x) + abs(y) <= 1,
    "hourglass": lambda x, y: abs(x) <= abs(y),
    "frame": lambda x, y: np.maximum(abs(x), abs(y)) >= 0.6,
}
SIDES = (0.12, 0.5)  # of a box, as a share of the picture's; small ones are as likely as large
ASPECT = 1.4  # a box's sides differ at most so much
COVERED = 0.3  # the largest share of a box that lies in another one
TRIES = 20  # to place a shape; a full picture has fewer
CELLS = 4  # a background has so many colours along each side
COLOURS = (60, 196)  # levels of a background's usual colour
SHADES = 40  # how far its colours are from that, in levels, at most
CONTRAST = 70  # of a shape to the colour behind it, in levels of at least one channel
NOISE = 8  # standard deviation, in levels
SAMPLES = 4  # of a pixel along each side: edges are smooth


def read_shapes(settings: DataSettings, resolution_px: int) -> Source:
    """Coloured shapes of many sizes on coloured, noisy backgrounds; some overlap.

    Every class is in about as many pictures as another.

    Raises:
        SettingsError: There are too few images for the classes.
    """
    own = settings.shapes
    fewest = FEWEST * (own.classes + 1)
    if own.images * (1 - own.empty) < fewest:
        least = int(np.ceil(fewest / (1 - own.empty)))
        raise SettingsError(
            f"data.shapes.images={own.images} is too few for {own.classes} classes where "
            f"{own.empty:g} of the images are empty. Write {least} or more."
        )
    rng = np.random.default_rng(own.seed)
    pictures, boxes = zip(
        *(_picture(own, labels, rng) for labels in _labels(own, rng)), strict=True
    )
    images = arrays_to_images(np.stack(pictures), resolution_px)
    targets = box_targets(boxes, max(map(len, boxes)))
    targets[:, :, 1:] *= resolution_px / own.resolution_px
    groups = box_groups(targets, own.classes)
    return Source(tuple(SHAPES)[: own.classes], Split(images, targets, groups), None)


def _labels(own: ShapesSettings, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """The classes of each picture's shapes; every class is the first one's equally often."""
    filled = rng.permutation(np.arange(own.images) >= round(own.empty * own.images))
    counts = np.where(filled, rng.integers(1, own.most + 1, own.images), 0)
    for first, count in zip(np.cumsum(filled) % own.classes, counts, strict=True):
        labels = rng.integers(0, own.classes, count)
        labels[:1] = first
        yield labels


def _picture(
    own: ShapesSettings, labels: NDArray[np.int64], rng: np.random.Generator
) -> tuple[Pictures, Boxes]:
    """A picture (side, side, 3) with shapes of these classes, as far as there is room; boxes."""
    side = own.resolution_px
    shades = rng.uniform(*COLOURS, 3) + rng.uniform(-SHADES, SHADES, (CELLS, CELLS, 3))
    coarse = shades.astype(np.uint8)[None]
    levels = arrays_to_images(coarse, side)[0].transpose(1, 2, 0).astype(np.float32)
    boxes: list[Boxes] = []
    for label in labels:
        corners = _place([box[1:] for box in boxes], side, rng)
        if corners is not None:
            boxes.append(np.array([label, *corners], np.float32))
            _draw(levels, tuple(SHAPES)[label], boxes[-1][1:], rng)
    levels += NOISE * rng.standard_normal(levels.shape, np.float32)
    levels_of_8_bits = np.clip(levels, 0, 255).round().astype(np.uint8)
    return levels_of_8_bits, np.array(boxes, np.float32).reshape(-1, 5)


def _place(placed: list[Corners], side: int, rng: np.random.Generator) -> Corners | None:
    """Corners of a box that neither hides nor lies in those placed; None: there is no room."""
    for _ in range(TRIES):
        length = side * np.exp(rng.uniform(*np.log(SIDES)))
        stretch = np.exp(rng.uniform(-0.5, 0.5) * np.log(ASPECT))
        size = np.array([length * stretch, length / stretch])
        start = rng.uniform(0, side - size)
        corners = np.concatenate([start, start + size])
        if all(_covered(corners, other) <= COVERED for other in placed):
            return corners
    return None


def _covered(one: Corners, other: Corners) -> float:
    """The share of the smaller of two boxes that lies in the larger one."""
    low, high = np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])
    areas = [(corners[2:] - corners[:2]).prod() for corners in (one, other)]
    return float(np.maximum(high - low, 0).prod() / min(areas))


def _draw(
    levels: NDArray[np.float32], shape: str, corners: Corners, rng: np.random.Generator
) -> None:
    """Draws a shape of one colour into its box in a picture (side, side, 3)."""
    (left, top), (right, bottom) = np.floor(corners[:2]), np.ceil(corners[2:])
    x, y = (
        2 * (_samples(start, end) - low) / (high - low) - 1
        for start, end, low, high in zip(
            (left, top), (right, bottom), corners[:2], corners[2:], strict=True
        )
    )
    inside = (abs(x) <= 1) & (abs(y[:, None]) <= 1) & SHAPES[shape](x, y[:, None])
    rows, columns = (len(axis) // SAMPLES for axis in (y, x))
    share = inside.reshape(rows, SAMPLES, columns, SAMPLES).mean((1, 3))[:, :, None]
    patch = levels[int(top) : int(bottom), int(left) : int(right)]
    patch += share * (_colour(patch.mean((0, 1)), rng) - patch)


def _samples(start: float, end: float) -> NDArray[np.float64]:
    """Where pixels from `start` to `end` are looked at, several times each."""
    return start + (np.arange(int(end - start) * SAMPLES) + 0.5) / SAMPLES


def _colour(behind: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float64]:
    """A random colour that can be told from the one behind it."""
    while True:
        colour = rng.uniform(0, 255, 3)
        if abs(colour - behind).max() >= CONTRAST:
            return colour
