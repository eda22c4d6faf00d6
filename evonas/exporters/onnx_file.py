"""Whether a model.onnx that may have been changed is a model that can be used."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from evonas.errors import ExportError
from evonas.exporters.onnx_graph import INPUT_NAME
from evonas.networks.problem import Problem
from evonas.tasks import task_of
from evonas.tasks.task import in_words


def check_onnx(
    content: bytes, file: Path, input_shape: tuple[int, int, int], problem: Problem
) -> None:
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
        shapes = [np.shape(output) for output in session.run(None, {INPUT_NAME: image})]
    except Exception as failure:  # both libraries have many kinds, without a common one
        reason = (str(failure).strip().splitlines() or [type(failure).__name__])[0]
        raise ExportError(
            f"{file} is no ONNX model that works: {reason} Export the design again."
        ) from None
    right = task_of(problem).right_shapes(shapes, problem)
    if right is not None:
        raise ExportError(
            f"{file}: of an image the model gives {in_words(shapes)}, and has to give {right}: the "
            "classes of recipe.yaml. Export the design again."
        )
