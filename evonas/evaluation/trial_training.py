"""The training of a trial: at proxy scale, as long as its rung says."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from evonas.errors import TrialFailure
from evonas.evaluation.kit import Kit
from evonas.evaluation.segments import Segment, begins_anew, segments_of, weights_in
from evonas.exporters.file_names import WEIGHTS
from evonas.exporters.weights import write_weights
from evonas.files import make_folder
from evonas.models import build
from evonas.training import Normalisation, Progress, Scores, class_weights, evaluate, train
from evonas.training.inheritance import inherit
from evonas.training.job import begin
from evonas.trial import DAMAGED_WEIGHTS, WEIGHTS_CHECKSUM, Trial


@dataclass(frozen=True)
class Trained:
    """A finished training: the network, its loss per epoch, its scores and its seconds.

    `details` is what else is worth a record.
    """

    network: nn.Module
    curve: tuple[float, ...]
    scores: Scores
    seconds: float
    details: Mapping[str, Any] = field(default_factory=dict)


def trained(kit: Kit, trial: Trial) -> Trained:
    """Trains the design of a trial; leaves its weights in the trial's folder.

    Curve and sum of losses are of the last segment: what this rung added. Seconds are those of
    the wall's clock, with the validation.

    Raises:
        TrialFailure: It diverged.
    """
    start = time.perf_counter()
    design = trial.blueprint
    network = build(design, kit.proxy)
    begin(network, kit.recipe(design), trial.seed, design.network.get("initialisation"))
    segments, details = _begun(kit, network, trial)
    for segment in segments:
        progress = _train(kit, network, segment, trial)
    data = kit.data(segment.resolution_px, segment.percent)
    normalisation = Normalisation(data.mean, data.deviation)
    scores = evaluate(network, data.validation, normalisation, kit.device)
    checksum = write_weights(_folder(kit, trial), network)
    if not math.isfinite(scores.loss):
        raise TrialFailure("diverged", f"the validation loss is {scores.loss}")
    details |= {"loss_sum": progress.loss_sum, WEIGHTS_CHECKSUM: checksum}
    return Trained(network, tuple(progress.curve), scores, time.perf_counter() - start, details)


def _train(kit: Kit, network: nn.Module, segment: Segment, trial: Trial) -> Progress:
    data = kit.data(segment.resolution_px, segment.percent)
    recipe = segment.recipe
    watches = recipe.patience is not None or recipe.plateau is not None
    return train(
        network,
        data.train,
        Normalisation(data.mean, data.deviation),
        recipe,
        segment.seed,
        kit.device,
        validation=data.validation if watches else None,
        class_weights=class_weights(kit.settings.data, data.train, len(data.classes)),
        bfloat16=trial.bfloat16,
        log_folder=_folder(kit, trial) if recipe.log else None,
    )


def _begun(kit: Kit, network: nn.Module, trial: Trial) -> tuple[list[Segment], dict[str, Any]]:
    """Puts in the weights that the trial begins with; segments to train, and what was taken.

    A promotion goes on with its own weights unless its rung begins anew; a new design may
    inherit those of a parent. Where they are gone or damaged, the training is done from its
    beginning: for a promotion that comes to the same.
    """
    recipe, fidelity = kit.recipe(trial.blueprint), kit.settings.fidelity
    segments = segments_of(fidelity, recipe, trial.rung, trial.seed, kit.proxy.resolution_px)
    if begins_anew(fidelity, recipe, trial.rung):
        return segments, {}
    file = kit.trials / str(trial.begins_with) / WEIGHTS
    state = weights_in(file, trial.weights_checksum)
    if state is None:
        return segments, {DAMAGED_WEIGHTS: trial.begins_with} if file.exists() else {}
    if trial.continues is not None:
        network.load_state_dict(state)
        return segments[-1:], {}
    if not recipe.inherit:
        return segments, {}
    share = inherit(network, state)
    return segments, {"inherited_from": trial.begins_with, "inherited_share": share}


def _folder(kit: Kit, trial: Trial) -> Path:
    """Where files of the trial lie; the driver deletes those of all but the best."""
    return make_folder(kit.trials / str(trial.number))
