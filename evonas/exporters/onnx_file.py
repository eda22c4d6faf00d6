"""Whether a model.onnx that may have been changed is a model that can be used."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from evonas.errors import ExportError
from evonas.exporters.onnx_graph import INPUT_NAME


def check_onnx(content: bytes, file: Path, input_shape: tuple[int, int, int], classes: int) -> None:
    """Checks that the model takes such images and gives a number for each class.

    Args:
        content: What `file` holds.
        input_shape: (channels, height, width) of an image.

    Raises:
        ExportError: It cannot be loaded or run, or is the model of another recipe.
    """
    image = np.zeros((1, *input_shape), np.float32)
    try:
        onnx.checker.check_model(content)
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        shape = np.shape(session.run(None, {INPUT_NAME: image})[0])
    except Exception as problem:  # both libraries have many kinds, without a common one
        reason = (str(problem).strip().splitlines() or [type(problem).__name__])[0]
        raise ExportError(
            f"{file} is no ONNX model that works: {reason} Export the design again."
        ) from None
    if shape != (1, classes):
        raise ExportError(
            f"{file}: of an image the model gives {shape}, and has to give "
            f"{(1, classes)}: the classes of recipe.yaml. Export the design again."
        )
