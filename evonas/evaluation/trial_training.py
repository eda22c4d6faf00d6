"""The training of a trial: at proxy scale, as long as its rung says."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from evonas.blueprint import plan_network
from evonas.errors import TrialFailure
from evonas.evaluation.kit import Kit
from evonas.evaluation.segments import Segment, begins_anew, segments_of, weights_in
from evonas.exporters.file_names import WEIGHTS
from evonas.exporters.weights import write_weights
from evonas.files import make_folder
from evonas.models import Network, build
from evonas.tasks.task import LOSS
from evonas.training import Progress, evaluate, train
from evonas.training.inheritance import inherit
from evonas.training.job import begin
from evonas.trial import Assignment, Notes


@dataclass(frozen=True)
class Trained:
    """A finished training: the network, its loss per epoch, its scores and its seconds.

    `details` are worth a record.
    """

    network: nn.Module
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

    Curve and sum of losses are of the last segment: what this rung added. Seconds are those of
    the wall's clock, with the validation.

    Raises:
        TrialFailure: It diverged.
    """
    start = time.perf_counter()
    trial = assignment.trial
    design = trial.blueprint
    network = build(design, kit.proxy)
    recipe = kit.recipe(design)
    begin(network, recipe, trial.seed, design.network.get("initialisation"))
    begun = _begun(kit, network, assignment)
    for segment in begun.segments:
        progress = _train(kit, network, segment, assignment)
    data = kit.data(segment.resolution_px, segment.percent)
    scores = evaluate(network, data.validation, data.problem, recipe, kit.device)
    checksum = write_weights(_folder(kit, trial.number), network)
    if not math.isfinite(scores[LOSS]):
        raise TrialFailure("diverged", f"the validation loss is {scores[LOSS]}")
    return Trained(
        network,
        tuple(progress.curve),
        scores,
        time.perf_counter() - start,
        Notes(weights_sha256=checksum, damaged_weights=begun.damaged_weights),
        {**begun.inherited, "loss_sum": progress.loss_sum},
    )


def _train(kit: Kit, network: nn.Module, segment: Segment, assignment: Assignment) -> Progress:
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
    )


def _begun(kit: Kit, network: nn.Module, assignment: Assignment) -> _Begun:
    """Puts in the weights that the trial begins with.

    A promotion goes on with its own weights unless its rung begins anew; a new design may
    inherit those of a parent. Where they are gone or damaged, the training is done from its
    beginning: for a promotion that comes to the same.
    """
    trial, beginning = assignment.trial, assignment.beginning
    recipe, fidelity = kit.recipe(trial.blueprint), kit.settings.fidelity
    segments = segments_of(fidelity, recipe, trial.rung, trial.seed, kit.proxy.resolution_px)
    if beginning is None or begins_anew(fidelity, recipe, trial.rung):
        return _Begun(segments)
    file = kit.trials / str(beginning.number) / WEIGHTS
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
