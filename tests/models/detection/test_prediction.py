"""From maps to boxes: points, their cells, distances to sides and back."""

import math

import pytest
import torch
from detectors import blueprint, detector

from evonas.models import Network, build, deployed
from evonas.models.detection.prediction import Boxes, Points, Prediction, Priors, Scores
from evonas.networks import Scale

SCALE = Scale("full", resolution_px=32, classes=3)


def test_points_count_level_by_level_and_row_by_row() -> None:
    fine = torch.arange(12.0).reshape(1, 2, 2, 3)
    coarse = torch.tensor([100.0, 200.0]).reshape(1, 2, 1, 1)
    rows = Points()(fine, coarse)
    assert rows.shape == (1, 7, 2)
    assert rows[0].tolist() == [[0, 6], [1, 7], [2, 8], [3, 9], [4, 10], [5, 11], [100, 200]]


def test_priors_are_the_cells_of_the_points_in_their_order() -> None:
    priors = Priors([8, 16])(torch.empty(2, 4, 2, 3), torch.empty(2, 4, 1, 2))
    assert priors.shape == (1, 8, 4)
    assert priors[0].tolist() == [
        *([4, 4, 8, 8], [12, 4, 8, 8], [20, 4, 8, 8]),
        *([4, 12, 8, 8], [12, 12, 8, 8], [20, 12, 8, 8]),
        *([8, 8, 16, 16], [24, 8, 16, 16]),
    ]


def test_priors_and_boxes_are_of_32_bits_also_of_maps_of_16() -> None:
    half = torch.zeros(1, 4, 2, 2, dtype=torch.bfloat16)
    priors = Priors([8])(half)
    boxes = Boxes(1)(Points()(half), priors)
    assert (priors.dtype, boxes.dtype) == (torch.float32, torch.float32)


def test_a_distance_is_the_mean_of_its_bins() -> None:
    priors = torch.tensor([[[16.0, 24.0, 8.0, 8.0]]])
    sides = torch.full((1, 1, 4, 3), -1000.0)
    sides[0, 0, 0, 2] = 0  # all of it in bin 2
    sides[0, 0, 1] = 0  # the same in all: 1
    sides[0, 0, 2, :2] = torch.tensor([math.log(3.0), 0])  # three quarters in bin 0
    sides[0, 0, 3, 0] = 0  # nothing
    box = Boxes(3)(sides.reshape(1, 1, 12), priors)
    torch.testing.assert_close(box, torch.tensor([[[0.0, 16.0, 18.0, 24.0]]]))


def test_a_distance_of_one_number_is_its_softplus() -> None:
    priors = torch.tensor([[[16.0, 24.0, 8.0, 8.0]]])
    numbers = torch.tensor([[[0.0, 1.0, -50.0, 30.0]]])
    box = Boxes(1)(numbers, priors)
    reach = 8 * torch.tensor([math.log(2), math.log1p(math.e), 0, 30])
    left, top, right, bottom = reach
    wanted = torch.stack([16 - left, 24 - top, 16 + right, 24 + bottom])
    torch.testing.assert_close(box[0, 0], wanted)


def encoded(boxes: torch.Tensor, priors: torch.Tensor, bins: int) -> torch.Tensor:
    """Numbers that are decoded to the boxes: weight in the two bins beside each distance."""
    centres, stride = priors[..., :2], priors[..., 2:3]
    sides = torch.cat([centres - boxes[..., :2], boxes[..., 2:] - centres], -1) / stride
    if bins == 1:
        return sides.expm1().log()
    below = sides.floor().clamp(max=bins - 2)
    share = sides - below
    weights = torch.zeros(*sides.shape, bins)
    weights.scatter_(-1, below.long()[..., None], 1 - share[..., None])
    weights.scatter_(-1, below.long()[..., None] + 1, share[..., None])
    return weights.log().flatten(-2)


@pytest.mark.parametrize("bins", [1, 8, 16])
def test_decoding_is_the_inverse_of_encoding(bins: int) -> None:
    generator = torch.Generator().manual_seed(bins)
    priors = Priors([8, 16])(torch.empty(1, 1, 4, 4), torch.empty(1, 1, 2, 2))
    reach = 0.1 + 6.8 * torch.rand(3, 20, 4, generator=generator)
    reach = reach * priors[..., 2:3]
    boxes = torch.cat([priors[..., :2] - reach[..., :2], priors[..., :2] + reach[..., 2:]], -1)
    decoded = Boxes(bins)(encoded(boxes, priors, bins), priors)
    torch.testing.assert_close(decoded, boxes, atol=1e-3, rtol=1e-4)


def test_scores_are_of_each_class_by_itself() -> None:
    scores = Scores()(torch.tensor([[[0.0, 0.0, math.log(3)]]]))
    torch.testing.assert_close(scores, torch.tensor([[[0.5, 0.5, 0.75]]]))


@pytest.mark.parametrize("seed", [0, None])
def test_classes_begin_unlikely_and_boxes_alike(seed: int | None) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = build(blueprint(detector(head={"depth": 1})), SCALE, seed)
    images = torch.randn(8, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        boxes, logits, _, priors = network.train()(images)
    scores = logits.sigmoid()
    assert 0.005 < float(scores.min()) < float(scores.mean()) < float(scores.max()) < 0.02
    sides = (boxes[..., 2:] - boxes[..., :2]) / priors[..., 2:]
    torch.testing.assert_close(sides, torch.full_like(sides, 7), atol=0.5, rtol=0)


def test_a_prediction_says_itself_how_it_begins() -> None:
    layer = Prediction(4, 2, first_bias=-1.5)
    assert layer.bias is not None
    assert layer.bias.tolist() == [-1.5, -1.5]
    assert float(layer.weight.detach().abs().max()) < 0.1


def test_sides_of_an_image_may_be_any_multiples_of_the_largest_stride() -> None:
    network = build(blueprint(detector()), SCALE, seed=0).eval()
    boxes, logits, distances, priors = network(torch.zeros(2, 3, 64, 48))
    points = 8 * 6 + 4 * 3
    assert boxes.shape == (2, points, 4)
    assert logits.shape == (2, points, 3)
    assert distances.shape == (2, points, 32)
    assert priors.shape == (1, points, 4)
    assert priors[0, -1].tolist() == [40, 56, 16, 16]


def test_deployed_it_gives_the_same_boxes_and_the_scores() -> None:
    network = build(blueprint(detector(head={"one_to_one": True})), SCALE, seed=0).eval()
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    trained, shipped = network(images), deployed(network)
    assert isinstance(shipped, Network)
    boxes, scores = shipped(images)
    assert torch.equal(boxes, trained[0])
    assert torch.equal(scores, trained[1].sigmoid())
    assert len(trained) == 7
    assert not any("many" in name for name in shipped.state_dict())
