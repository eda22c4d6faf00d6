"""What all designs of a run are measured with: scales, images, clock, device."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch

from evonas.blueprint import Blueprint
from evonas.data.cache import data_key, load_data
from evonas.data.dataset import SPLIT_SEED, Dataset, stratified
from evonas.data.readers import DATA_SETS
from evonas.evaluation.proxies import PROXY_IMAGES, LossOf
from evonas.hardware.latency import Clock, latency_scale
from evonas.settings import (
    CompressionSettings,
    DataSettings,
    FidelitySettings,
    LatencySettings,
    Settings,
    TrainingSettings,
    validate,
)
from evonas.space import Scale
from evonas.tasks import TASKS, task_of
from evonas.tasks.normalisation import normalised
from evonas.tasks.task import Task

PLAIN = TrainingSettings(label_smoothing=0)  # the loss by itself
PROXY_SEED = 20_240_229  # which images scores look at: part of what they mean, never changes


@dataclass(frozen=True)
class Kit:
    """Goes to other processes; what it loads there is kept by the process for all designs.

    `trials` is the folder that trained weights are kept in, `reference_ms` the calibrated time
    of the latency clock's reference network, `epochs` how long all trainings are if designs and
    rungs do not say.
    """

    settings: Settings
    proxy: Scale
    full: Scale
    trials: Path
    reference_ms: float
    epochs: int | None = None

    @property
    def measured(self) -> Scale:
        """The scale of counts, memory and latency."""
        return self.full if self.settings.measure.scale == "full" else self.proxy

    @property
    def deployed(self) -> Scale:
        """The scale of latency, which may have a resolution of its own."""
        return latency_scale(self.measured, self.settings.latency)

    @property
    def device(self) -> torch.device:
        """Where designs are trained."""
        return torch.device("cuda" if self.settings.executor.gpus_per_trial else "cpu")

    @property
    def data_key(self) -> str:
        """Of the images that designs are trained on."""
        return _data_key(self.settings.data)

    def recipe(self, design: Blueprint) -> TrainingSettings:
        """The run's training settings, overridden by the design's own."""
        recipe = recipe_of(self.settings.training, design)
        return recipe if self.epochs is None else recipe.model_copy(update={"epochs": self.epochs})

    def as_long_as(self, epochs: int) -> "Kit":
        """The same where all trainings have so many epochs, whatever designs and rungs say."""
        settings = self.settings.model_copy(update={"fidelity": FidelitySettings()})
        return replace(self, settings=settings, epochs=epochs)

    @property
    def task(self) -> Task:
        """What is learnt from the run's data."""
        return TASKS[DATA_SETS[self.settings.data.name].task]

    def compression(self, design: Blueprint) -> CompressionSettings:
        """The run's settings of compression, overridden by the design's own."""
        return compression_of(self.settings.compression, design)

    def data(self, resolution_px: int | None = None, percent: int = 100) -> Dataset:
        """The data set at a resolution, usually that of the proxy.

        With a share of its training images: the more hold all of the fewer.
        """
        return _data(self.settings.data, resolution_px or self.proxy.resolution_px, percent)

    def proxy_batch(self) -> tuple[torch.Tensor, LossOf]:
        """Training images as a network sees them, and their loss: the same for all designs."""
        return _proxy_batch(self.settings.data, self.proxy.resolution_px)

    def clock(self) -> Clock:
        """The latency clock."""
        return _clock(self.settings.latency, self.reference_ms)

    @contextmanager
    def threads(self) -> Iterator[None]:
        """One thread: fastest for small networks, and the same sums in every worker."""
        threads = torch.get_num_threads()
        strict = torch.are_deterministic_algorithms_enabled()
        torch.set_num_threads(1)
        torch.use_deterministic_algorithms(self.settings.run.deterministic or strict)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(strict)


def recipe_of(settings: TrainingSettings, design: Blueprint) -> TrainingSettings:
    """Training settings with a design's own laid over them.

    Raises:
        SettingsError: The design brings a key that training does not have.
    """
    values = {**settings.model_dump(), **design.training}
    recipe: TrainingSettings = validate(TrainingSettings, values, "training")
    return recipe


def compression_of(settings: CompressionSettings, design: Blueprint) -> CompressionSettings:
    """Settings of compression with a design's own laid over them, key by key of each step.

    Raises:
        SettingsError: The design brings a key that compression does not have.
    """
    if not design.compression:
        return settings
    own = settings.model_dump()
    laid = {name: {**own.get(name, {}), **given} for name, given in design.compression.items()}
    found: CompressionSettings = validate(CompressionSettings, {**own, **laid}, "compression")
    return found


@cache
def _data(settings: DataSettings, resolution_px: int, percent: int) -> Dataset:
    if percent == 100:
        return load_data(settings, resolution_px)
    data = _data(settings, resolution_px, 100)
    part, _ = stratified(data.train, percent / 100, np.random.default_rng(SPLIT_SEED))
    return replace(data, train=part)


@cache
def _proxy_batch(settings: DataSettings, resolution_px: int) -> tuple[torch.Tensor, LossOf]:
    data = _data(settings, resolution_px, 100)
    chosen = np.random.default_rng(PROXY_SEED).permutation(len(data.train))[:PROXY_IMAGES]
    images = torch.from_numpy(data.train.images[chosen])
    targets = torch.from_numpy(data.train.targets[chosen])
    loss_of = partial(task_of(data.problem).loss, targets=targets, recipe=PLAIN)
    return normalised(images, data.problem), loss_of


@cache
def _data_key(settings: DataSettings) -> str:
    return data_key(settings)


@cache
def _clock(settings: LatencySettings, reference_ms: float) -> Clock:
    return Clock(settings, reference_ms)
