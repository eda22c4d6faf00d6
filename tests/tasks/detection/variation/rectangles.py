"""Images of coloured rectangles, in which what a label says can be compared with what is drawn."""

import torch

# Each far from the others, from grey, and from mixtures with black or grey.
COLOURS = torch.tensor([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [255, 0, 255]])
NEAR = 40  # levels


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rectangles(side: int = 64, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Five black images with a rectangle each, and one without; its class is that of its colour.

    uint8 (6, 3, side, side), targets (6, 2, 5) with an empty row.
    """
    images = torch.zeros(6, 3, side, side, dtype=torch.uint8)
    targets = torch.full((6, 2, 5), -1.0)
    for number, colour in enumerate(COLOURS):
        sizes = torch.randint(side // 5, side // 2, (2,), generator=generator(seed + number))
        room = torch.rand(2, generator=generator(seed + number + 50))
        x1, y1 = (room * (side - sizes)).long().tolist()
        x2, y2 = x1 + int(sizes[0]), y1 + int(sizes[1])
        images[number, :, y1:y2, x1:x2] = colour[:, None, None]
        targets[number, 1] = torch.tensor([number, x1, y1, x2, y2])
    return images, targets


def extent(image: torch.Tensor, label: int) -> list[float]:
    """Where the colour of a class is in an image (3, side, side): x1, y1, x2, y2."""
    far = (image.int() - COLOURS[label][:, None, None]).abs().amax(0)
    rows, columns = (far < NEAR).nonzero().T
    if len(rows) == 0:
        return []
    ends = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    return [float(end) for end in ends]


def labelled(rows: torch.Tensor) -> dict[int, list[float]]:
    """The smallest box round all labels of a class, of rows (most, 6) of an image."""
    found = {}
    for label in rows[:, 0].unique().int().tolist():
        boxes = rows[rows[:, 0] == label]
        found[label] = [*boxes[:, 1:3].amin(0).tolist(), *boxes[:, 3:5].amax(0).tolist()]
    found.pop(-1, None)
    return found


def is_thin(box: list[float], tolerance_px: float) -> bool:
    """Whether a box, or none, may as well not be there."""
    return not box or min(box[2] - box[0], box[3] - box[1]) <= tolerance_px


def misfits(images: torch.Tensor, rows: torch.Tensor, tolerance_px: float) -> list[str]:
    """Labels that are not where their colour is, and colours without a label."""
    wrong = []
    for number, (image, labels) in enumerate(zip(images, rows, strict=True)):
        boxes = labelled(labels)
        for label in range(len(COLOURS)):
            drawn, told = extent(image, label), boxes.get(label, [])
            off = [abs(a - b) for a, b in zip(drawn, told, strict=False)]
            if not off and is_thin(drawn or told, tolerance_px):
                continue
            if not off or max(off) > tolerance_px:
                wrong.append(f"image {number}, class {label}: drawn {drawn}, told {told}")
    return wrong
