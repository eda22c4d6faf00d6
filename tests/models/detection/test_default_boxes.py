"""From maps to boxes of fixed sizes, and how far things are from them."""

import math

import pytest
import torch
from detectors import blueprint, ssd

from evonas.exporters.onnx_graph import onnx_graph
from evonas.models import Network, build, deployed
from evonas.models.detection.default_boxes import (
    AtLeast,
    BoxPoints,
    ClassScores,
    DefaultBoxes,
    L2Norm,
    OffsetBoxes,
)
from evonas.networks import Scale
from evonas.tasks.detection.ssd_loss import offsets

SCALE = Scale("full", resolution_px=48, classes=3)


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_default_boxes_stand_in_the_middle_of_cells_of_all_images() -> None:
    sizes = [[[0.2, 0.2], [0.4, 0.1]], [[0.5, 1.0]]]
    maps = torch.empty(2, 4, 1, 2), torch.empty(2, 4, 1, 1)
    priors = DefaultBoxes(sizes)(torch.empty(2, 3, 50, 100), *maps)
    wanted = [
        *([25, 25, 20, 10], [25, 25, 40, 5], [75, 25, 20, 10], [75, 25, 40, 5]),
        [50, 25, 50, 50],
    ]
    torch.testing.assert_close(priors, torch.tensor([wanted], dtype=torch.float32))


def test_points_count_level_by_level_cell_by_cell_and_box_by_box() -> None:
    fine = torch.arange(8.0).reshape(1, 4, 1, 2)  # two boxes of two values
    coarse = torch.tensor([100.0, 200.0]).reshape(1, 2, 1, 1)
    rows = BoxPoints([2, 1])(fine, coarse)
    assert rows[0].tolist() == [[0, 2], [4, 6], [1, 3], [5, 7], [100, 200]]


def test_an_offset_of_1_moves_by_a_tenth_and_widens_by_e_to_a_fifth() -> None:
    priors = torch.tensor([[[50.0, 40.0, 20.0, 10.0]]])
    box = OffsetBoxes()(torch.tensor([[[1.0, -1.0, 1.0, 0.0]]]), priors)
    width = 20 * math.exp(0.2)
    wanted = [52 - width / 2, 39 - 5, 52 + width / 2, 39 + 5]
    torch.testing.assert_close(box, torch.tensor([[wanted]]))


def test_decoding_is_the_inverse_of_encoding() -> None:
    priors = torch.tensor([[50.0, 40.0, 20.0, 10.0], [10.0, 90.0, 60.0, 60.0]]).repeat(20, 1)
    given = drawn(40, 4)
    boxes = OffsetBoxes()(given[None], priors[None])[0]
    torch.testing.assert_close(offsets(boxes, priors), given, atol=1e-4, rtol=1e-4)
    again = OffsetBoxes()(offsets(boxes, priors)[None], priors[None])[0]
    torch.testing.assert_close(again, boxes, atol=1e-4, rtol=1e-5)


def test_scores_leave_the_background_out() -> None:
    scores = ClassScores()(torch.tensor([[[math.log(2), 0.0, 0.0]]]))
    torch.testing.assert_close(scores, torch.tensor([[[0.25, 0.25]]]))


def test_pixels_get_one_length_and_a_scale() -> None:
    norm = L2Norm(2)
    maps = torch.tensor([3.0, -4.0]).reshape(1, 2, 1, 1)
    torch.testing.assert_close(norm(maps).flatten(), torch.tensor([12.0, -16.0]))
    assert norm(torch.zeros(1, 2, 1, 1)).abs().sum() == 0


def test_small_maps_get_room_for_a_window() -> None:
    maps = torch.ones(1, 1, 2, 3)
    assert AtLeast(3)(maps)[0, 0].tolist() == [[1, 1, 1], [1, 1, 1], [0, 0, 0]]
    assert AtLeast(2)(maps) is maps


def test_batches_of_a_training_may_be_smaller_or_larger() -> None:
    network = ssd(neck={"kind": "extras", "width": 8, "depth": 2, "valid": 2})
    built = build(blueprint(network), Scale("full", 96, classes=3), seed=0)
    for side in (48, 64, 96):
        boxes, logits, priors = built.train()(drawn(2, 3, side, side))
        assert boxes.shape == (2, priors.shape[1], 4)
        assert logits.shape == (2, priors.shape[1], 4)


def test_deployed_it_gives_the_same_boxes_and_scores_also_as_onnx() -> None:
    network = build(blueprint(ssd()), SCALE, seed=0).eval()
    images = drawn(2, 3, 48, 48)
    with torch.no_grad():
        trained, shipped = network(images), deployed(network)
        boxes, scores = shipped(images)
    assert torch.equal(boxes, trained[0])
    assert torch.equal(scores, trained[1].softmax(2)[:, :, 1:])
    assert isinstance(shipped, Network)
    ort = pytest.importorskip("onnxruntime")
    session = ort.InferenceSession(onnx_graph(shipped, (3, 48, 48), None))
    for own, other in zip(
        (boxes, scores), session.run(None, {"images": images.numpy()}), strict=True
    ):
        torch.testing.assert_close(torch.from_numpy(other), own, atol=1e-4, rtol=1e-5)
