"""The training of a trial: at proxy scale, as long as its rung says."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from evonas.blueprint import plan_network, scaled_network
from evonas.compression.compress import attachments, changes_training
from evonas.compression.step import StepKit
from evonas.compression.teacher import Teacher
from evonas.errors import TrialFailure
from evonas.evaluation.kit import Kit
from evonas.evaluation.segments import Segment, begins_anew, segments_of, weights_in
from evonas.evaluation.trial_teacher import taught_by, teacher_for
from evonas.exporters.file_names import WEIGHTS
from evonas.exporters.weights import write_weights
from evonas.files import make_folder
from evonas.models import Network, build
from evonas.tasks.task import LOSS
from evonas.training import Progress, evaluate, train
from evonas.training.attachment import Attachment
from evonas.training.inheritance import inherit
from evonas.training.job import begin
from evonas.trial import Assignment, Notes


@dataclass(frozen=True)
class Trained:
    """A finished training: the network, its loss per epoch, its scores and its seconds.

    `segment` is the last that it was trained with. `details` are worth a record.
    """

    network: nn.Module
    segment: Segment
    curve: tuple[float, ...]
    scores: Mapping[str, float]
    seconds: float
    notes: Notes
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Begun:
    """How a training begins: what is left to train, and what was taken from another one."""

    segments: list[Segment]
    damaged_weights: int | None = None
    inherited: Mapping[str, Any] = field(default_factory=dict)


def trained(kit: Kit, assignment: Assignment) -> Trained:
    """Trains the design of a trial; leaves its weights in the trial's folder.

    A training that is shared is not done again, as long as its weights are there. Curve and sum of
    losses are of the last segment: what this rung added. Seconds are those of the wall's clock,
    with the validation.

    Raises:
        TrialFailure: It diverged.
    """
    start = time.perf_counter()
    network = build(assignment.trial.blueprint, kit.proxy)
    done = _taken_over(kit, network, assignment) or _done(kit, network, assignment)
    data = kit.data(done.segment.resolution_px, done.segment.percent)
    recipe = kit.recipe(assignment.trial.blueprint)
    scores = evaluate(network, data.validation, data.problem, recipe, kit.device)
    checksum = write_weights(_folder(kit, assignment.number), network)
    if not math.isfinite(scores[LOSS]):
        raise TrialFailure("diverged", f"the validation loss is {scores[LOSS]}")
    shared = assignment.training
    notes = Notes(
        weights_sha256=checksum,
        damaged_weights=done.damaged_weights,
        training_of=None if shared is None else shared.first,
    )
    seconds = time.perf_counter() - start if done.seconds is None else done.seconds
    return Trained(network, done.segment, done.curve, scores, seconds, notes, done.details)


@dataclass(frozen=True)
class _Done:
    """How a network got its weights; `seconds` if that was in another trial."""

    segment: Segment
    curve: tuple[float, ...]
    details: Mapping[str, Any] = field(default_factory=dict)
    damaged_weights: int | None = None
    seconds: float | None = None


def _taken_over(kit: Kit, network: nn.Module, assignment: Assignment) -> _Done | None:
    """Puts in the weights of a training that is shared; None if there are none.

    They lie as a training leaves them, so that the network computes the same to the last bit.
    """
    shared = assignment.training
    if shared is None:
        return None
    state = weights_in(_weights_of(kit, shared.number), shared.weights_sha256)
    if state is None:
        return None
    network.to(kit.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    network.load_state_dict(state)
    taught = taught_by(kit, assignment, has_teacher=True)
    return _Done(_segments(kit, assignment)[-1], shared.curve, taught, seconds=shared.seconds)


def _done(kit: Kit, network: nn.Module, assignment: Assignment) -> _Done:
    """Trains the network."""
    design, shared = assignment.trial.blueprint, assignment.training
    scheme = design.network.get("initialisation")
    recipe = kit.recipe(design)
    begin(network, recipe, assignment.training_seed, scheme)
    kit.task.adapt(network, kit.data().train.targets, recipe)
    begun = _begun(kit, network, assignment)
    teacher = teacher_for(kit, assignment)
    for segment in begun.segments:
        progress = _train(kit, network, segment, assignment, teacher)
    taught = taught_by(kit, assignment, teacher is not None)
    details = {**begun.inherited, **taught, "loss_sum": progress.loss_sum}
    damaged = begun.damaged_weights
    if teacher is None and assignment.teacher is not None:
        damaged = assignment.teacher.number
    if shared is not None and _weights_of(kit, shared.number).exists():
        damaged = shared.number
    return _Done(segment, tuple(progress.curve), details, damaged)


def _segments(kit: Kit, assignment: Assignment) -> list[Segment]:
    fidelity, recipe = kit.settings.fidelity, kit.recipe(assignment.trial.blueprint)
    seed, rung = assignment.training_seed, assignment.trial.rung
    return segments_of(fidelity, recipe, rung, seed, kit.proxy.resolution_px)


def _weights_of(kit: Kit, number: int) -> Path:
    return kit.trials / str(number) / WEIGHTS


def step_kit(kit: Kit, assignment: Assignment, segment: Segment, seed: int) -> StepKit:
    """What steps of compression work with, in this part of a training or after it."""
    design = assignment.trial.blueprint
    data = kit.data(segment.resolution_px, segment.percent)
    return StepKit(
        kit.compression(design),
        segment.recipe,
        scaled_network(design, kit.proxy),
        data.train,
        data.problem,
        seed,
        kit.device,
        is_balanced=kit.settings.data.class_weights == "balanced",
        bfloat16=assignment.bfloat16,
    )


def _train(
    kit: Kit,
    network: nn.Module,
    segment: Segment,
    assignment: Assignment,
    teacher: Teacher | None,
) -> Progress:
    data = kit.data(segment.resolution_px, segment.percent)
    recipe = segment.recipe
    watches = recipe.patience is not None or recipe.plateau is not None
    return train(
        network,
        data.train,
        data.problem,
        recipe,
        segment.seed,
        kit.device,
        validation=data.validation if watches else None,
        is_balanced=kit.settings.data.class_weights == "balanced",
        bfloat16=assignment.bfloat16,
        log_folder=_folder(kit, assignment.number) if recipe.log else None,
        attachments=_attachments(kit, assignment, segment, teacher),
    )


def _attachments(
    kit: Kit, assignment: Assignment, segment: Segment, teacher: Teacher | None
) -> list[Attachment]:
    if not changes_training(kit.compression(assignment.trial.blueprint)):
        return []
    own = step_kit(kit, assignment, segment, segment.seed)
    return attachments(replace(own, teacher=teacher))


def _begun(kit: Kit, network: nn.Module, assignment: Assignment) -> _Begun:
    """Puts in the weights that the trial begins with.

    A promotion goes on with its own weights unless its rung begins anew; a new design may
    inherit those of a parent. Where they are gone or damaged, the training is done from its
    beginning: for a promotion that comes to the same.
    """
    trial, beginning = assignment.trial, assignment.beginning
    recipe, fidelity = kit.recipe(trial.blueprint), kit.settings.fidelity
    segments = _segments(kit, assignment)
    if beginning is None or begins_anew(fidelity, recipe, trial.rung):
        return _Begun(segments)
    file = _weights_of(kit, beginning.number)
    state = weights_in(file, beginning.weights_sha256)
    if state is None:
        return _Begun(segments, beginning.number if file.exists() else None)
    if trial.continues is not None:
        network.load_state_dict(state)
        return _Begun(segments[-1:])
    if not recipe.inherit:
        return _Begun(segments)
    with torch.device("meta"):
        parent = Network(plan_network(beginning.design, kit.proxy))
    share = inherit(network, parent, state)
    return _Begun(
        segments, inherited={"inherited_from": beginning.number, "inherited_share": share}
    )


def _folder(kit: Kit, number: int) -> Path:
    """Where files of a trial lie; the driver deletes those of all but the best."""
    return make_folder(kit.trials / str(number))
