"""How fast trainings of detectors are beside a plain loop, and what of a step goes where.

A detector of 160,000 weights or that of a space without genes, one core, on `data=shapes` or on
photos with labelled boxes. The plain loop is what a tutorial shows: a DataLoader over image files,
mosaics and other changes of each sample with Pillow and numpy, batches in the usual memory order.
Both have the same network, changes and loss, and train in turns, so that a busy machine slows both;
the plain one in a process of its own. Throughput counts images by CPU seconds; ratios are of turns
beside each other. Shares of a step are of steps with every part timed, and `nms_ms` is of one image
with 8,400 boxes of 80 classes.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch
from elsewhere import seconds_elsewhere
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps
from record import parser, report
from torch import nn

from evonas.blueprint import Blueprint, plan_network
from evonas.data.box_targets import box_targets
from evonas.data.cache import load_data
from evonas.data.dataset import Dataset
from evonas.data.detection.faults import Faults
from evonas.data.detection.label_formats import read_labels
from evonas.data.frame import frame_of
from evonas.models import build, count
from evonas.networks.problem import Problem
from evonas.settings import DataSettings, TrainingSettings
from evonas.settings.run_settings import ShapesSettings
from evonas.space import load_space
from evonas.space.load import load_space_file
from evonas.tasks import task_of
from evonas.tasks.detection.suppression import SUPPRESSIONS, found
from evonas.training import train
from evonas.training.allocator import keep_freed_memory

SIDE_PX, FILE_PX = 128, 512  # of a network's images; of the files, as photos have it
IMAGES, CLASSES, BATCH = 128, 4, 16
NETWORK = {
    "builder": "detector",
    "activation": "relu",
    "backbone": {
        "stem": {"channels": 16, "kernel": 3, "stride": 2},
        "stages": [
            {"operation": "inverted_residual", "kernel": 3, "expansion": 3, "channels": width,
             "layers": layers, "stride": 2, "se_ratio": 0, "skip": "identity"}
            for width, layers in ((24, 1), (32, 2), (64, 2), (96, 1))
        ],
    },
    "levels": 3,
    "neck": {"kind": "pan", "width": 48, "depthwise": True, "kernel": 5},
    "head": {"depth": 1, "depthwise": True, "bins": 8},
}  # fmt: skip
RECIPE: dict[str, Any] = {
    "epochs": 1,
    "batch_size": BATCH,
    "optimizer": "nesterov",
    "lr0": 0.01,
    "auxiliary": 0.0,
    "mosaic": 0.5,
    "close_mosaic": 0.0,
    "scale": 0.5,
    "translate": 0.1,
    "fliplr": 0.5,
    "hsv_s": 0.7,
    "hsv_v": 0.4,
}
BOXES, OF_COCO = 8400, 80


def main() -> None:
    words = parser(__doc__)
    words.add_argument("--turns", type=int, default=5, help="of both loops")
    words.add_argument("--images", type=int, default=IMAGES, help="of a turn")
    words.add_argument("--space", type=Path, help="whose only design is trained; else its own")
    words.add_argument("--data", type=Path, metavar="DIR", help="photos with boxes; else shapes")
    given = words.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    shapes = ShapesSettings(images=3 * IMAGES, classes=CLASSES, resolution_px=FILE_PX)
    settings = DataSettings(name="shapes", shapes=shapes)
    if given.data:
        settings = DataSettings(name="detection", path=given.data)
    data = load_data(settings, SIDE_PX)
    with tempfile.TemporaryDirectory() as folder:
        if given.data:
            link_files(given.data, data.problem.classes, Path(folder))
        else:
            write_files(load_data(settings, FILE_PX), Path(folder))
        speeds = speed(data, Path(folder), given)
    report(given, {**speeds, **shares(data, given.space), "nms_ms": nms_ms(), **counts(given)})


def write_files(data: Dataset, folder: Path) -> None:
    """Pictures as N.jpg, and boxes.npy (images, most, 5) in shares of their squares."""
    for number, pixels in enumerate(data.train.images[:IMAGES]):
        Image.fromarray(pixels.transpose(1, 2, 0)).save(folder / f"{number}.jpg", quality=95)
    boxes = data.train.targets[:IMAGES].copy()
    boxes[..., 1:] /= FILE_PX
    np.save(folder / "boxes.npy", boxes)


def link_files(root: Path, names: Sequence[str], folder: Path) -> None:
    """The same of photos that are there."""
    labels = read_labels(root, "auto", Faults())
    rows = []
    for number, labelled in enumerate(labels.parts["train"][:IMAGES]):
        (folder / f"{number}.jpg").symlink_to(labelled.image.resolve())
        with Image.open(labelled.image) as image:
            frame = frame_of(image.size, "letterbox")
        start = np.array([frame.left, frame.top] * 2)
        corners = [(np.array(box[1:5]) - start) / frame.side for box in labelled.boxes]
        classes = [names.index(box.name) for box in labelled.boxes]
        rows.append(np.concatenate([np.array(classes)[:, None], corners], 1).astype(np.float32))
    np.save(folder / "boxes.npy", box_targets(rows, max(map(len, rows))))


def network(space: Path | None) -> nn.Module:
    return build(design(space), scale(), seed=0)


def design(space: Path | None) -> Blueprint:
    return load_space_file(space).decode(()) if space else Blueprint(NETWORK)


def scale() -> Any:
    return replace(load_space("detector").scales["full"], resolution_px=SIDE_PX, classes=CLASSES)


def speed(data: Dataset, folder: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Images per CPU second of both loops, medians; the median ratio, and each."""
    images = given.images
    part = data.train.part(np.arange(images))
    rates: list[tuple[float, float]] = []
    with seconds_elsewhere(plain_process, folder, data.problem, given.space) as plain_seconds:
        plain_seconds(2 * BATCH)
        train(network(given.space), part, data.problem, TrainingSettings(**RECIPE), 0)
        for turn in range(given.turns):
            plain = images / plain_seconds(images)
            net, start = network(given.space), time.process_time()
            train(net, part, data.problem, TrainingSettings(**RECIPE), turn)
            rates.append((images / (time.process_time() - start), plain))
    ratios = [own / plain for own, plain in rates]
    return {
        "ratio": round(statistics.median(ratios), 2),
        "ratios": [round(ratio, 2) for ratio in ratios],
        "images_per_s": round(statistics.median(own for own, _ in rates)),
        "plain_images_per_s": round(statistics.median(plain for _, plain in rates)),
    }


