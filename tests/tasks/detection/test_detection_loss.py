"""What a detector's training makes small."""

import pytest
import torch
from torch.nn import functional

from evonas.settings import TrainingSettings
from evonas.tasks.detection.anchor_free_loss import distances
from evonas.tasks.detection.assigners import ASSIGNERS
from evonas.tasks.detection.class_losses import CLASS_LOSSES
from evonas.tasks.detection.detection_loss import detection_loss
from evonas.tasks.detection.overlap import OVERLAPS
from evonas.tasks.task import Outputs

PLAIN = TrainingSettings(label_smoothing=0)
SIDE, STRIDE, BINS = 32, 8, 8
CLASSES = 3


def grid() -> torch.Tensor:
    """A point in the middle of each cell, (16, 4)."""
    y, x = torch.meshgrid(torch.arange(4), torch.arange(4), indexing="ij")
    centres = (torch.stack([x.flatten(), y.flatten()], 1) + 0.5) * STRIDE
    return torch.cat([centres, torch.full((16, 2), float(STRIDE))], 1)


def decoded(priors: torch.Tensor, reach: torch.Tensor) -> torch.Tensor:
    """Boxes (..., points, 4) of distances to the four sides in strides, as a head makes them."""
    away = reach * priors[:, 2:].repeat(1, 2)
    return torch.cat([priors[:, :2] - away[..., :2], priors[:, :2] + away[..., 2:]], -1)


def outputs(raw: torch.Tensor, logits: torch.Tensor) -> Outputs:
    """Of raw distances (batch, 16, 32) and logits (batch, 16, classes)."""
    shares = raw.unflatten(2, (4, BINS)).softmax(3)
    reach = (shares * torch.arange(BINS)).sum(3)
    return decoded(grid(), reach), logits, raw, grid()[None]


