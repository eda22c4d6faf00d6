"""What every task keeps, those of evonas and one that is written in these tests."""

import json
import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from several_labels import SeveralLabels

from evonas.data.frame import Frame
from evonas.data.readers import DATA_SETS
from evonas.evaluation.measures import MEASURES
from evonas.networks.problem import Problem
from evonas.settings import TrainingSettings
from evonas.tasks import TASKS
from evonas.tasks.task import LOSS, Outputs, Task

EACH = {**TASKS, "several_labels": SeveralLabels()}
CLASSES = tuple("abcdefg")
PLAIN = TrainingSettings(label_smoothing=0)
BATCH = 14


@dataclass(frozen=True)
class Example:
    """Targets of a batch, and the outputs of a network that knows them.

    `constants` are the numbers of outputs that are no image's; the rest are each image's own.
    """

    targets: torch.Tensor
    perfect: Outputs
    constants: tuple[int, ...] = ()
    deployed: Outputs | None = None


LABELS = torch.arange(BATCH) % len(CLASSES)
ONE_HOT = torch.eye(len(CLASSES))[LABELS]
STRIDES = (1.0, 3.0, 7.0)  # whole ones, so that the distribution of a perfect network is certain


def detector() -> Example:
    """A box in each image, of all three sizes, and one point that knows it."""
    reach = 8 * torch.tensor(STRIDES)[torch.arange(BATCH) % 3, None]
    boxes = torch.cat([80 - reach, 80 - reach, 80 + reach, 80 + reach], 1)
    targets = torch.cat([LABELS[:, None].float(), boxes], 1)[:, None]
    bins = torch.eye(8)[(reach / 8).long()].expand(-1, 4, -1).reshape(BATCH, 1, -1)
    priors = torch.tensor([[[80.0, 80, 8, 8]]])
    logits = 40 * ONE_HOT[:, None] - 20
    return Example(
        targets,
        (boxes[:, None], logits, 40 * bins, priors),
        (3,),
        (boxes[:, None], logits.sigmoid()),
    )


EXAMPLES = {
    "detection": detector(),
    "classification": Example(LABELS, (20 * ONE_HOT,)),
    "several_labels": Example(ONE_HOT, (40 * ONE_HOT - 20,)),
}
each = pytest.mark.parametrize("name", EACH)


def problem(name: str) -> Problem:
    return Problem(name, 3, CLASSES, (0.4, 0.5, 0.6), (0.2, 0.25, 0.3))


def images() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(256, (BATCH, 3, 12, 12), dtype=torch.uint8, generator=generator)