def shares(data: Dataset, space: Path | None, steps: int = 30) -> dict[str, float]:
    """What variation, and assignment and loss with their gradients, are of a step; medians."""
    task, recipe = task_of(data.problem), TrainingSettings(**RECIPE)
    net, random = network(space).train(), torch.Generator().manual_seed(0)
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    found: list[tuple[float, float]] = []
    for number in range(steps):
        chosen = slice(number * BATCH % IMAGES, number * BATCH % IMAGES + BATCH)
        images, targets = (
            torch.from_numpy(each[chosen].copy())
            for each in (data.train.images, data.train.targets)
        )
        times = [time.thread_time()]
        images, targets = task.varied(images, targets, data.problem, recipe, 0, random)
        times.append(time.thread_time())
        outputs = net(images)
        times.append(time.thread_time())
        leaves = tuple(output.detach().requires_grad_() for output in outputs)
        torch.autograd.backward(task.loss(leaves, targets, recipe))
        times.append(time.thread_time())
        pairs = [(o, leaf.grad) for o, leaf in zip(outputs, leaves, strict=True) if o.requires_grad]
        kept = [(output, grad) for output, grad in pairs if grad is not None]
        torch.autograd.backward([each for each, _ in kept], [grad for _, grad in kept])
        net.zero_grad()
        times.append(time.thread_time())
        vary, _, loss, _ = np.diff(times)
        whole = times[-1] - times[0]
        found.append((vary / whole, loss / whole))
    vary, loss = np.median(found[3:], axis=0)
    return {"variation_share": round(float(vary), 3), "loss_share": round(float(loss), 3)}


def nms_ms(repeats: int = 15) -> dict[str, float]:
    """Of one image, by each kind, median: boxes round 60 things, each of its class."""
    rng = np.random.default_rng(0)
    thing = rng.integers(0, 60, BOXES)
    middles = rng.uniform(50, 590, (60, 2))[thing] + rng.normal(0, 6, (BOXES, 2))
    halves = rng.uniform(10, 80, (60, 2))[thing] * rng.uniform(0.8, 1.2, (BOXES, 2))
    boxes = torch.tensor(np.concatenate([middles - halves, middles + halves], 1)[None]).float()
    scores = torch.tensor(0.02 * rng.random((1, BOXES, OF_COCO))).float()
    scores[0, torch.arange(BOXES), torch.tensor(thing)] = torch.tensor(rng.random(BOXES)).float()
    taken = {}
    for kind in SUPPRESSIONS:
        times = []
        for _ in range(repeats):
            start = time.thread_time()
            found(boxes, scores, kind, 0.65, 0.001)
            times.append(1000 * (time.thread_time() - start))
        taken[kind] = round(statistics.median(times), 1)
    return taken


def counts(given: argparse.Namespace) -> dict[str, int]:
    counted = count(plan_network(design(given.space), scale()))
    return {"parameters": counted.parameters, "macs": counted.macs}


Sample = tuple[NDArray[np.uint8], NDArray[np.float32]]


