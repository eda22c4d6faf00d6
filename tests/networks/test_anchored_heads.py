"""Heads with anchors as parts of a plan."""

from typing import Any

import pytest
from detectors import detector, plan

from evonas.errors import BuildError
from evonas.models import count
from evonas.networks.detector.anchored_heads import first_anchors
from evonas.networks.plan import Plan


def yolov3(**changes: Any) -> dict[str, Any]:
    return detector(head={"kind": "yolov3", **changes})


def modules(planned: Plan, name: str) -> list[str]:
    (layers,) = [part.layers for part in planned.parts if part.name == name]
    return [layer.module for layer in layers]


def arguments(planned: Plan, module: str) -> dict[str, Any]:
    return next(layer.arguments for layer in planned.layers if layer.module == module)


def test_the_number_of_outputs_tells_the_head() -> None:
    three = plan(yolov3())
    assert three.outputs == ("boxes", "logits", "objectness", "offsets", "priors")
    assert three.deployed == ("boxes", "scores")
    two = plan(detector(head={"kind": "yolov2"}))
    assert two.outputs == (*three.outputs, "settling")
    names = {part.name for part in two.as_deployed().parts}
    assert "settling" not in names


def test_a_convolution_to_twice_the_channels_stands_before_a_prediction() -> None:
    planned = plan(yolov3())
    assert modules(planned, "predicted_1") == ["ConvNormActivation", "AnchorPrediction"]
    (layers,) = [part.layers for part in planned.parts if part.name == "predicted_1"]
    assert layers[0].arguments["in_channels"] == 8
    assert layers[0].arguments["out_channels"] == 16
    assert layers[1].arguments["in_channels"] == 16
    bare = plan(yolov3(depth=0))
    assert modules(bare, "predicted_2") == ["AnchorPrediction"]
    deep = plan(yolov3(depth=2, depthwise=True))
    assert modules(deep, "predicted_2")[:2] == ["DepthwiseSeparable"] * 2
    same = plan(detector(head={"kind": "yolov2"}))
    assert [p.layers[0].arguments["out_channels"] for p in same.parts if "predicted" in p.name] == [
        *(8, 8)
    ]


def test_predictions_have_as_many_filters_as_published() -> None:
    """5 anchors and 20 classes: 125; 3 anchors and 80 classes: 255."""
    for head, classes, filters in (("yolov2", 20, 125), ("yolov3", 80, 255)):
        anchors = 5 if head == "yolov2" else 3
        network = detector(head={"kind": head, "anchors": anchors, "depth": 0})
        of_one, of_more = (
            count(plan({**network, "classes": classes + more}).as_deployed()).parameters
            for more in (0, 1)
        )
        per_filter = 8 + 1
        assert (of_more - of_one) == 2 * anchors * per_filter
        assert filters == anchors * (5 + classes)


def test_untrained_networks_have_published_anchors_or_squares_of_their_strides() -> None:
    published = [[10, 13], [16, 30], [33, 23], [30, 61], [62, 45], [59, 119]]
    planned = plan(yolov3(anchor_sizes=published))
    assert arguments(planned, "AnchorPriors")["anchors"] == [
        [[10, 13], [16, 30], [33, 23]],
        [[30, 61], [62, 45], [59, 119]],
    ]
    squares = first_anchors({"anchors": 2, "anchor_sizes": []}, [8, 16])
    assert squares == [[[32, 32], [45.255, 45.255]], [[64, 64], [90.51, 90.51]]]


def test_there_are_as_many_published_anchors_as_levels_need() -> None:
    with pytest.raises(BuildError, match="has 3 anchors, and 2 levels of 3 anchors need 6"):
        plan(yolov3(anchor_sizes=[[10, 13], [16, 30], [33, 23]]))


def test_levels_may_have_grid_sensitivities_of_their_own() -> None:
    assert arguments(plan(yolov3()), "AnchorBoxes")["grid_sensitivity"] == [1, 1]
    assert arguments(plan(yolov3(grid_sensitivity=1.1)), "AnchorBoxes")["grid_sensitivity"] == [
        *(1.1, 1.1)
    ]
    own = plan(yolov3(grid_sensitivity=[1.2, 1.1]))
    assert arguments(own, "AnchorBoxes")["grid_sensitivity"] == [1.2, 1.1]
    with pytest.raises(BuildError, match="has 3 numbers, and there are 2 levels"):
        plan(yolov3(grid_sensitivity=[1.2, 1.1, 1.05]))
