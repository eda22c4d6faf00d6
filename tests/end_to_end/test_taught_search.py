"""Real small searches in which designs learn from others."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from conftest import QUICK, QUICK_DETECTORS, problems_of, table
from small_model import made, model, put_other_weights

from evonas.delivery.export import export
from evonas.driver import resume, search
from evonas.driver.preparation import check
from evonas.driver.teachers import judge_of
from evonas.evaluation.objectives import parse_objective
from evonas.model_folder.recipe_file import parsed_recipe
from evonas.runs import Run
from evonas.runs.run_folder import weights_file
from evonas.settings import CompressionSettings, Words

__all__ = ["made", "model"]

SMALL = [*QUICK, "objectives=accuracy", "executor=inline", "budget.evaluations=6"]
METHOD = "compression.distillation.method=logits"
TEACHER = "compression.distillation.teacher"


def taught_by(run: Run) -> list[Any]:
    return [outcome.details.get("taught_by") for _, outcome in run.trials() if outcome]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run whose designs learn from the best so far."""
    folder = tmp_path_factory.mktemp("taught")
    return search([*SMALL, METHOD, f"run.folder={folder}", "run.name=whole"])


def test_the_best_so_far_teaches_and_nobody_the_first(whole: Run) -> None:
    expected: list[int | None] = []
    best: tuple[float, int] | None = None
    for _, outcome in whole.trials():
        assert outcome is not None
        expected.append(None if best is None else -best[1])
        own = (outcome.measures["accuracy"], -outcome.number)
        best = own if best is None else max(best, own)
    assert taught_by(whole) == expected
    assert len({*expected}) > 2


def test_a_run_that_was_stopped_has_the_same_teachers(whole: Run) -> None:
    search([*SMALL[:-1], "budget.evaluations=3", METHOD, "run.name=parted"])
    parted = resume(Path("runs/parted"), ["budget.evaluations=6"])
    assert taught_by(parted) == taught_by(whole)
    pairs = zip(parted.trials(), whole.trials(), strict=True)
    for (trial, outcome), (same, other) in pairs:
        assert outcome is not None
        assert other is not None
        assert (trial.chromosome, outcome.curve) == (same.chromosome, other.curve)


def test_a_teacher_whose_weights_are_damaged_teaches_nothing_and_that_is_told(whole: Run) -> None:
    folder = Path(shutil.copytree(whole.folder, "runs/damaged"))
    weights_file(folder, whole.records.front[0]).write_bytes(b"nothing")
    run = resume(folder, ["budget.evaluations=+1"])
    _, last = list(run.trials())[-1]
    assert last is not None
    assert last.details["taught_by"] is None
    assert last.notes.damaged_weights == whole.records.front[0]


def test_the_best_is_told_by_the_first_score(whole: Run) -> None:
    first = whole.records.objectives[0]
    size, loss = (parse_objective(name) for name in ("parameters", "loss"))
    for objectives, expected in (
        ((first,), "accuracy"),
        ((size, loss, first), "loss"),
        ((size,), "accuracy"),
    ):
        assert judge_of(whole.settings, objectives).name == expected


def test_a_card_says_who_taught_and_a_recipe_asks_for_no_best_of_a_run(whole: Run) -> None:
    taught = [number for number, teacher in enumerate(taught_by(whole)) if teacher is not None]
    export(whole, "model", pick=str(taught[0]))
    teacher = taught_by(whole)[taught[0]]
    assert teacher == 0
    assert f"it learnt from trial {teacher} of run whole" in Path("model/README.md").read_text()
    assert parsed_recipe(Path("model/recipe.yaml")).compression == CompressionSettings()


def test_a_model_folder_teaches_all_designs_and_has_to_stay_the_same(model: Path) -> None:
    words = [*SMALL[:-1], "budget.evaluations=2", METHOD, f"{TEACHER}={model}"]
    run = search([*words, "run.name=school"])
    assert taught_by(run) == [str(model)] * 2
    put_other_weights(model)
    assert "learns from another model than there is now" in problems_of(resume, run.folder)[0]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([METHOD, f"{TEACHER}=none"], "learns from a teacher, and there is none"),
        ([METHOD, f"{TEACHER}=nowhere"], "There is no model folder"),
        ([METHOD, f"{TEACHER}=resnet18"], "has no weights of it"),
        ([f"{TEACHER}=nowhere"], "no design learns from it"),
        ([METHOD, "compression.distillation.alpha=1.5"], "alpha=1.5"),
    ],
)
def test_what_cannot_be_taught_is_refused_before_the_search(words: list[str], told: str) -> None:
    assert told in "\n".join(problems_of(check, Words([*SMALL, *words])))


def test_classes_of_the_data_have_to_be_those_of_the_model(model: Path) -> None:
    words = [*SMALL, METHOD, f"{TEACHER}={model}", "data=synthetic", "data.synthetic.channels=1"]
    words += ["data.synthetic.classes=3"]
    told = problems_of(check, Words(words))[0]
    assert "the model knows 10 classes (0, 1, 2" in told
    assert "the data have 3 classes" in told


def test_detectors_learn_from_the_best_of_their_levels() -> None:
    words = [*QUICK_DETECTORS, "objectives=map50_95", "executor=inline", "budget.evaluations=3"]
    run = search([*words, METHOD, "run.name=boxes"])
    assert taught_by(run)[0] is None
    assert taught_by(run)[1] == 0
    assert run.records.counts()["complete"] == 3


@pytest.mark.slow
def test_a_promotion_keeps_the_teacher_of_its_design() -> None:
    rungs = ["fidelity.rungs=1,2", "fidelity.reduction=2", "fidelity.whole=false"]
    run = search([*SMALL[:-1], "budget.evaluations=8", METHOD, *rungs, "run.name=rungs"])
    teachers = taught_by(run)
    promoted = [trial for trial, _ in run.trials() if trial.continues is not None]
    assert len(promoted) > 1
    for trial in promoted:
        assert trial.continues is not None
        assert teachers[trial.number] == teachers[trial.continues]
    assert any(teacher is not None for teacher in teachers)


@pytest.mark.slow
def test_generations_have_the_same_teachers_whoever_trains_them() -> None:
    words = [*SMALL[:-1], "budget.evaluations=8", METHOD, "schedule=generational"]
    words += ["evolver.population=4", "run.deterministic=true"]
    runs = [
        search([*words, f"executor={name}", "executor.workers=2", f"run.name={name}"])
        for name in ("inline", "local")
    ]
    assert taught_by(runs[0]) == taught_by(runs[1])
    assert table("inline") == table("local")
    assert len({*taught_by(runs[0])}) > 1


def test_the_weights_of_the_best_are_kept_whatever_the_objectives_are() -> None:
    words = [*SMALL[:-1], "budget.evaluations=14", "objectives=parameters", METHOD]
    run = search([*words, "run.name=small"])
    assert run.records.front != []
    (teacher, *_) = sorted(
        (-outcome.measures["accuracy"], trial.number) for trial, outcome in run.trials() if outcome
    )
    assert weights_file(run.folder, teacher[1]).exists()
    assert all(outcome and outcome.notes.damaged_weights is None for _, outcome in run.trials())
