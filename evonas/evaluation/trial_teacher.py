"""Who teaches the network of a trial, loaded where it is trained."""

from pathlib import Path
from typing import Any

from evonas.compression.teacher import Teacher, teacher_of
from evonas.evaluation.kit import Kit
from evonas.evaluation.segments import weights_in
from evonas.exporters.file_names import WEIGHTS
from evonas.models import build
from evonas.trial import Assignment, KeptWeights


def teacher_for(kit: Kit, assignment: Assignment) -> Teacher | None:
    """None if nothing is learnt from a teacher, or there is none yet, or its weights are gone.

    Raises:
        SettingsError: The model folder that is to teach cannot any more.
    """
    settings = kit.compression(assignment.trial.blueprint)
    if isinstance(settings.distillation.teacher, Path):
        return teacher_of(settings, kit.data().problem)
    return None if assignment.teacher is None else _trained(kit, assignment.teacher)


def _trained(kit: Kit, kept: KeptWeights) -> Teacher | None:
    state = weights_in(kit.trials / str(kept.number) / WEIGHTS, kept.weights_sha256)
    if state is None:
        return None
    network = build(kept.design, kit.proxy)
    network.load_state_dict(state)
    return Teacher(network, kit.data().problem, kit.proxy.resolution_px)


def taught_by(kit: Kit, assignment: Assignment, has_teacher: bool) -> dict[str, Any]:
    """For the record: the trial or the model folder that taught, None for nobody yet."""
    own = kit.compression(assignment.trial.blueprint).distillation
    if own.method == "none":
        return {}
    chosen = own.teacher if assignment.teacher is None else assignment.teacher.number
    named = str(chosen) if isinstance(chosen, Path) else chosen
    return {"taught_by": named if has_teacher else None}
