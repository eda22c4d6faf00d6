"""Latency foretold from measurements of the same run, to screen designs; never a measurement.

Latency on one thread is nearly the sum of what the operations take. So a linear model of work
(multiply-adds, maps written, weights read, operations) foretells designs of any make, and a
look-up, one entry for each operation at its shape, corrects it as far as designs share operations
with those that were measured. Both are one Bayesian regression (Rasmussen and Williams 2006,
section 2.1), whose weights of trust are those that make the measurements likeliest (section 5.4).
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from evonas.models.network import build_layer
from evonas.models.trace import Step, trace
from evonas.networks.plan import IMAGES, Layer, Plan

FEWEST = 4  # measurements
LOOK_UPS = (1e-4, 1e-3, 1e-2, 1e-1)  # variance of an entry, relative to that of the linear model
NOISES = (1e-5, 1e-4, 1e-3, 1e-2)  # variance of a measurement of average length, relatively too
Array = NDArray[np.float64]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Work:
    """What a network does: amounts for the linear model, operations at their shapes."""

    amounts: tuple[float, ...]
    operations: Mapping[str, int]


class LatencyPredictor:
    """Knows what `learn` was told; made by that."""

    def __init__(self, works: Sequence[Work], ms: Sequence[float]) -> None:
        self._works = works
        self._ms = np.array(ms, float)
        amounts: Array = np.array([work.amounts for work in works], np.float64)
        self._scale = amounts.mean(axis=0) + 1e-12
        self._size = float(np.mean([_shared(work, work) for work in works])) + 1e-12
        choices = list(product(LOOK_UPS, NOISES))
        alike = self._alike(works, works)
        fits = [self._fit(alike, *choice) for choice in choices]
        best = int(np.argmax([fit[0] for fit in fits]))
        self._look_up, self._noise = choices[best]
        _, self._weights, self._inverse, self._variance = fits[best]

    @classmethod
    def learn(cls, plans: Sequence[Plan], ms: Sequence[float]) -> "LatencyPredictor":
        """A predictor from plans and their measured milliseconds.

        Raises:
            ValueError: Fewer than 4 of them, or a latency that is not above 0.
        """
        if len(plans) != len(ms) or len(plans) < FEWEST:
            raise ValueError(f"{len(plans)} plans and {len(ms)} latencies: give {FEWEST} or more")
        if not all(0 < each < math.inf for each in ms):
            raise ValueError("a latency is above 0 and finite")
        return cls([work_of(plan) for plan in plans], ms)

    def predict(self, plan: Plan) -> tuple[float, float]:
        """Milliseconds, and the standard error of the prediction relative to them.

        The error grows with what a design does that no measured one did. At least 0 ms.
        """
        work = work_of(plan)
        with_known = _mixed(self._alike([work], self._works), self._look_up)[0]
        ms = float(with_known @ self._weights)
        own = float(_mixed(self._alike([work], [work]), self._look_up)[0, 0])
        noise = self._noise * (ms / float(self._ms.mean())) ** 2
        variance = max(own - float(with_known @ self._inverse @ with_known), 0.0) + noise
        error = math.sqrt(self._variance * variance)
        return max(ms, 0.0), error / ms if ms > 0 else math.inf

    def _fit(
        self, alike: tuple[Array, Array], look_up: float, noise: float
    ) -> tuple[float, Array, Array, float]:
        """(log likelihood, weights, inverse, scale of all variances) of one choice of trust."""
        noises = noise * (self._ms / self._ms.mean()) ** 2
        covariance = _mixed(alike, look_up) + np.diag(noises)
        inverse = np.linalg.inv(covariance).astype(np.float64)
        weights: Array = inverse @ self._ms
        count = len(self._ms)
        variance = float(self._ms @ weights) / count
        _, log_determinant = np.linalg.slogdet(covariance)
        likelihood = -(count * math.log(max(variance, 1e-300)) + float(log_determinant)) / 2
        return likelihood, weights, inverse, variance

    def _alike(self, rows: Sequence[Work], columns: Sequence[Work]) -> tuple[Array, Array]:
        """How far latencies vary together: by amounts, and by operations that both have."""
        left, right = (
            np.array([work.amounts for work in works]) / self._scale for works in (rows, columns)
        )
        shared = [[_shared(row, column) for column in columns] for row in rows]
        return left @ right.T, np.array(shared, float) / self._size


def _mixed(alike: tuple[Array, Array], look_up: float) -> Array:
    by_amounts, by_operations = alike
    return by_amounts + look_up * by_operations


def _shared(one: Work, other: Work) -> int:
    return sum(count * other.operations.get(name, 0) for name, count in one.operations.items())


def work_of(plan: Plan) -> Work:
    """The work of one image through a plan; a layer met before costs nothing."""
    amounts, operations = np.zeros(len(AMOUNTS)), Counter[str]()
    shapes: dict[str, Shape] = {IMAGES: tuple(plan.input_shape)}
    for part in plan.parts:
        given = tuple(shapes[name] for name in part.reads)
        for layer in part.layers:
            of_layer, counted, shapes[part.name] = _layer_work(layer, given)
            amounts += of_layer
            operations.update(counted)
            given = (shapes[part.name],)
    return Work((1.0, *amounts.tolist()), operations)


@lru_cache(maxsize=1 << 14)
def _layer_work(
    layer: Layer, given: tuple[Shape, ...]
) -> tuple[tuple[float, ...], Counter[str], Shape]:
    with torch.device("meta"):
        module = build_layer(layer)
    traced = trace(module, *((1, *shape) for shape in given), device="meta")
    amounts, operations = np.zeros(len(AMOUNTS)), Counter[str]()
    for step in traced.steps:
        amounts += [amount(step) for amount in AMOUNTS.values()]
        # An operation with all that its time depends on.
        operations[f"{step.operation} {list(_plain(step.arguments.values()))}"] += 1
    return tuple(amounts.tolist()), operations, tuple(traced.outputs[0].shape[1:])


def _plain(values: Any) -> Iterator[Any]:
    for value in values:
        if isinstance(value, torch.Tensor):
            yield tuple(value.shape)
        elif isinstance(value, list | tuple):
            yield list(_plain(value))
        else:
            yield value


def _macs(step: Step, is_depthwise: bool) -> float:
    """Of a convolution; linear layers at the end of a network take next to no time."""
    is_convolution = step.operation == "convolution"
    is_wanted = is_convolution and (step.arguments["groups"] > 1) == is_depthwise
    return float(step.macs) if is_wanted else 0.0


def _weights(step: Step) -> float:
    keys = {"convolution": "weight", "addmm": "mat2"}
    return float(step.arguments[keys[step.operation]].numel()) if step.operation in keys else 0.0


AMOUNTS: Mapping[str, Callable[[Step], float]] = {
    "dense_macs": lambda step: _macs(step, is_depthwise=False),
    "depthwise_macs": lambda step: _macs(step, is_depthwise=True),
    "written": lambda step: 0.0 if step.is_view else float(step.result.numel()),
    "weights": _weights,
    "operations": lambda step: 1.0,
}
