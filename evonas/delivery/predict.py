"""An exported model on image files, by ONNX Runtime."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from evonas.data.data_files import each
from evonas.data.decode import read_framed
from evonas.data.frame import Fit, Frame
from evonas.data.image_folder import image_files
from evonas.delivery.model_folder import ModelFolder
from evonas.delivery.recipe_file import InputSettings, parsed_recipe
from evonas.errors import DataError, ExportError
from evonas.exporters.file_names import ONNX, RECIPE
from evonas.exporters.onnx import INPUT_NAME
from evonas.tasks import task_of

BATCH = 16  # images: more are hardly faster on a CPU, and what the layers give takes memory


def predict(
    folder: str | Path, images: Iterable[str | Path], trust: bool = False
) -> list[dict[str, Any]]:
    """What the model's task predicts of each image: of classes, the most likely.

    Args:
        folder: A model folder.
        images: Files, and folders, which stand for the images in them at any depth, by name.
        trust: Files of the model folder may differ from what evonas wrote.

    Returns:
        A dictionary for each image: `image`, and what the task says of it: of classes, `class`,
        `probability`, and `probabilities` by class.

    Raises:
        ExportError: The folder is no model folder, is not as evonas wrote it, or its model was
            never trained on images.
        DataError: A file is no image, or a folder has none; the message lists all of them.
    """
    model = ModelFolder.open(Path(folder), [ONNX], trust)
    recipe = model.recipe
    if recipe.input.mean is None or recipe.input.deviation is None:
        raise ExportError("This model was never trained on images. Retrain it first.")
    files = [file for found in each(_files, map(Path, images)) for file in found]
    session = onnxruntime.InferenceSession(model.onnx(), providers=["CPUExecutionProvider"])
    task, found = task_of(recipe.problem), []
    for pictures, frames in batches(files, recipe.input, task.fit):
        outputs = session.run(None, {INPUT_NAME: pictures})
        side_px = recipe.input.resolution_px
        found += task.predictions(outputs, frames, side_px, recipe.problem, recipe.training)
    return [{"image": str(file), **own} for file, own in zip(files, found, strict=True)]


def as_rows(results: Iterable[Mapping[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """Predictions of the model in a folder as lines of a table."""
    task = task_of(parsed_recipe(folder.expanduser() / RECIPE).problem)
    return [{"image": result["image"], **row} for result in results for row in task.rows(result)]


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


def _files(path: Path) -> list[Path]:
    path = path.expanduser()
    if not path.is_dir():
        return [path]
    files = image_files(path)
    if not files:
        raise DataError(f"The folder {path} has no images.")
    return files
