"""A detector's ONNX model that leaves out boxes around one thing itself, and whether it does."""

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import helper
from torch import nn

from evonas.errors import ExportError
from evonas.exporters.file_names import ONNX, ONNX_NMS
from evonas.exporters.forms import FORMS
from evonas.exporters.onnx import INPUT_NAME
from evonas.exporters.onnx_graph import FLOAT, output_names
from evonas.exporters.onnx_suppression import ALL, with_suppression
from evonas.model_folder.recipe_file import Recipe
from evonas.models import deployed
from evonas.tasks.detection.overlap import iou

SUPPRESSED = ("boxes", "scores")  # outputs of networks that there is something to suppress of
CHECKED_IMAGES = 4
ROUNDING = 1e-4  # of an overlap


def suppressed_model(network: nn.Module, recipe: Recipe) -> bytes | None:
    """The ONNX model of one image by the recipe's overlap and confidence.

    None, if the network does not give boxes, or says each thing once. ONNX knows the usual greedy
    suppression alone; the recipe's may be another.

    Raises:
        ExportError: It gives other boxes than the model without, or one thing twice.
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
        told, own, classes, boxes, scores = session.run(None, {INPUT_NAME: image})
        if not _follows(told, own, classes, boxes, scores, training.nms_iou):
            raise ExportError(
                f"{ONNX_NMS} gives other boxes than {ONNX}, or one thing twice. Nothing was "
                "exported."
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


def _follows(
    told: np.ndarray,
    own: np.ndarray,
    classes: np.ndarray,
    boxes: np.ndarray,
    scores: np.ndarray,
    limit: float,
) -> bool:
    """Whether what is told is of the model without suppression, and of each thing once.

    Which of two boxes of equal score is left is open, and so are the ones that follow from it: a
    pass of another program may differ where scores or overlaps are equal up to rounding.
    """
    numbers = range(len(classes))
    are_of_a_point = all(
        ((boxes[0] == told[k]).all(1) & (scores[0, :, classes[k]] == own[k])).any() for k in numbers
    )
    overlaps = iou(torch.from_numpy(told)[:, None], torch.from_numpy(told)).numpy()
    are_of_a_class = classes[:, None] == classes
    twice = np.triu(are_of_a_class & (overlaps > limit + ROUNDING), 1)
    return bool(are_of_a_point and not twice.any() and (np.diff(own) <= 0).all())
