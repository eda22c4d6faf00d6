"""The evaluation that evonas is made for: count, measure latency at full scale, train the proxy."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from evonas.blueprint import Blueprint
from evonas.data import Dataset, load_data
from evonas.data.cache import data_key
from evonas.data.dataset import SPLIT_SEED, stratified
from evonas.evaluation.evaluator import Evaluator
from evonas.evaluation.objectives import OBJECTIVES, is_trained, measure_scale
from evonas.evaluation.proxies import PROXIES, PROXY_IMAGES
from evonas.evaluation.segments import (
    Segment,
    added_segments,
    begins_anew,
    segments_of,
    weights_in,
)
from evonas.evaluation.subject import Subject, Trained
from evonas.exporters.file_names import WEIGHTS
from evonas.exporters.weights import write_weights
from evonas.files import make_folder
from evonas.hardware.latency import Clock, latency_scale
from evonas.key import key_of
from evonas.models import Plan, build, count, initialise, plan_network
from evonas.settings import DataSettings, LatencySettings, TrainingSettings, validate
from evonas.space import Scale, network_key
from evonas.training import Normalisation, batch_size, class_weights, evaluate, train
from evonas.training.inheritance import inherit
from evonas.training.precision import is_worth_a_probe, network_family, probe
from evonas.training.transfer import prepare
from evonas.trial import DAMAGED_WEIGHTS, WEIGHTS_CHECKSUM, Outcome, Trial

ALWAYS_MEASURED = ("accuracy", "loss", "macs", "parameters")
WITHOUT_INFLUENCE = {"log", "compile", "cuda_graphs"}  # on what a training gives
PROXY_SEED = 20_240_229  # which images scores look at: part of what they mean, never changes


@dataclass(frozen=True)
class TrainEvaluator(Evaluator):
    """Trains the design at proxy scale, measures it at the scale that the settings say.

    `trials` is the folder that trained weights are kept in, `reference_ms` the calibrated time
    of the latency clock's reference network.
    """

    proxy: Scale
    full: Scale
    trials: Path
    reference_ms: float

    def prepare(self) -> None:
        """See `Evaluator.prepare`."""
        fidelity, recipe = self.settings.fidelity, self.settings.training
        for segment in added_segments(fidelity, recipe, self.proxy.resolution_px):
            _images(self.settings.data, segment.resolution_px, segment.percent)
        if "latency_ms" in self.measured:
            _clock(self.settings.latency, self.reference_ms)

    def training_key(self, blueprint: Blueprint) -> str:
        """See `Evaluator.training_key`."""
        recipe = self.recipe(blueprint).model_dump(mode="json", exclude=WITHOUT_INFLUENCE)
        return key_of([network_key(blueprint, self.proxy), recipe, _data_key(self.settings.data)])

    def building_key(self, blueprint: Blueprint) -> str:
        """See `Evaluator.building_key`."""
        key = network_key(blueprint, self._measured)
        if PROXIES.keys().isdisjoint(self.measured):
            return key
        return key_of([key, network_key(blueprint, self.proxy)])

    @property
    def built_measures(self) -> Sequence[str]:
        """See `Evaluator.built_measures`."""
        return [name for name in self.measured if OBJECTIVES[name].cost == "build"]

    def recipe(self, blueprint: Blueprint) -> TrainingSettings:
        """The run's training settings, overridden by the design's own."""
        return recipe_of(self.settings.training, blueprint)

    def count(self, blueprint: Blueprint) -> Mapping[str, float]:
        """See `Evaluator.count`."""
        subject = self._subject(blueprint, None)
        names = [name for name in self.measured if OBJECTIVES[name].cost == "count"]
        return {name: float(OBJECTIVES[name].measure(subject)) for name in names}

    def score(self, trial: Trial, measure: str) -> float:
        """A measure that needs no training, taken by the driver for its filter."""
        with _own_threads(self.settings.run.deterministic):
            return float(OBJECTIVES[measure].measure(self._subject(trial.blueprint, trial)))

    def latency_plan(self, blueprint: Blueprint) -> Plan:
        """See `Evaluator.latency_plan`."""
        return plan_network(blueprint, latency_scale(self._measured, self.settings.latency))

    def precision_family(self, blueprint: Blueprint) -> str | None:
        """See `Evaluator.precision_family`."""
        recipe = self.recipe(blueprint)
        if recipe.amp != "auto" or self.settings.run.deterministic:
            return None
        images = len(_data(self.settings.data, self.proxy.resolution_px).train)
        plan = plan_network(blueprint, self.proxy)
        if not is_worth_a_probe(recipe, images, count(plan).macs):
            return None
        return f"{network_family(plan)} on {self._device.type}"

    def gains_from_bfloat16(self, trial: Trial) -> bool:
        """See `Evaluator.gains_from_bfloat16`."""
        data = _data(self.settings.data, self.proxy.resolution_px)
        size = batch_size(self.recipe(trial.blueprint), len(data.train))
        images = torch.from_numpy(data.train.images[:size])
        batch = Normalisation(data.mean, data.deviation).apply(images)
        network = build(trial.blueprint, self.proxy, trial.seed)
        with _own_threads(self.settings.run.deterministic), suppress(RuntimeError):
            return probe(network, batch, self._device)
        return False  # the trial itself will say what is wrong

    def scale_of(self, measure: str) -> str:
        """See `Evaluator.scale_of`."""
        return measure_scale(measure, self._measured.name)

    @property
    def trained_measures(self) -> Sequence[str]:
        """See `Evaluator.trained_measures`."""
        return [name for name in self.measured if OBJECTIVES[name].cost == "train"]

    def __call__(self, trial: Trial) -> Outcome:
        """See `Evaluator.__call__`."""
        with _own_threads(self.settings.run.deterministic):
            return self._evaluate(trial)

    def _evaluate(self, trial: Trial) -> Outcome:
        start = time.perf_counter()
        subject = self._subject(trial.blueprint, trial)
        measures = dict(trial.known)
        for cost in ("count", "build", "train"):
            for name in self.measured:
                if OBJECTIVES[name].cost == cost and name not in measures:
                    measures[name] = float(OBJECTIVES[name].measure(subject))
            broken = self._broken(trial, measures) if cost != "train" else None
            if broken is not None:
                break
        seconds = time.perf_counter() - start
        trained = subject.trained if "trained" in subject.__dict__ else None
        latency = {"latency": subject.latency.to_dict()} if "latency" in subject.__dict__ else {}
        return Outcome(
            trial.number,
            "complete" if broken is None else "infeasible",
            measures,
            curve=trained.curve if trained else (),
            seconds=seconds,
            busy_seconds=seconds - subject.waited_s,
            error_text=broken.error_text if broken else None,
            details={**latency, **(trained.details if trained else {})},
            source=trial.source,
        )

    def _broken(self, trial: Trial, measures: Mapping[str, float]) -> Outcome | None:
        """See `Evaluator.infeasible`; a short training need not keep limits on what it gives."""
        is_short = trial.rung < len(self.settings.fidelity.rungs) - 1
        judged = {n: v for n, v in measures.items() if not (is_short and is_trained(n))}
        return self.infeasible(trial.number, judged)

    @property
    def measured(self) -> Sequence[str]:
        """See `Evaluator.measured`."""
        return list(dict.fromkeys([*super().measured, *ALWAYS_MEASURED]))

    @property
    def _measured(self) -> Scale:
        return self.full if self.settings.measure.scale == "full" else self.proxy

    @property
    def _device(self) -> torch.device:
        return torch.device("cuda" if self.settings.executor.gpus_per_trial else "cpu")

    def _subject(self, blueprint: Blueprint, trial: Trial | None) -> Subject:
        """The design on the bench; without a trial it cannot be trained."""

        def trained(_: Blueprint) -> Trained:
            assert trial is not None, "what is counted beforehand needs no training"
            return self._train(trial)

        return Subject(
            blueprint,
            self._measured,
            lambda: _clock(self.settings.latency, self.reference_ms),
            trained,
            lambda proxy, design: self._score(proxy, design, 0 if trial is None else trial.seed),
        )

    def _score(self, proxy: str, blueprint: Blueprint, seed: int) -> float:
        images, labels = _proxy_batch(self.settings.data, self.proxy.resolution_px)
        return PROXIES[proxy](build(blueprint, self.proxy, seed), images, labels)

    def _train(self, trial: Trial) -> Trained:
        """Curve and sum of losses are of the last segment: what this rung added."""
        network = self._fresh(trial)
        device = self._device
        segments, details = self._begun(network, trial)
        for segment in segments:
            data = _images(self.settings.data, segment.resolution_px, segment.percent)
            normalisation = Normalisation(data.mean, data.deviation)
            recipe, seed = segment.recipe, segment.seed
            watches = recipe.patience is not None or recipe.plateau is not None
            validation = data.validation if watches else None
            progress = train(
                network,
                data.train,
                normalisation,
                recipe,
                seed,
                device,
                validation=validation,
                class_weights=class_weights(self.settings.data, data.train, len(data.classes)),
                bfloat16=trial.bfloat16,
                log_folder=self._folder(trial) if recipe.log else None,
            )
        scores = evaluate(network, data.validation, normalisation, device)
        checksum = write_weights(self._folder(trial), network)
        details |= {"loss_sum": progress.loss_sum, WEIGHTS_CHECKSUM: checksum}
        return Trained(network, tuple(progress.curve), scores, 0.0, details)

    def _fresh(self, trial: Trial) -> torch.nn.Module:
        """The network as its recipe lets it begin."""
        network = build(trial.blueprint, self.proxy, trial.seed)
        recipe = self.recipe(trial.blueprint)
        if recipe.initialisation is not None:
            initialise(network, trial.seed, recipe.initialisation)
        prepare(network, recipe, trial.seed)
        return network

    def _begun(
        self, network: torch.nn.Module, trial: Trial
    ) -> tuple[list[Segment], dict[str, Any]]:
        """Puts in the weights that the trial begins with; segments to train, and what was taken.

        A promotion goes on with its own weights unless its rung begins anew; a new design may
        inherit those of a parent. Where they are gone or damaged, the training is done from its
        beginning: for a promotion that comes to the same.
        """
        recipe, side = self.recipe(trial.blueprint), self.proxy.resolution_px
        segments = segments_of(self.settings.fidelity, recipe, trial.rung, trial.seed, side)
        if begins_anew(self.settings.fidelity, recipe, trial.rung):
            return segments, {}
        file = self.trials / str(trial.begins_with) / WEIGHTS
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

    def _folder(self, trial: Trial) -> Path:
        """Where files of the trial lie; the driver deletes those of all but the best."""
        return make_folder(self.trials / str(trial.number))


def recipe_of(settings: TrainingSettings, blueprint: Blueprint) -> TrainingSettings:
    """Training settings with a design's own laid over them.

    Raises:
        SettingsError: The design brings a key that training does not have.
    """
    values = {**settings.model_dump(), **blueprint.training}
    recipe: TrainingSettings = validate(TrainingSettings, values, "training")
    return recipe


@contextmanager
def _own_threads(deterministic: bool) -> Iterator[None]:
    """One thread: fastest for small networks, and the same sums in every worker."""
    threads = torch.get_num_threads()
    strict = torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(deterministic or strict)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(strict)


# Kept by the process: a worker serves many trials of one run.
@cache
def _data(settings: DataSettings, resolution_px: int) -> Dataset:
    return load_data(settings, resolution_px)


@cache
def _images(settings: DataSettings, resolution_px: int, percent: int) -> Dataset:
    """The data set with a share of its training images: the more hold all of the fewer."""
    data = _data(settings, resolution_px)
    if percent == 100:
        return data
    part, _ = stratified(data.train, percent / 100, np.random.default_rng(SPLIT_SEED))
    return replace(data, train=part)


@cache
def _proxy_batch(settings: DataSettings, resolution_px: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Training images as a network sees them, and their labels: the same for all designs."""
    data = _data(settings, resolution_px)
    chosen = np.random.default_rng(PROXY_SEED).permutation(len(data.train))[:PROXY_IMAGES]
    images = torch.from_numpy(data.train.images[chosen])
    normalisation = Normalisation(data.mean, data.deviation)
    return normalisation.apply(images), torch.from_numpy(data.train.labels[chosen])


@cache
def _data_key(settings: DataSettings) -> str:
    return data_key(settings)


@cache
def _clock(settings: LatencySettings, reference_ms: float) -> Clock:
    return Clock(settings, reference_ms)