def fresh(images: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    raw = torch.randn(images, 16, 4 * BINS, generator=generator)
    logits = torch.randn(images, 16, CLASSES, generator=generator) - 3
    return raw.requires_grad_(True), logits.requires_grad_(True)


TARGETS = torch.tensor([[[1.0, 4, 4, 28, 20], [0, 2, 18, 12, 30], [-1, 0, 0, 0, 0]]])
EMPTY = torch.full((1, 3, 5), -1.0)


def test_encoding_is_the_inverse_of_decoding() -> None:
    boxes = decoded(grid(), 7 * torch.rand(16, 4, generator=torch.Generator().manual_seed(0)))
    reach = distances(grid(), boxes)
    torch.testing.assert_close(decoded(grid(), reach), boxes)
    assert distances(grid()[:1], torch.tensor([[-4.0, 4, 12, 36]])).tolist() == [[1, 0, 1, 4]]


def test_outputs_that_say_the_truth_lose_next_to_nothing() -> None:
    # The box ends whole strides away from the centres of the cells: one bin is right for each side.
    box = torch.tensor([4.0, 4, 28, 28])
    reach = distances(grid(), box.expand(16, 4))
    inside = (reach > 0).all(1)
    raw = 60 * functional.one_hot(reach.clamp(0, BINS - 1).long(), BINS).float().flatten(1)
    logits = torch.full((16, CLASSES), -20.0)
    logits[inside, 1] = 20
    targets = torch.cat([torch.ones(1), box])[None, None]
    assert detection_loss(outputs(raw[None], logits[None]), targets, PLAIN) < 1e-3
    assert detection_loss(outputs(*fresh(1)), targets, PLAIN) > 1


@pytest.mark.parametrize("assigner", ASSIGNERS)
@pytest.mark.parametrize("box_loss", OVERLAPS)
@pytest.mark.parametrize("class_loss", CLASS_LOSSES)
def test_every_combination_falls_as_it_is_followed(
    assigner: str, box_loss: str, class_loss: str
) -> None:
    words = {"assigner": assigner, "box_loss": box_loss, "class_loss": class_loss}
    recipe = TrainingSettings.model_validate({**words, "label_smoothing": 0})
    raw, logits = fresh(1)
    step = torch.optim.Adam([raw, logits], 0.3)
    losses = []
    for _ in range(25):
        step.zero_grad()
        loss = detection_loss(outputs(raw, logits), TARGETS, recipe)
        loss.backward()  # type: ignore[no-untyped-call]
        step.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("assigner", ASSIGNERS)
def test_images_without_boxes_teach_the_background_alone(assigner: str) -> None:
    recipe = TrainingSettings(label_smoothing=0, assigner=assigner)  # type: ignore[arg-type]
    raw, logits = fresh(1)
    loss = detection_loss(outputs(raw, logits), EMPTY, recipe)
    background = functional.softplus(logits).sum()
    torch.testing.assert_close(loss, recipe.cls * background)
    of_raw, of_logits = torch.autograd.grad(loss, (raw, logits))
    assert not of_raw.any()
    assert (of_logits > 0).all()


def test_gradients_are_finite_for_boxes_without_an_area() -> None:
    flat = torch.tensor([[[0.0, 5, 5, 5, 5], [1, 3, 8, 30, 8], [2, 40, 40, 40, 40]]])
    for box_loss in OVERLAPS:
        raw, logits = fresh(1)
        recipe = TrainingSettings(box_loss=box_loss)  # type: ignore[arg-type]
        loss = detection_loss(outputs(raw, logits), flat, recipe)
        for gradient in torch.autograd.grad(loss, (raw, logits)):
            assert gradient.isfinite().all()


def test_a_label_counts_as_much_as_its_weight() -> None:
    raw, logits = fresh(1)
    said = outputs(raw, logits)
    weighted = torch.cat([TARGETS, torch.ones(1, 3, 1)], 2)
    whole = detection_loss(said, TARGETS, PLAIN)
    torch.testing.assert_close(detection_loss(said, weighted, PLAIN), whole)
    # Of weight 0 boxes teach what no boxes do.
    weighted[..., 5] = 0
    nothing = detection_loss(said, EMPTY, PLAIN)
    torch.testing.assert_close(detection_loss(said, weighted, PLAIN), nothing)


def test_gains_weigh_the_parts() -> None:
    said = outputs(*fresh(1))

    def loss(box: float, cls: float, dfl: float) -> float:
        recipe = TrainingSettings(label_smoothing=0, box=box, cls=cls, dfl=dfl)
        return detection_loss(said, TARGETS, recipe).item()

    parts = [loss(1, 0, 0), loss(0, 1, 0), loss(0, 0, 1)]
    assert min(parts) > 0
    assert loss(7.5, 0.5, 1.5) == pytest.approx(7.5 * parts[0] + 0.5 * parts[1] + 1.5 * parts[2])


def test_smoothing_leaves_the_background_as_it_is() -> None:
    raw, logits = fresh(1)
    smooth = TrainingSettings(label_smoothing=0.3)
    plain, smoothed = (
        torch.autograd.grad(detection_loss(outputs(raw, logits), TARGETS, recipe), logits)[0]
        for recipe in (PLAIN, smooth)
    )
    changed = ((plain - smoothed).abs() > 1e-7).any(2)[0]
    assert changed.any()
    background = ~changed
    torch.testing.assert_close(plain[0, background], smoothed[0, background])


def test_a_one_to_one_branch_is_taught_beside_the_other() -> None:
    one, many = (outputs(*fresh(1, seed)) for seed in (0, 1))
    both = detection_loss((*one, *many[:3]), TARGETS, PLAIN)
    of_many = detection_loss(many, TARGETS, PLAIN)
    assert both > of_many
    raw, logits = fresh(1)
    gradient = torch.autograd.grad(
        detection_loss((*outputs(raw, logits), *many[:3]), TARGETS, PLAIN), raw
    )[0]
    assert gradient.any(2).sum() == 2  # a point for each of the two boxes


def test_a_head_with_one_bin_has_no_distribution_to_learn() -> None:
    reach = torch.rand(1, 16, 4, requires_grad=True)
    said = (decoded(grid(), reach), fresh(1)[1], reach, grid()[None])
    losses = [
        detection_loss(said, TARGETS, TrainingSettings(dfl=gain)).item() for gain in (0.0, 99.0)
    ]
    assert losses[0] == losses[1]
