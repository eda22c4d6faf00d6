"""Trainings of several rungs: going on from the disk equals training all segments in a row."""

from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch

from evonas.evaluation.objectives import parse_objective
from evonas.evaluation.segments import expected_epochs, segments_of
from evonas.evaluation.train_evaluator import TrainEvaluator
from evonas.settings import FidelitySettings, Limits, Settings, TrainingSettings
from evonas.space import load_space
from evonas.space.run_scales import run_scales
from evonas.trial import Assignment, KeptWeights, Outcome, Trial

RECIPE = TrainingSettings(epochs=9)
DIGITS = {"channels": 1, "classes": list("0123456789")}


def shares(
    of: str, rungs: tuple[int, ...], side: int = 16, whole: bool = False
) -> list[tuple[int, int, int]]:
    """Epochs, percent of the images and resolution of each segment up to the top."""
    fidelity = FidelitySettings.model_validate({"of": of, "rungs": rungs, "whole": whole})
    found = segments_of(fidelity, RECIPE, len(rungs) - 1, 7, side)
    return [(own.recipe.epochs, own.percent, own.resolution_px) for own in found]


def test_segments_add_up_to_the_rungs() -> None:
    assert shares("epochs", (1, 3, 9)) == [(1, 100, 16), (2, 100, 16), (6, 100, 16)]
    assert shares("data", (11, 33, 100)) == [(9, 11, 16), (9, 33, 16), (9, 100, 16)]
    assert shares("resolution", (25, 60, 100)) == [(9, 100, 4), (9, 100, 8), (9, 100, 16)]
    assert shares("resolution", (1, 90, 100), 30) == [(9, 100, 4), (9, 100, 28), (9, 100, 30)]


def test_the_last_rung_of_epochs_is_one_training_if_nothing_is_inherited() -> None:
    assert shares("epochs", (1, 3, 9), whole=True) == [(9, 100, 16)]
    assert len(shares("data", (11, 33, 100), whole=True)) == 3
    fidelity = FidelitySettings(rungs=(1, 3, 9), whole=True)
    assert [own.recipe.epochs for own in segments_of(fidelity, RECIPE, 1, 7, 16)] == [1, 2]
    (whole,) = segments_of(fidelity, RECIPE, 2, 7, 16)
    assert (whole.seed, whole.recipe) == (7, RECIPE)
    heir = RECIPE.model_copy(update={"inherit": True})
    assert [own.recipe.epochs for own in segments_of(fidelity, heir, 2, 7, 16)] == [1, 2, 6]


def test_without_rungs_there_is_one_training_as_ever() -> None:
    (only,) = segments_of(FidelitySettings(), RECIPE, 0, 7, 16)
    assert (only.recipe, only.seed, only.resolution_px, only.percent) == (RECIPE, 7, 16, 100)


@pytest.mark.parametrize(
    ("of", "rungs", "whole", "epochs"),
    [
        ("epochs", (), True, 9),
        ("epochs", (1, 3, 9), True, 1 + 2 / 4 + 9 / 16),
        ("epochs", (1, 3, 9), False, 1 + 2 / 4 + 6 / 16),
        ("data", (10, 30, 100), True, 9 * (0.1 + 0.3 / 4 + 1 / 16)),
        ("resolution", (25, 50, 100), True, 9 * (1 / 16 + 1 / 4 / 4 + 1 / 16)),
    ],
)
def test_a_quarter_of_the_designs_goes_on_to_the_next_segment(
    of: str, rungs: tuple[int, ...], whole: bool, epochs: float
) -> None:
    fidelity = FidelitySettings.model_validate({"of": of, "rungs": rungs, "whole": whole})
    assert expected_epochs(fidelity, RECIPE, 16) == pytest.approx(epochs)


def test_each_segment_has_a_seed_of_its_own_that_does_not_depend_on_the_rung() -> None:
    fidelity = FidelitySettings(rungs=(1, 3, 9))
    top = segments_of(fidelity, RECIPE, 2, 7, 16)
    assert segments_of(fidelity, RECIPE, 1, 7, 16) == top[:2]
    assert len({segment.seed for segment in top}) == 3


@pytest.fixture
def trial() -> Trial:
    """The first design of the smallest space."""
    space = load_space("nano")
    chromosome = tuple(gene.default_number for gene in space.genes)
    return Trial(0, chromosome, space.decode(chromosome), seed=11)


