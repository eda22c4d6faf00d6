"""Space, data and settings are for one task, and a search that mixes them does not begin."""

import sys
from pathlib import Path

import pytest
from conftest import QUICK

from evonas.driver.preparation import check
from evonas.errors import SettingsError
from evonas.settings import TrainingSettings, Words
from evonas.tasks import TASKS, completed, foreign, foreign_settings


def problems_of(*words: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        check(Words([*QUICK, *words]))
    return list(caught.value.problems)


def test_networks_and_data_of_different_tasks_are_refused() -> None:
    assert problems_of("data=shapes") == [
        "space=nano is of networks for classification, and data=shapes is for detection. Name data "
        "for classification (digits, folder, npz, cifar10, mnist, fashion_mnist, synthetic), or "
        "a space for detection, as in space=detector."
    ]


def test_the_data_say_which_space_is_searched_where_nobody_does() -> None:
    small = ["data=shapes", "data.shapes.images=40", "data.shapes.classes=1"]
    assert check(Words(small)).settings.space == "detector"
    assert check(Words(["data.subset=200"])).settings.space == "mobile_cells"


@pytest.mark.parametrize("word", ["mosaic=0.5", "assigner=simota", "box=3", "nms=none"])
def test_what_another_task_alone_knows_is_refused_by_name(word: str) -> None:
    (problem,) = problems_of(f"training.{word}")
    key = word.partition("=")[0]
    assert problem.startswith(f"training.{key}=")
    assert problem.endswith("has no meaning in classification: it is for detection. Leave it out.")


@pytest.mark.parametrize("word", ["auxiliary=0.4", "auxiliary=0.2", "auxiliary_heads=2"])
def test_a_second_classifier_of_detectors_is_refused(word: str) -> None:
    small = ["data=shapes", "data.shapes.images=40", "data.shapes.classes=1"]
    with pytest.raises(SettingsError) as caught:
        check(Words([*small, f"training.{word}"]))
    assert list(caught.value.problems) == [
        f"training.{word} has no meaning in detection: it is for classification. Leave it out."
    ]
    written = check(Words([*small, "training.auxiliary=0"])).settings.to_dict()
    assert check(Words(written)).settings.training.auxiliary == 0


def test_a_gene_that_another_task_alone_knows_is_refused_with_its_place() -> None:
    section = "training:\n  epochs: 3\n  mosaic: {float: [0, 1]}\n"
    Path("mosaic.yaml").write_text(f"title: it\nsource: a test\n{section}")
    (problem,) = problems_of("space=nano+./mosaic.yaml")
    assert problem.startswith("mosaic.yaml, training.mosaic (line 5): mosaic has no meaning in")


def test_settings_written_out_at_their_defaults_are_not_refused() -> None:
    written = check(Words(QUICK)).settings.to_dict()
    assert written["training"]["mosaic"] == 0
    check(Words(written))


@pytest.mark.parametrize("name", TASKS)
def test_a_recipe_fills_what_nobody_set_and_is_of_its_own_task(name: str) -> None:
    task = TASKS[name]
    filled = completed(TrainingSettings(epochs=3, lr0=0.5), task)
    assert (filled.epochs, filled.lr0) == (3, 0.5)
    for key, value in task.recipe.items():
        if key not in ("epochs", "lr0"):
            assert getattr(filled, key) == value
    assert TrainingSettings.model_validate(filled.model_dump()) == filled
    assert not list(foreign(filled, name))
    assert task.settings <= set(TrainingSettings.model_fields)
    assert not foreign_settings(name).keys() & task.settings


def test_classification_is_trained_as_before_by_default() -> None:
    assert check(Words(QUICK)).settings.training == TrainingSettings(epochs=1)


def test_without_its_extra_detection_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    task = TASKS["detection"]
    assert task.lack() is None
    monkeypatch.setitem(sys.modules, "faster_coco_eval", None)
    lack = task.lack()
    assert lack is not None
    assert 'pip install "evonas[detection]"' in lack
