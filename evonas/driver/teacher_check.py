"""Whether there is a teacher for what designs are to learn, found out before a search begins."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from evonas.blueprint import Blueprint
from evonas.compression.distillation import check_fit
from evonas.compression.teacher import WORD, Teacher, teacher_of
from evonas.data.dataset import Dataset
from evonas.errors import BuildError, SettingsError
from evonas.evaluation.kit import compression_of
from evonas.models import build
from evonas.settings import Settings
from evonas.space.run_scales import run_scales
from evonas.space.search_space import SearchSpace

DESIGNS = 32  # drawn at random; if one can learn from the teacher, designs differ


def checked_teacher(settings: Settings, space: SearchSpace, data: Dataset) -> str | None:
    """The key of the model that teaches; None where none does.

    Raises:
        SettingsError: It cannot teach any design, or there is nothing to be learnt from it.
    """
    chosen = settings.compression.distillation.teacher
    pupil = next(_pupils(settings, space), None)
    if pupil is None:
        if isinstance(chosen, Path):
            raise SettingsError(
                f"{WORD}={chosen}: no design learns from it. Add compression.distillation.method="
                "logits, or search space=...+compression."
            )
        return None
    if not isinstance(chosen, Path):
        return None
    teacher = teacher_of(compression_of(settings.compression, pupil), data.problem)
    assert teacher is not None, "a pupil has a method"
    _check_levels(settings, space, teacher, data)
    return teacher.key


def _pupils(settings: Settings, space: SearchSpace) -> Iterator[Blueprint]:
    """Those of a few designs that learn from a teacher."""
    rng = np.random.default_rng(0)
    for _ in range(DESIGNS):
        design = space.peek(space.sample(rng))
        if compression_of(settings.compression, design).distillation.method != "none":
            yield design


def _check_levels(settings: Settings, space: SearchSpace, teacher: Teacher, data: Dataset) -> None:
    """Raises what a design says that cannot learn from the teacher, if no design can."""
    scale, _ = run_scales(space, settings, asdict(data.problem))
    problems = list[BuildError]()
    for design in _pupils(settings, space):
        image = torch.zeros(1, *data.train.images.shape[1:])
        try:
            check_fit(build(design, scale), teacher.to("cpu"), data.problem, image)
        except BuildError as error:
            problems.append(error)
        else:
            return
    raise SettingsError(f"{WORD}: {problems[0]}")
