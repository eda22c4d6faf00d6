"""A design on the bench: what objectives ask about it, each worked out once and only if asked."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from torch import nn

from evonas.blueprint import Blueprint
from evonas.errors import TrialFailure
from evonas.exporters.onnx import quick_onnx
from evonas.hardware import Clock, Latency
from evonas.models import Count, build, count, plan_network
from evonas.space import Scale
from evonas.training import Scores


@dataclass(frozen=True)
class Trained:
    """A finished training: the network, its loss per epoch, its scores and its seconds."""

    network: nn.Module
    curve: tuple[float, ...]
    scores: Scores
    seconds: float


class Subject:
    """Knows one design at the scale that is measured, and how to train it.

    Args:
        measured: The scale of counts and latency.
        clock: Gives the latency clock; asked for only if latency is.
        train: Trains the design; called at most once.
    """

    def __init__(
        self,
        blueprint: Blueprint,
        measured: Scale,
        clock: Callable[[], Clock],
        train: Callable[[Blueprint], Trained],
    ) -> None:
        self.blueprint = blueprint
        self.measured = measured
        self._clock = clock
        self._train = train

    @cached_property
    def count(self) -> Count:
        """Parameters and multiply-adds."""
        return count(plan_network(self.blueprint, self.measured))

    @cached_property
    def latency(self) -> Latency:
        """Of freshly initialised weights: their values do not change the work."""
        clock = self._clock()
        network = build(self.blueprint, self.measured, seed=0)
        model = quick_onnx(network, self.measured.input_shape, clock.settings.batch)
        return clock.measure(model)

    @cached_property
    def trained(self) -> Trained:
        """The training, with its wall-clock seconds."""
        start = time.perf_counter()
        trained = self._train(self.blueprint)
        if not math.isfinite(trained.scores.loss):
            raise TrialFailure("diverged", f"the validation loss is {trained.scores.loss}")
        return Trained(trained.network, trained.curve, trained.scores, time.perf_counter() - start)

    @property
    def waited_s(self) -> float:
        """Seconds spent waiting for the device's slot."""
        return self.latency.waited_s if "latency" in self.__dict__ else 0.0
