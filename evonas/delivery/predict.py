"""An exported model on image files, by ONNX Runtime."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from evonas.data.data_files import each
from evonas.data.decode import read_framed, read_picture
from evonas.data.frame import Fit, Frame
from evonas.data.image_folder import image_files
from evonas.errors import DataError
from evonas.exporters.file_names import ONNX, ONNX_INT8
from evonas.exporters.onnx import INPUT_NAME
from evonas.files import make_folder, write_atomically
from evonas.model_folder.model_folder import ModelFolder
from evonas.model_folder.recipe_file import InputSettings
from evonas.model_folder.replacement import new_folder, next_free
from evonas.networks.problem import Problem
from evonas.reports.flip_test import FLIP_TEST, flip_mark
from evonas.tasks import task_of

PREDICTIONS = "predictions"
JPEG_QUALITY = 92
BATCH = 16  # images: more are hardly faster on a CPU, and what the layers give takes memory


def predict(
    folder: str | Path, images: Iterable[str | Path], trust: bool = False
) -> list[dict[str, Any]]:
    """What the model's task predicts of each image: of classes, the most likely.

    By the ONNX model that is deployed: that of 8 bits, if the folder has one.

    Args:
        folder: A model folder.
        images: Files, and folders, which stand for the images in them at any depth, by name.
        trust: Files of the model folder may differ from what evonas wrote.

    Returns:
        A dictionary for each image: `image`, and what the task says of it: of classes, `class`,
        `probability`, and `probabilities` by class. `model` is the file that said so, if that is
        the model of 8 bits; `flip_test` is true if the prediction is of the image and of its mirror
        image together.

    Raises:
        ExportError: The folder is no model folder, is not as evonas wrote it, or its model was
            never trained on images.
        DataError: A file is no image, or a folder has none; the message lists all of them.
    """
    model = ModelFolder.open(Path(folder), [ONNX], trust)
    recipe = model.recipe
    model.check_statistics()
    files = [file for found in each(_files, map(Path, images)) for file in found]
    session = onnxruntime.InferenceSession(model.onnx(), providers=["CPUExecutionProvider"])
    task, found = task_of(recipe.problem), []
    for pictures, frames in batches(files, recipe.input, task.fit):
        side_px = recipe.input.resolution_px
        seen = _with_mirrored(pictures) if recipe.training.flip_test else pictures
        outputs = session.run(None, {INPUT_NAME: seen})
        if recipe.training.flip_test:
            outputs = task.unmirrored(outputs, side_px)
        found += task.predictions(outputs, frames, side_px, recipe.problem, recipe.training)
    by: dict[str, Any] = {"model": ONNX_INT8} if model.onnx_file == ONNX_INT8 else {}
    by |= flip_mark(recipe.training)
    return [{"image": str(file), **own, **by} for file, own in zip(files, found, strict=True)]


def predictions_folder(folder: Path, to: str | Path | None = None) -> Path | None:
    """Where predictions of the model in a folder are written: a new or empty folder.

    Args:
        to: The folder that is wanted. Without it `predictions`, or that with the next free number,
            in the working folder; None if the task draws nothing.

    Raises:
        ExportError: The folder that is wanted is not empty.
    """
    if to is None:
        return next_free(Path(PREDICTIONS)) if task_of(_problem(folder)).draws else None
    return new_folder(to)


def write_predictions(results: Sequence[Mapping[str, Any]], folder: Path, place: Path) -> None:
    """Writes predictions.json, and a picture for each image where the task draws.

    Args:
        results: What `predict` gave.
        folder: The model folder.
        place: What `predictions_folder` gave.
    """
    problem = _problem(folder)
    make_folder(place)
    names = _picture_names([Path(result["image"]) for result in results])
    for name, result in zip(names, results, strict=True):
        picture = read_picture(Path(result["image"]))
        drawn = task_of(problem).drawn(picture, result, problem)
        if drawn is not None:
            drawn.save(place / name, quality=JPEG_QUALITY)
    text = json.dumps(list(results), indent=2, allow_nan=False) + "\n"
    write_atomically(place / f"{PREDICTIONS}.json", text.encode())


def _problem(folder: Path) -> Problem:
    return ModelFolder.open(folder, (), trust=True).recipe.problem


def _picture_names(files: Iterable[Path]) -> list[str]:
    """A name for the picture of each file; names that occur again get a number."""
    names: list[str] = []
    seen: Counter[str] = Counter()
    for file in files:
        seen[file.stem.casefold()] += 1
        number = seen[file.stem.casefold()]
        names.append(f"{file.stem}{f'-{number}' if number > 1 else ''}.jpg")
    return names


def in_short(results: Iterable[Mapping[str, Any]], folder: Path) -> list[dict[str, str | float]]:
    """A line for each image, of what a person wants to know first."""
    task = task_of(_problem(folder))
    told = [
        {"image": result["image"], **task.told(result), **_told_flip(result)} for result in results
    ]
    return [{key: line[key] for key in line if key != "model"} for line in told]


def as_rows(results: Iterable[Mapping[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """Predictions of the model in a folder as lines of a table."""
    task = task_of(_problem(folder))
    return [
        {"image": result["image"], **row, **_told_flip(result)}
        for result in results
        for row in task.rows(result)
    ]


def _told_flip(result: Mapping[str, Any]) -> dict[str, str]:
    """A column of tables, where mirror images count."""
    return {FLIP_TEST: "yes"} if FLIP_TEST in result else {}


def batches(
    files: Sequence[Path], given: InputSettings, fit: Fit
) -> Iterator[tuple[NDArray[np.float32], list[Frame]]]:
    """The images as a model takes them, (up to `BATCH`, channels, height, width), and frames.

    Raises:
        DataError: Files are no images. All are tried first: the message lists all such files.
    """
    mean, deviation = (
        np.array(values, np.float32)[:, None, None] for values in (given.mean, given.deviation)
    )
    problems: list[str] = []
    for start in range(0, len(files), BATCH):
        try:
            pictures = each(
                lambda file: read_framed(file, given.resolution_px, given.channels, fit),
                files[start : start + BATCH],
            )
        except DataError as error:
            problems += error.problems
            continue
        if not problems:
            pixels, frames = zip(*pictures, strict=True)
            scaled = (np.stack(pixels).astype(np.float32) / 255 - mean) / deviation
            yield scaled.astype(np.float32), list(frames)
    if problems:
        raise DataError(problems)


def _with_mirrored(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.concatenate([pictures, pictures[..., ::-1]])


def _files(path: Path) -> list[Path]:
    path = path.expanduser()
    if not path.is_dir():
        return [path]
    files = image_files(path)
    if not files:
        raise DataError(f"The folder {path} has no images.")
    return files
