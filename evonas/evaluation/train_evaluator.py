"""The evaluation that evonas is made for: count, measure latency at full scale, train the proxy."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

from evonas.blueprint import Blueprint
from evonas.data import Dataset, load_data
from evonas.data.cache import data_key
from evonas.evaluation.evaluator import Evaluator
from evonas.evaluation.objectives import OBJECTIVES, measure_scale
from evonas.evaluation.subject import Subject, Trained
from evonas.exporters.model_folder import write_weights
from evonas.hardware import Clock
from evonas.key import key_of
from evonas.models import build
from evonas.settings import DataSettings, LatencySettings, TrainingSettings, validate
from evonas.space import Scale, network_key
from evonas.training import Normalisation, evaluate, train
from evonas.trial import Outcome, Trial

ALWAYS_MEASURED = ("accuracy", "loss", "macs", "parameters")


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
        _data(self.settings.data, self.proxy.resolution_px)
        if "latency_ms" in self.measured:
            _clock(self.settings.latency, self.reference_ms)

    def training_key(self, blueprint: Blueprint) -> str:
        """See `Evaluator.training_key`."""
        recipe = self.recipe(blueprint).model_dump()
        return key_of([network_key(blueprint, self.proxy), recipe, _data_key(self.settings.data)])

    def building_key(self, blueprint: Blueprint) -> str:
        """See `Evaluator.building_key`."""
        return network_key(blueprint, self._measured)

    @property
    def built_measures(self) -> Sequence[str]:
        """See `Evaluator.built_measures`."""
        return [name for name in self.measured if OBJECTIVES[name].cost == "build"]

    def recipe(self, blueprint: Blueprint) -> TrainingSettings:
        """The run's training settings, overridden by the design's own."""
        return recipe_of(self.settings.training, blueprint)

    def count(self, blueprint: Blueprint) -> Mapping[str, float]:
        """See `Evaluator.count`."""
        subject = self._subject(blueprint, 0, 0)
        names = [name for name in self.measured if OBJECTIVES[name].cost == "count"]
        return {name: float(OBJECTIVES[name].measure(subject)) for name in names}

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
        subject = self._subject(trial.blueprint, trial.seed, trial.number)
        measures = dict(trial.known)
        for cost in ("count", "build", "train"):
            for name in self.measured:
                if OBJECTIVES[name].cost == cost and name not in measures:
                    measures[name] = float(OBJECTIVES[name].measure(subject))
            broken = self.infeasible(trial.number, measures) if cost != "train" else None
            if broken is not None:
                break
        seconds = time.perf_counter() - start
        trained = subject.trained if "trained" in subject.__dict__ else None
        has_latency = "latency" in subject.__dict__
        return Outcome(
            trial.number,
            "complete" if broken is None else "infeasible",
            measures,
            curve=trained.curve if trained else (),
            seconds=seconds,
            busy_seconds=seconds - subject.waited_s,
            error_text=broken.error_text if broken else None,
            details={"latency": subject.latency.to_dict()} if has_latency else {},
            source=trial.source,
        )

    @property
    def measured(self) -> Sequence[str]:
        """See `Evaluator.measured`."""
        return list(dict.fromkeys([*super().measured, *ALWAYS_MEASURED]))

    @property
    def _measured(self) -> Scale:
        return self.full if self.settings.measure.scale == "full" else self.proxy

    def _subject(self, blueprint: Blueprint, seed: int, number: int) -> Subject:
        return Subject(
            blueprint,
            self._measured,
            lambda: _clock(self.settings.latency, self.reference_ms),
            lambda design: self._train(design, seed, number),
        )

    def _train(self, blueprint: Blueprint, seed: int, number: int) -> Trained:
        data = _data(self.settings.data, self.proxy.resolution_px)
        normalisation = Normalisation(data.mean, data.deviation)
        network = build(blueprint, self.proxy, seed)
        device = torch.device("cuda" if self.settings.executor.gpus_per_trial else "cpu")
        recipe = self.recipe(blueprint)
        progress = train(network, data.train, normalisation, recipe, seed, device)
        scores = evaluate(network, data.validation, normalisation, device)
        self._keep_weights(network, number)
        return Trained(network, tuple(progress.curve), scores, 0.0)

    def _keep_weights(self, network: torch.nn.Module, number: int) -> None:
        """Writes the weights; the driver deletes those of all but the best."""
        folder = self.trials / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        write_weights(folder, network)


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
def _data_key(settings: DataSettings) -> str:
    return data_key(settings)


@cache
def _clock(settings: LatencySettings, reference_ms: float) -> Clock:
    return Clock(settings, reference_ms)
