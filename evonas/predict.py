"""An exported model on image files, by ONNX Runtime."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from evonas.data.image import image_to_array
from evonas.errors import DataError, ExportError
from evonas.exporters.file_names import ONNX
from evonas.exporters.model_folder import Recipe, read_recipe
from evonas.exporters.onnx import INPUT_NAME


def predict(folder: Path, images: Iterable[Path]) -> list[dict[str, Any]]:
    """The most likely class of each image and its probability.

    Raises:
        ExportError: The folder is no model folder, or its model was never trained on images.
        DataError: A file is no image; the message lists all such files.
    """
    folder = folder.expanduser()
    recipe = read_recipe(folder)
    files = list(images)
    batch = _batch(files, recipe)
    session = onnxruntime.InferenceSession(folder / ONNX, providers=["CPUExecutionProvider"])
    logits = np.asarray(session.run(None, {INPUT_NAME: batch})[0], dtype=np.float64)
    exponents = np.exp(logits - logits.max(1, keepdims=True))
    probabilities = exponents / exponents.sum(1, keepdims=True)
    return [
        {
            "image": str(file),
            "class": recipe.classes[int(row.argmax())],
            "probability": float(row.max()),
            "probabilities": dict(zip(recipe.classes, row.tolist(), strict=True)),
        }
        for file, row in zip(files, probabilities, strict=True)
    ]


def _batch(files: list[Path], recipe: Recipe) -> NDArray[np.float32]:
    given = recipe.input
    if given.mean is None or given.deviation is None:
        raise ExportError("This model was never trained on images. Retrain it first.")
    arrays, problems = [], []
    for file in files:
        try:
            with Image.open(file) as image:
                arrays.append(image_to_array(image, given.resolution_px, given.channels))
        except (OSError, UnidentifiedImageError) as problem:
            problems.append(f"{file} is no image that can be read: {problem}.")
    if problems:
        raise DataError(problems)
    mean, deviation = (
        np.array(v, np.float32)[:, None, None] for v in (given.mean, given.deviation)
    )
    images = (np.stack(arrays).astype(np.float32) / 255 - mean) / deviation
    return images.astype(np.float32)
