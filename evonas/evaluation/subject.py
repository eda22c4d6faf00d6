"""A design on the bench: what objectives ask about it, each worked out once and only if asked."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from torch import nn

from evonas.blueprint import Blueprint
from evonas.errors import TrialFailure
from evonas.hardware.latency import Clock, Latency, kept_latency, latency_scale
from evonas.hardware.memory import peak_memory_bytes
from evonas.models import Count, build, count, plan_network
from evonas.space import Scale, network_key
from evonas.training import Scores


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


class Subject:
    """Knows one design at the scale that is measured, and how to train it.

    Args:
        measured: The scale of counts and latency.
        clock: Gives the latency clock; asked for only if latency is.
        train: Trains the design; called at most once.
        score: Gives a zero-cost proxy, by its name, of the design at proxy scale (see `proxies`).
    """

    def __init__(
        self,
        blueprint: Blueprint,
        measured: Scale,
        clock: Callable[[], Clock],
        train: Callable[[Blueprint], Trained],
        score: Callable[[str, Blueprint], float],
    ) -> None:
        self.blueprint = blueprint
        self.measured = measured
        self._clock = clock
        self._train = train
        self._score = score

    @cached_property
    def count(self) -> Count:
        """Parameters and multiply-adds."""
        return count(plan_network(self.blueprint, self.measured))

    @cached_property
    def latency(self) -> Latency:
        """Of freshly initialised weights: their values do not change the work."""
        clock = self._clock()
        scale = latency_scale(self.measured, clock.settings)

        def measure() -> Latency:
            network = build(self.blueprint, scale, seed=0)
            return clock.measure_network(network, scale.input_shape)

        key = network_key(self.blueprint, scale)
        return kept_latency(key, clock.settings, clock.reference_ms, measure)

    @cached_property
    def peak_memory(self) -> int:
        """Bytes that one inference needs (see `hardware.memory`)."""
        return peak_memory_bytes(plan_network(self.blueprint, self.measured))

    def score(self, proxy: str) -> float:
        """A zero-cost proxy of the untrained network."""
        return self._score(proxy, self.blueprint)

    @cached_property
    def trained(self) -> Trained:
        """The training, with its wall-clock seconds."""
        start = time.perf_counter()
        trained = self._train(self.blueprint)
        if not math.isfinite(trained.scores.loss):
            raise TrialFailure("diverged", f"the validation loss is {trained.scores.loss}")
        return replace(trained, seconds=time.perf_counter() - start)

    @property
    def waited_s(self) -> float:
        """Seconds spent waiting for the device's slot."""
        return self.latency.waited_s if "latency" in self.__dict__ else 0.0
