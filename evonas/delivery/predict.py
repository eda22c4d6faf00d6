"""An exported model on image files, by ONNX Runtime."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from evonas.data.decode import read_image
from evonas.data.files import each
from evonas.data.folder import image_files
from evonas.delivery.model_folder import ModelFolder
from evonas.delivery.recipe import InputSettings
from evonas.errors import DataError, ExportError
from evonas.exporters.file_names import ONNX
from evonas.exporters.onnx import INPUT_NAME

BATCH = 16  # images: more are hardly faster on a CPU, and what the layers give takes memory


def predict(
    folder: str | Path, images: Iterable[str | Path], trust: bool = False
) -> list[dict[str, Any]]:
    """The most likely class of each image and its probability.

    Args:
        folder: A model folder.
        images: Files, and folders, which stand for the images in them at any depth, by name.
        trust: Files of the model folder may differ from what evonas wrote.

    Returns:
        A dictionary for each image: `image`, `class`, `probability`, and `probabilities` by class.

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
    rows = [
        row
        for batch in batches(files, recipe.input)
        for row in _probabilities(session.run(None, {INPUT_NAME: batch})[0])
    ]
    return [
        {
            "image": str(file),
            "class": recipe.classes[int(row.argmax())],
            "probability": float(row.max()),
            "probabilities": dict(zip(recipe.classes, row.tolist(), strict=True)),
        }
        for file, row in zip(files, rows, strict=True)
    ]


def as_rows(results: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Predictions for a table: the probability of each class is a column."""
    return [
        {
            **{key: result[key] for key in ("image", "class", "probability")},
            **{f"probability of {name}": p for name, p in result["probabilities"].items()},
        }
        for result in results
    ]


def batches(files: Sequence[Path], given: InputSettings) -> Iterator[NDArray[np.float32]]:
    """The images as a model takes them, (up to `BATCH`, channels, height, width).

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
                lambda file: read_image(file, given.resolution_px, given.channels),
                files[start : start + BATCH],
            )
        except DataError as error:
            problems += error.problems
            continue
        if not problems:
            scaled = (np.stack(pictures).astype(np.float32) / 255 - mean) / deviation
            yield scaled.astype(np.float32)
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


def _probabilities(logits: Any) -> NDArray[np.float64]:
    logits = np.asarray(logits, dtype=np.float64)
    exponents = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(exponents / exponents.sum(1, keepdims=True))