def scores(task: Task, name: str, outputs: Outputs) -> dict[str, float]:
    """Over two batches."""
    halves = [
        [output] * 2 if len(output) == 1 else output.split(BATCH // 2)
        for output in (*outputs, EXAMPLES[name].targets)
    ]
    batches = ((tuple(own[:-1]), own[-1]) for own in zip(*halves, strict=True))
    return task.scores(batches, problem(name), PLAIN)


def wrong(name: str) -> Outputs:
    """A network that takes each image for the one before it."""
    return tuple(output.roll(1, 0) for output in EXAMPLES[name].perfect)


@each
def test_the_loss_is_a_finite_number_that_every_output_learns_from(name: str) -> None:
    outputs = tuple(output.clone().requires_grad_(True) for output in wrong(name))
    learning = [o for n, o in enumerate(outputs) if n not in EXAMPLES[name].constants]
    for recipe in (PLAIN, TrainingSettings(label_smoothing=0.1)):
        loss = EACH[name].loss(outputs, EXAMPLES[name].targets, recipe)
        assert loss.shape == ()
        assert loss.isfinite()
        for gradient in torch.autograd.grad(loss, learning):
            assert gradient.isfinite().all()
            assert gradient.any()


@each
def test_who_says_the_same_as_a_teacher_has_nothing_to_learn_from_it(name: str) -> None:
    task, taught = EACH[name], EXAMPLES[name].perfect
    if task.unteachable(taught, taught) is not None:
        assert name not in TASKS
        return
    for temperature in (1.0, 4.0):
        same = tuple(output.clone().requires_grad_(True) for output in taught)
        loss = task.imitation_loss(same, taught, temperature, PLAIN)
        assert loss.item() == pytest.approx(0, abs=1e-5)
        gradients = torch.autograd.grad(loss, same, allow_unused=True)
        for gradient in filter(lambda own: own is not None, gradients):
            assert gradient.abs().max() < 1e-5
        assert task.imitation_loss(wrong(name), taught, temperature, PLAIN) > 0.1


@each
def test_who_knows_the_targets_loses_least_and_scores_best(name: str) -> None:
    task = EACH[name]
    best, other = (scores(task, name, own) for own in (EXAMPLES[name].perfect, wrong(name)))
    for measure, own in task.measures.items():
        assert own.bounds[0] <= other[measure] <= own.bounds[1]
        sign = 1 if own.direction == "maximise" else -1
        assert sign * best[measure] > sign * other[measure]
        limit = own.bounds[1] if sign > 0 else own.bounds[0]
        assert best[measure] == pytest.approx(limit, abs=1e-6)
    losses = [
        task.loss(own, EXAMPLES[name].targets, PLAIN)
        for own in (EXAMPLES[name].perfect, wrong(name))
    ]
    assert losses[0] < losses[1]
    assert best[LOSS] == pytest.approx(losses[0].item(), abs=1e-6)


@each
def test_scores_are_of_all_batches_together_and_tell_what_is_not_finite(name: str) -> None:
    task, targets = EACH[name], EXAMPLES[name].targets
    at_once = task.scores([(wrong(name), targets)], problem(name), PLAIN)
    assert scores(task, name, wrong(name)) == pytest.approx(at_once)
    broken = tuple(output * math.nan for output in wrong(name))
    assert not math.isfinite(scores(task, name, broken)[LOSS])


@each
def test_a_recipe_without_heuristics_normalises_and_draws_nothing(name: str) -> None:
    generator = torch.Generator().manual_seed(1)
    before, targets = generator.get_state(), EXAMPLES[name].targets
    made, kept = EACH[name].varied(images(), targets, problem(name), PLAIN, 0.5, generator)
    assert torch.equal(generator.get_state(), before)
    assert made.shape == images().shape
    assert made.dtype == torch.float32
    assert made.mean().abs() < 1
    as_they_were = kept[tuple(map(slice, targets.shape))]  # boxes get a weight, and room
    assert torch.equal(as_they_were, targets)


@each
def test_varied_targets_are_still_those_of_the_loss(name: str) -> None:
    words = {"mixup": 0.5, "cutmix": 0.5, "scale": 0.3, "fliplr": 0.5, "erasing": 0.5, "hsv_v": 0.4}
    recipe = TrainingSettings.model_validate({**words, "progressive": 0.5})
    drawn = []
    for _ in range(2):
        generator = torch.Generator().manual_seed(1)
        batch = (images(), EXAMPLES[name].targets, problem(name))
        drawn.append(EACH[name].varied(*batch, recipe, 0.1, generator))
    (made, targets), (again, _) = drawn
    assert torch.equal(made, again)
    assert made.shape[:2] == (BATCH, 3)
    assert made.shape[2] < 12
    assert len(targets) == BATCH
    assert EACH[name].loss(wrong(name), targets, recipe).isfinite()


@each
def test_predictions_are_words_and_rows_have_the_same_columns(name: str) -> None:
    example = EXAMPLES[name]
    outputs = [output.numpy() for output in example.deployed or example.perfect]
    frames = [Frame(0, 0, 12, (12, 12))] * BATCH
    predictions = EACH[name].predictions(outputs, frames, 12, problem(name), PLAIN)
    assert len(predictions) == BATCH
    for index, prediction in enumerate(predictions):
        rows = EACH[name].rows(prediction)
        assert CLASSES[index % len(CLASSES)] in {str(v) for row in rows for v in row.values()}
        assert all(set(row) == set(rows[0]) for row in rows)
        json.dumps(prediction, allow_nan=False)


@each
def test_targets_of_another_form_are_refused_and_classes_are_counted(name: str) -> None:
    task, targets = EACH[name], EXAMPLES[name].targets.numpy()
    assert not list(task.wrong(targets, problem(name)))
    assert list(task.wrong(targets[:, None], problem(name)))
    assert list(task.wrong(targets.astype(np.float16), problem(name)))
    assert task.counts(targets, problem(name)).tolist() == [2] * len(CLASSES)


@each
def test_the_outputs_of_an_image_have_known_shapes(name: str) -> None:
    shapes = [(1, *output.shape[1:]) for output in EXAMPLES[name].perfect]
    assert EACH[name].right_shapes(shapes, problem(name)) is None
    assert EACH[name].right_shapes([*shapes, (1, 2)], problem(name)) is not None


@each
def test_measures_of_one_name_are_the_same_in_all_tasks(name: str) -> None:
    assert LOSS in EACH[name].measures
    assert EACH[name].main != LOSS
    for measure, own in EACH[name].measures.items():
        if measure in MEASURES:
            known = MEASURES[measure]
            assert (own.unit, own.direction, own.bounds) == (
                known.unit,
                known.direction,
                known.bounds,
            )
        else:
            assert name not in TASKS


def test_every_data_set_is_of_a_task() -> None:
    assert {reader.task for reader in DATA_SETS.values()} <= set(TASKS)
