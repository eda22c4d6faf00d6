import numpy as np
import pytest
import torch

from evonas.data.frame import Frame
from evonas.networks.problem import Problem
from evonas.settings import TrainingSettings
from evonas.tasks import TASKS
from evonas.tasks.detection.mirroring import mirrored_back, together

SIDE = 100
BOX, MIRRORED = [10.0, 20, 30, 60], [70.0, 20, 90, 60]
FLIP = TrainingSettings(flip_test=True)
DETECTION = TASKS["detection"]
PROBLEM = Problem("detection", 3, ("a", "b"), (0.5,) * 3, (0.2,) * 3)


def outputs(*logits: float) -> tuple[torch.Tensor, ...]:
    """One image, in which the box is seen with the first logit, in its mirror image by the second.

    In a training, of a head without anchors.
    """
    boxes = torch.tensor([[BOX], [MIRRORED]])
    seen = torch.tensor([[[logit, -20.0]] for logit in logits])
    priors = torch.tensor([[[20.0, 40, 8, 8]]])
    raw = (boxes, seen, torch.zeros(2, 1, 4), priors)
    return DETECTION.unmirrored(raw, SIDE)


@pytest.mark.parametrize("given", [torch.tensor, np.array])
def test_boxes_of_mirror_images_are_turned_back_and_the_others_stay(given: type) -> None:
    boxes = given([[BOX, MIRRORED], [BOX, MIRRORED]])
    assert mirrored_back(boxes, SIDE).tolist() == [[BOX, MIRRORED], [MIRRORED, BOX]]
    assert boxes.tolist() == [[BOX, MIRRORED]] * 2


def test_an_image_has_all_that_was_seen_in_both() -> None:
    boxes, scores = torch.rand(6, 5, 4), torch.rand(6, 5, 2)
    both, their_scores = together(boxes, scores, FLIP)
    assert torch.equal(both[1], torch.cat([boxes[1], boxes[4]]))
    assert torch.equal(their_scores[2], torch.cat([scores[2], scores[5]]))
    alone = together(boxes, scores, TrainingSettings())
    assert alone == (boxes, scores)


@pytest.mark.parametrize("logits", [(3.0, -20.0), (-20.0, 3.0), (3.0, 3.0)])
def test_a_thing_counts_once_whichever_image_it_was_seen_in(logits: tuple[float, float]) -> None:
    targets = torch.tensor([[[0.0, *BOX]]])
    scores = DETECTION.scores([(outputs(*logits), targets)], PROBLEM, FLIP)
    assert scores["precision"] == scores["recall"] == 1
    assert scores["map50_95"] == pytest.approx(1)
    boxes, logits_of_all, *_ = outputs(*logits)
    deployed = [boxes.numpy(), logits_of_all.sigmoid().numpy()]
    frame = Frame(0, 0, SIDE, (SIDE, SIDE))
    ((box,),) = (
        each["boxes"] for each in DETECTION.predictions(deployed, [frame], SIDE, PROBLEM, FLIP)
    )
    assert [box[name] for name in ("x1", "y1", "x2", "y2")] == BOX


def test_the_loss_is_that_of_the_image_as_it_is() -> None:
    targets = torch.tensor([[[0.0, *BOX]]])
    seen = outputs(1.0, -5.0)
    alone = tuple(output[:1] for output in seen)
    plain = DETECTION.scores([(alone, targets)], PROBLEM, TrainingSettings())
    assert DETECTION.scores([(seen, targets)], PROBLEM, FLIP)["loss"] == plain["loss"]


def test_without_suppression_nothing_can_be_seen_twice() -> None:
    with pytest.raises(ValueError, match="nms=none leaves both boxes"):
        TrainingSettings(flip_test=True, nms="none")
