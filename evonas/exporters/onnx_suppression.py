"""A detector's ONNX model with non-maximum suppression inside, for programs that have none."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from evonas.errors import ExportError
from evonas.exporters.onnx_graph import FLOAT, INPUT_NAME

MOST_BOXES = 300  # of an image, as COCO's measures and most detectors have it
INT64 = onnx.TensorProto.INT64
ALL = "all_{}"  # what the model's own outputs are called inside


def with_suppression(
    model: bytes, iou: float = 0.65, confidence: float = 0.25, most: int = MOST_BOXES
) -> bytes:
    """The model of one image with boxes that say the same left out, class by class.

    Gives `boxes` (k, 4) in px, `scores` (k,) and `classes` (k,), the best score first.

    Args:
        model: Of outputs `boxes` (1, points, 4) and `scores` (1, points, classes).
        iou: A box that overlaps a better one of its class by more is left out.
        confidence: The least score of a box, itself left out.
        most: Boxes in all, and of each class.

    Raises:
        ExportError: The model has other outputs, or takes several images.
    """
    proto = onnx.load_from_string(model)
    graph = proto.graph
    _check(graph)
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [ALL.format(n) if n in ("boxes", "scores") else n for n in names]
    graph.node.extend(_nodes())
    constants = {
        "most": np.array([most], np.int64),
        "iou": np.array([iou], np.float32),
        "confidence": np.array([confidence], np.float32),
        "no_axis": np.array([0], np.int64),
        "class_column": np.array(1, np.int64),
        "box_column": np.array(2, np.int64),
    }
    graph.initializer.extend(numpy_helper.from_array(each, k) for k, each in constants.items())
    del graph.output[:]
    shapes: dict[str, tuple[int, list[Any]]] = {
        "boxes": (FLOAT, ["k", 4]),
        "scores": (FLOAT, ["k"]),
        "classes": (INT64, ["k"]),
    }
    graph.output.extend(helper.make_tensor_value_info(name, *kind) for name, kind in shapes.items())
    return bytes(proto.SerializeToString())


def _check(graph: onnx.GraphProto) -> None:
    outputs = [output.name for output in graph.output]
    images = next(each for each in graph.input if each.name == INPUT_NAME)
    count = images.type.tensor_type.shape.dim[0]
    if outputs != ["boxes", "scores"]:
        raise ExportError(
            f"Suppression takes a model with the outputs boxes and scores, got {outputs}. Give "
            "the model of a detector."
        )
    if count.dim_value != 1:
        given = count.dim_param or count.dim_value
        raise ExportError(
            f"Suppression is inside models of one image, and this one takes {given}. Write the "
            "model for a batch of 1."
        )


def _nodes() -> Sequence[onnx.NodeProto]:
    """From `all_boxes` and `all_scores` to the outputs.

    What suppression keeps are rows of image, class and point; the best of all classes together
    are taken of them.
    """
    boxes, scores = ALL.format("boxes"), ALL.format("scores")
    make = helper.make_node
    limits = ["most", "iou", "confidence"]
    return [
        make("Transpose", [scores], ["by_class"], perm=[0, 2, 1]),
        make("NonMaxSuppression", [boxes, "by_class", *limits], ["kept"]),
        make("GatherND", ["by_class", "kept"], ["kept_scores"]),
        make("Shape", ["kept_scores"], ["count"]),
        make("Min", ["count", "most"], ["told"]),
        make("TopK", ["kept_scores", "told"], ["scores", "places"]),
        make("Gather", ["kept", "places"], ["best"], axis=0),
        make("Gather", ["best", "class_column"], ["classes"], axis=1),
        make("Gather", ["best", "box_column"], ["points"], axis=1),
        make("Squeeze", [boxes, "no_axis"], ["boxes_of_image"]),
        make("Gather", ["boxes_of_image", "points"], ["boxes"], axis=0),
    ]
