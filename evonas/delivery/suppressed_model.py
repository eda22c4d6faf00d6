"""A detector's ONNX model that leaves out boxes around one thing itself, and whether it does."""

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import helper
from torch import nn

from evonas.delivery.recipe_file import Recipe
from evonas.errors import ExportError
from evonas.exporters.file_names import ONNX_NMS
from evonas.exporters.forms import FORMS
from evonas.exporters.onnx import INPUT_NAME
from evonas.exporters.onnx_graph import FLOAT, output_names
from evonas.exporters.onnx_suppression import ALL, with_suppression
from evonas.models import deployed
from evonas.tasks.detection.suppression import CANDIDATES, found

SUPPRESSED = ("boxes", "scores")  # outputs of networks that there is something to suppress of
CHECKED_IMAGES = 4
LIMITS = (0.0, 1e-5, -1e-5)  # rounding may put an overlap on the other side of the threshold


def suppressed_model(network: nn.Module, recipe: Recipe) -> bytes | None:
    """The ONNX model of one image by the recipe's overlap and confidence.

    None, if the network does not give boxes, or says each thing once. ONNX knows the usual greedy
    suppression alone; the recipe's may be another.

    Raises:
        ExportError: It does not give what suppression leaves of the boxes of the model without.
    """
    training = recipe.training
    if tuple(output_names(deployed(network))) != SUPPRESSED or training.nms == "none":
        return None
    model = FORMS["onnx"].write(network, recipe.input.shape, 1)
    suppressed = with_suppression(model, training.nms_iou, training.confidence)
    session = _session(suppressed)
    generator = torch.Generator().manual_seed(0)
    for _ in range(CHECKED_IMAGES):
        image = torch.randn(1, *recipe.input.shape, generator=generator).numpy()
        *given, boxes, scores = session.run(None, {INPUT_NAME: image})
        if (scores >= training.confidence).sum() > CANDIDATES:
            continue  # more than torch's suppression looks at
        thresholds = (training.nms_iou + more for more in LIMITS)
        wanted = (_left(boxes, scores, each, training.confidence) for each in thresholds)
        if not any(_agree(given, each) for each in wanted):
            raise ExportError(
                f"{ONNX_NMS} does not give the boxes that suppression leaves of those of the model "
                "without it. Nothing was exported."
            )
    return suppressed


def _session(suppressed: bytes) -> onnxruntime.InferenceSession:
    """Gives the boxes and scores that are suppressed as well, so that both see the same ones."""
    proto = onnx.load_from_string(suppressed)
    for name in SUPPRESSED:
        inner = helper.make_tensor_value_info(ALL.format(name), FLOAT, None)
        proto.graph.output.append(inner)
    providers = ["CPUExecutionProvider"]
    return onnxruntime.InferenceSession(proto.SerializeToString(), providers=providers)


def _left(
    boxes: np.ndarray, scores: np.ndarray, threshold: float, confidence: float
) -> list[np.ndarray]:
    every = found(torch.from_numpy(boxes), torch.from_numpy(scores), "nms", threshold, confidence)
    is_left = every.scores[0] > 0
    return [column[0, is_left].numpy() for column in (every.boxes, every.scores, every.classes)]


def _agree(given: list[np.ndarray], wanted: list[np.ndarray]) -> bool:
    """As sets: what scores alike may come in any order."""
    if len(given[0]) != len(wanted[0]):
        return False
    one, other = (_sorted(columns) for columns in (given, wanted))
    return bool(np.allclose(one, other, rtol=1e-4, atol=1e-4))


def _sorted(columns: list[np.ndarray]) -> np.ndarray:
    rows = np.column_stack(columns)
    return np.asarray(rows[np.lexsort(rows.T)])