class ImageFiles(torch.utils.data.Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Image files, put together, varied and normalised one by one."""

    def __init__(self, folder: Path, problem: Problem) -> None:
        self.folder, self.boxes = folder, np.load(folder / "boxes.npy")
        self.mean, self.deviation = np.array([problem.mean, problem.deviation], np.float32)
        self.rng = np.random.default_rng(0)

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        pixels, boxes = self.mosaic(index) if self.rng.random() < 0.5 else self.read(index)
        pixels, boxes = self.moved(pixels, boxes)
        pixels = self.recoloured(pixels)
        if self.rng.random() < 0.5:
            pixels = pixels[:, ::-1]
            boxes[:, [1, 3]] = SIDE_PX - boxes[:, [3, 1]]
        floats = (pixels.astype(np.float32) / 255 - self.mean) / self.deviation
        labels = torch.from_numpy(np.concatenate([boxes, np.ones_like(boxes[:, :1])], 1))
        return torch.from_numpy(np.ascontiguousarray(floats.transpose(2, 0, 1))), labels

    def read(self, index: int) -> Sample:
        """A picture at the network's size, whole, with its boxes."""
        with Image.open(self.folder / f"{index}.jpg") as image:
            size, how = (SIDE_PX, SIDE_PX), Image.Resampling.BILINEAR
            pixels = np.array(ImageOps.pad(image.convert("RGB"), size, how, color=(114,) * 3))
        boxes = self.boxes[index][self.boxes[index][:, 0] >= 0].copy()
        boxes[:, 1:] *= SIDE_PX
        return pixels, boxes

    def mosaic(self, index: int) -> Sample:
        """Four pictures round a point of a canvas of twice the size."""
        x, y = self.rng.integers(SIDE_PX // 2, 3 * SIDE_PX // 2, 2)
        canvas = np.full((2 * SIDE_PX, 2 * SIDE_PX, 3), 114, np.uint8)
        labels = []
        for tile, number in enumerate([index, *self.rng.integers(0, len(self), 3)]):
            pixels, boxes = self.read(int(number))
            left = x - SIDE_PX if tile % 2 == 0 else x
            top = y - SIDE_PX if tile < 2 else y
            x1, y1 = max(left, 0), max(top, 0)
            x2, y2 = min(left + SIDE_PX, 2 * SIDE_PX), min(top + SIDE_PX, 2 * SIDE_PX)
            canvas[y1:y2, x1:x2] = pixels[y1 - top : y2 - top, x1 - left : x2 - left]
            boxes[:, 1:] += [left, top, left, top]
            labels.append(boxes)
        return canvas, np.concatenate(labels)

    def moved(self, pixels: NDArray[np.uint8], boxes: NDArray[np.float32]) -> Sample:
        """The middle of the canvas zoomed and shifted, as an image of the network."""
        gain = self.rng.uniform(0.5, 1.5)
        shift = SIDE_PX * (0.5 + self.rng.uniform(-0.1, 0.1, 2)) - gain * len(pixels) / 2
        inverse = (1 / gain, 0, -shift[0] / gain, 0, 1 / gain, -shift[1] / gain)
        image = Image.fromarray(pixels).transform(
            (SIDE_PX, SIDE_PX),
            Image.Transform.AFFINE,
            inverse,
            Image.Resampling.BILINEAR,
            fillcolor=(114,) * 3,
        )
        before = (boxes[:, 3] - boxes[:, 1]) * (boxes[:, 4] - boxes[:, 2]) * gain**2
        boxes[:, 1:] = (boxes[:, 1:] * gain + np.tile(shift, 2)).clip(0, SIDE_PX)
        sides = boxes[:, 3:] - boxes[:, 1:3]
        kept = (sides.prod(1) >= 0.1 * before) & (sides >= 2).all(1)
        return np.array(image), boxes[kept]

    def recoloured(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """In other colours, and of another brightness."""
        image = Image.fromarray(pixels)
        image = ImageEnhance.Color(image).enhance(1 + self.rng.uniform(-0.7, 0.7))
        return np.array(ImageEnhance.Brightness(image).enhance(1 + self.rng.uniform(-0.4, 0.4)))


def collated(samples: list[tuple[torch.Tensor, torch.Tensor]]) -> tuple[torch.Tensor, torch.Tensor]:
    most = max(1, *(len(labels) for _, labels in samples))
    targets = torch.full((len(samples), most, 6), -1.0)
    for row, (_, labels) in zip(targets, samples, strict=True):
        row[: len(labels)] = labels
    return torch.stack([pixels for pixels, _ in samples]), targets


def plain_process(asked: Connection, folder: Path, problem: Problem, space: Path | None) -> None:
    torch.set_num_threads(1)
    net, task, recipe = network(space).train(), task_of(problem), TrainingSettings(**RECIPE)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    files = ImageFiles(folder, problem)
    loader = torch.utils.data.DataLoader(files, BATCH, shuffle=True, collate_fn=collated)
    while images := asked.recv():
        start = time.process_time()
        for pictures, targets in islice(loader, images // BATCH):
            optimizer.zero_grad()
            loss = task.loss(net(pictures), targets, recipe)
            torch.autograd.backward(loss)
            optimizer.step()
            loss.item()
        asked.send(time.process_time() - start)


if __name__ == "__main__":
    main()
