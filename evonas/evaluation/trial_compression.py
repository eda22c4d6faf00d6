"""What is made of the trained network of a trial, and how each step of that does."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from evonas.compression.compress import compressed
from evonas.compression.step import Compressed, StepKit
from evonas.evaluation.kit import Kit
from evonas.evaluation.trial_training import Trained, step_kit
from evonas.exporters.onnx import onnx_model
from evonas.exporters.onnx_network import OnnxNetwork
from evonas.training import evaluate
from evonas.trial import Assignment

CPU = torch.device("cpu")
TRAINED = "training"  # the first row of the ladder


@dataclass(frozen=True)
class Deployed:
    """What is deployed of a trial: its scores, and the wall-clock seconds of all steps.

    `ladder`: a row for the training and one for each step, with the main score and the seconds.
    """

    made: Compressed
    scores: Mapping[str, float]
    seconds: float
    ladder: list[dict[str, Any]]


def deployed(kit: Kit, assignment: Assignment, trained: Trained) -> Deployed:
    """Takes the steps that the design asks for; each is scored on the validation images.

    Raises:
        TrialFailure: A fine-tuning diverged, or what was made gives values that are not finite.
        BuildError: A step does not fit this network.
    """
    main = kit.task.main
    first = {"step": TRAINED, main: trained.scores[main], "seconds": trained.seconds}
    ladder: list[dict[str, Any]] = [first]
    scores: Mapping[str, float] = trained.scores
    since = time.perf_counter()

    def after(step: str, made: Compressed) -> None:
        nonlocal scores, since
        seconds = time.perf_counter() - since
        scores = _scores(kit, steps, assignment, trained, made)
        ladder.append({"step": step, main: scores[main], "seconds": seconds})
        since = time.perf_counter()

    steps = _steps(kit, assignment, trained)
    made = compressed(trained.network, steps, after)
    return Deployed(made, scores, sum(row["seconds"] for row in ladder[1:]), ladder)


def _steps(kit: Kit, assignment: Assignment, trained: Trained) -> StepKit:
    """The kit of steps behind a training, whose length is that of all its segments."""
    found = step_kit(kit, assignment, trained.segment, assignment.trial.seed)
    fidelity = kit.settings.fidelity
    if fidelity.of != "epochs" or not fidelity.rungs:
        return found
    epochs = fidelity.rungs[assignment.trial.rung]
    return replace(found, recipe=found.recipe.model_copy(update={"epochs": epochs}))


def _scores(
    kit: Kit, steps: StepKit, assignment: Assignment, trained: Trained, made: Compressed
) -> Mapping[str, float]:
    segment = trained.segment
    data = kit.data(segment.resolution_px, segment.percent)
    recipe = kit.recipe(assignment.trial.blueprint)
    network, device = made.network, kit.device
    if made.quantised is not None:
        network, device = in_int8(made.quantised, steps), CPU
    return evaluate(network, data.validation, data.problem, recipe, device)


def in_int8(quantised: nn.Module, steps: StepKit) -> nn.Module:
    """What computes in 8 bits, as it runs where it is deployed: in ONNX Runtime."""
    channels, height, width = steps.images.images.shape[1:]
    model = onnx_model(quantised.to(CPU), (channels, height, width), batch=None)
    return OnnxNetwork(model)
