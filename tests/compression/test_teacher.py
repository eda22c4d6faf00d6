"""Who may teach, and what a teacher makes of images that it was not trained on."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from conftest import a_problem, problems_of
from small_model import detector, made, made_detector, model, put_other_weights
from torch import nn

from evonas.compression.teacher import Teacher, read_teacher, teacher_of
from evonas.exporters.file_names import SOURCE, WEIGHTS
from evonas.model_folder.model_folder import ModelFolder
from evonas.networks.problem import Problem
from evonas.settings import CompressionSettings
from evonas.tasks.normalisation import normalised

__all__ = ["detector", "made", "made_detector", "model"]

DIGITS = a_problem(10, (0.3,), (0.2,))


def taught_by(teacher: Any, method: str = "logits") -> CompressionSettings:
    own = {"method": method, "teacher": str(teacher)}
    return CompressionSettings.model_validate({"distillation": own})


def refusal(teacher: Any, problem: Problem = DIGITS) -> str:
    return "\n".join(problems_of(teacher_of, taught_by(teacher), problem))


def rewritten(folder: Path, name: str, old: str, new: str) -> None:
    """A file with other text, of which check.json says that evonas wrote it."""
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new))


def test_a_model_folder_teaches_with_its_weights(model: Path) -> None:
    teacher = teacher_of(taught_by(model), DIGITS)
    assert teacher is not None
    assert teacher is teacher_of(taught_by(model), DIGITS)
    assert not teacher.training
    assert not any(weights.requires_grad for weights in teacher.parameters())
    folder = ModelFolder.open(model, (SOURCE, WEIGHTS))
    own = folder.trained().network.eval()
    images = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    (logits,) = teacher(images, teacher.problem)
    torch.testing.assert_close(logits, own(images))
    assert not logits.requires_grad


def test_nobody_teaches_where_nothing_is_to_be_learnt(model: Path) -> None:
    assert teacher_of(taught_by(model, "none"), DIGITS) is None
    assert teacher_of(CompressionSettings(), DIGITS) is None


def test_a_detector_in_a_folder_teaches_by_all_that_a_training_gives(detector: Path) -> None:
    teacher = read_teacher(detector)
    assert len(teacher(torch.zeros(1, 3, 64, 64), teacher.problem)) == 4
    assert teacher.takes_any_side


class Sees(nn.Module):
    """Remembers what it was given."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.images = images
        return images.mean((2, 3))


def test_a_teacher_sees_images_normalised_and_as_large_as_it_knows_them() -> None:
    pixels = torch.randint(256, (2, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator())
    other = replace(DIGITS, mean=(0.6,), deviation=(0.5,))
    network = Sees()
    Teacher(network, other, 8)(normalised(pixels, DIGITS), DIGITS)
    torch.testing.assert_close(network.images, normalised(pixels, other))
    Teacher(network, DIGITS, 4)(normalised(pixels, DIGITS), DIGITS)
    assert network.images.shape == (2, 1, 4, 4)
    grey = torch.full((1, 1, 8, 8), 0.25)
    Teacher(network, DIGITS, 12)(grey, DIGITS)
    torch.testing.assert_close(network.images, torch.full((1, 1, 12, 12), 0.25))


def test_who_cannot_teach_is_told_with_the_reason(model: Path, detector: Path) -> None:
    letters = replace(DIGITS, classes=("a", "b"))
    assert refusal(model, letters) == (
        f"compression.distillation.teacher={model}: the model knows 10 classes (0, 1, 2, 3, 4, 5, "
        "6, 7, 8, 9), and the data have 2 classes (a, b). Give a model that was trained for the "
        "same classes."
    )
    colour = replace(DIGITS, channels=3)
    assert "the model takes 1 channel(s), and the images have 3." in refusal(model, colour)
    boxes = "the model is for detection, and the data are for classification."
    assert boxes in refusal(detector)


def test_what_is_no_trained_model_is_refused(model: Path) -> None:
    assert "There is no model folder" in refusal("nowhere")
    published = refusal("resnet18")
    assert "has no weights of it" in published
    assert "evonas retrain" in published
    assert "the best of a run teaches in a search alone" in refusal("best")
    assert "the best of a run teaches in a search alone" in refusal("none")
    fresh = model.with_name("fresh")
    model.rename(fresh)
    rewritten(fresh, "recipe.yaml", "scale: proxy", "scale: full")
    assert "its weights are fresh" in refusal(fresh)
    (fresh / "training.json").write_text("{}")
    assert teacher_of(taught_by(fresh), DIGITS) is not None


def test_files_that_are_not_as_they_were_written_teach_nothing(model: Path) -> None:
    (model / SOURCE).write_text("print('anything')\n" + (model / SOURCE).read_text())
    told = refusal(model)
    assert told.startswith(f"compression.distillation.teacher={model}: ")
    assert "is not as evonas wrote it" in told


def test_the_key_is_of_source_and_weights(model: Path) -> None:
    before = read_teacher(model)
    put_other_weights(model)
    after = read_teacher(model)
    assert after.key != before.key
    assert not torch.equal(*(next(each.parameters()) for each in (before, after)))