def evaluator(
    folder: str, of: str, rungs: list[int], epochs: int = 2, **more: bool
) -> TrainEvaluator:
    settings = Settings.model_validate(
        {
            "space": "nano",
            "objectives": ["accuracy", "macs"],
            "data": {"subset": 200},
            "training": {"epochs": epochs, "translate": 0.1},
            "fidelity": {"of": of, "rungs": rungs, **more},
        }
    )
    proxy, full = run_scales(load_space("nano"), settings, DIGITS)
    objectives = (parse_objective("accuracy"), parse_objective("macs"))
    return TrainEvaluator(settings, objectives, proxy, full, Path(folder), 1.0)


def promotion(trial: Trial, rung: int) -> Assignment:
    """The design on a rung, which begins with what it left on the one below."""
    promoted = replace(trial, number=rung, rung=rung, continues=rung - 1)
    return Assignment(promoted, beginning=KeptWeights(rung - 1, trial.blueprint))


def weights(folder: str, number: int) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(f"{folder}/{number}/weights.safetensors")


def said(outcome: Outcome) -> tuple[object, ...]:
    return outcome.status, outcome.measures, outcome.curve, outcome.notes, outcome.details


@pytest.mark.parametrize(
    ("of", "rungs"),
    [("epochs", [1, 2, 4]), ("data", [20, 50, 100]), ("resolution", [50, 75, 100])],
)
def test_going_on_equals_training_all_in_a_row(of: str, rungs: list[int], trial: Trial) -> None:
    evaluate = evaluator("steps", of, rungs)
    first = evaluate(Assignment(trial))
    second = evaluate(promotion(trial, 1))
    third = evaluate(promotion(trial, 2))
    assert first.curve != second.curve
    anew = evaluator("anew", of, rungs)
    assert said(anew(promotion(trial, 2))) == said(third)  # whose weights are gone
    for name, tensor in weights("anew", 2).items():
        assert torch.equal(tensor, weights("steps", 2)[name]), name
    assert any(not torch.equal(t, weights("steps", 1)[n]) for n, t in weights("steps", 2).items())


def test_the_first_rung_is_the_plain_training(trial: Trial) -> None:
    plain = evaluator("plain", "epochs", [])(Assignment(trial))
    short = evaluator("rungs", "epochs", [2, 4])(Assignment(trial))
    assert said(plain) == said(short)
    for name, tensor in weights("plain", 0).items():
        assert torch.equal(tensor, weights("rungs", 0)[name]), name


def test_a_last_rung_that_begins_anew_is_the_plain_training(trial: Trial) -> None:
    evaluate = evaluator("rungs", "epochs", [1, 2, 4], whole=True)
    evaluate(Assignment(trial))
    assert len(evaluate(promotion(trial, 1)).curve) == 1
    last = evaluate(promotion(trial, 2))
    plain = evaluator("plain", "epochs", [], epochs=4)(Assignment(replace(trial, number=2)))
    assert said(last) == said(plain)
    for name, tensor in weights("plain", 2).items():
        assert torch.equal(tensor, weights("rungs", 2)[name]), name


def test_damaged_weights_are_trained_anew(trial: Trial) -> None:
    evaluate = evaluator("steps", "epochs", [1, 2])
    evaluate(Assignment(trial))
    whole = evaluate(promotion(trial, 1))
    Path("steps/0/weights.safetensors").write_bytes(b"\x00" * 100)
    anew = evaluate(promotion(trial, 1))
    assert anew.notes.damaged_weights == 0  # the trial whose weights are told to be damaged
    assert said(replace(anew, notes=whole.notes)) == said(whole)


def test_a_short_training_that_was_shared_need_not_keep_limits_on_it(trial: Trial) -> None:
    evaluate = evaluator("steps", "epochs", [1, 2])
    limits = {"accuracy": Limits(min=1.0)}
    strict = evaluate.settings.model_copy(update={"constraints": limits})
    evaluate = replace(evaluate, settings=strict)
    shared = Assignment(trial, known={"accuracy": 0.5, "loss": 1.0}, source=7)
    outcome = evaluate(shared)
    assert (outcome.status, outcome.curve, outcome.source) == ("complete", (), 7)
    assert evaluate(replace(shared, trial=replace(trial, rung=1))).status == "infeasible"


def test_the_sum_of_losses_is_on_record(trial: Trial) -> None:
    outcome = evaluator("plain", "epochs", [])(Assignment(trial))
    assert outcome.details["loss_sum"] == sum(outcome.curve) > 0
