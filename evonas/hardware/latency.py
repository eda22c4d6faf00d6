"""Latency that means the same on a busy machine: in turns with a fixed reference network.

A busy neighbour slows both networks of a pair, so the ratio of their times stays (paired or
duet measurement, arXiv 2001.05811). latency_ms = median of the paired ratios x the reference's
own time, which is calibrated once per device and kept.
"""

import fcntl
import json
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import onnxruntime
import torch

from evonas.blueprint import Blueprint
from evonas.cache_folder import cache_folder, write_atomically
from evonas.exporters.onnx import INPUT_NAME, quick_onnx
from evonas.hardware.device import device_fingerprint
from evonas.key import key_of
from evonas.models import build
from evonas.settings import LatencySettings
from evonas.space import Scale

WARM_UP_RUNS = 3
FEWEST_PAIRS = 12
MOST_PAIRS = 200
MOST_RUNS_A_TURN = 50
CALIBRATION_RUNS = 200


@dataclass(frozen=True)
class Latency:
    """One measurement.

    `ms`: milliseconds for one batch. `spread`: half the 95 % interval of the median ratio,
    relative to it. `waited_s`: seconds until the device was free.
    """

    ms: float
    ratio: float
    spread: float
    pairs: int
    waited_s: float

    def to_dict(self) -> dict[str, float]:
        """Plain values for the ledger."""
        return {"ratio": self.ratio, "spread": self.spread, "pairs": self.pairs}


class Clock:
    """Measures networks against the reference; makes the reference's session once."""

    def __init__(self, settings: LatencySettings, reference_ms: float) -> None:
        self.settings = settings
        self.reference_ms = reference_ms
        self._reference = _Timed(_reference_model(), settings.threads)

    def measure(self, model: bytes) -> Latency:
        """The latency of a serialised ONNX model, one measurement at a time per device."""
        candidate = _Timed(model, self.settings.threads)
        arrived = time.perf_counter()
        with device_slot():
            waited = time.perf_counter() - arrived
            ratios = self._ratios(candidate)
        ratio = float(np.median(ratios))
        return Latency(ratio * self.reference_ms, ratio, _spread(ratios), len(ratios), waited)

    def _ratios(self, candidate: "_Timed") -> list[float]:
        """One ratio a turn: the candidate between two runs of the reference.

        A candidate much faster than the reference runs several times a turn; a single run
        would only show what the reference left of it in the processor's caches.
        """
        for _ in range(WARM_UP_RUNS):
            own, reference = candidate.run(), self._reference.run()
        runs = min(MOST_RUNS_A_TURN, max(1, round(reference / own)))
        ratios: list[float] = []
        end = time.perf_counter() + self.settings.limit_s
        before = self._reference.run()
        while len(ratios) < MOST_PAIRS:
            own = candidate.run(runs)
            after = self._reference.run()
            ratios.append(2 * own / (before + after))
            before = after
            if len(ratios) >= FEWEST_PAIRS and (
                time.perf_counter() > end or _spread(ratios) < self.settings.spread / 2
            ):
                break
        return ratios


def reference_ms(settings: LatencySettings) -> float:
    """The reference network's own time on this device, from the user's cache or measured now."""
    folder = cache_folder("reference")
    key = key_of([device_fingerprint(), REFERENCE.fingerprint, settings.threads, settings.runtime])
    file = folder / f"{key}.json"
    with device_slot():
        if file.exists():
            return float(json.loads(file.read_text())["reference_ms"])
        reference = _Timed(_reference_model(), settings.threads)
        times = [reference.run() for _ in range(CALIBRATION_RUNS)]
        milliseconds = float(np.median(times[WARM_UP_RUNS:])) * 1000
        write_atomically(file, json.dumps({"reference_ms": milliseconds}).encode())
        return milliseconds


@contextmanager
def device_slot() -> Iterator[None]:
    """Held while something is timed: one process at a time per device."""
    with open(cache_folder("locks") / f"{device_fingerprint()}.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)


class _Timed:
    """An ONNX Runtime session on the CPU that tells how long a run takes."""

    def __init__(self, model: bytes, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])
        # A model that takes any number of images has a name in place of its first length.
        shape = [n if isinstance(n, int) else 1 for n in self.session.get_inputs()[0].shape]
        self.feed = {INPUT_NAME: np.random.default_rng(0).normal(size=shape).astype(np.float32)}

    def run(self, times: int = 1) -> float:
        """Seconds of one inference, as the mean of several in a row."""
        start = time.perf_counter()
        for _ in range(times):
            self.session.run(None, self.feed)
        return (time.perf_counter() - start) / times


def _spread(ratios: Sequence[float]) -> float:
    """1.57 IQR / sqrt(n): the notch of McGill et al. (1978), relative to the median."""
    low, median, high = np.percentile(ratios, [25, 50, 75])
    return float(1.57 * (high - low) / math.sqrt(len(ratios)) / median)


def _block(operation: str, channels: int, layers: int, stride: int) -> dict[str, Any]:
    expansion = {"expansion": 6} if operation == "inverted_residual" else {}
    return {
        "operation": operation,
        **expansion,
        "kernel": 3,
        "se_ratio": 0,
        "skip": "identity" if layers > 1 else "none",
        "channels": channels,
        "layers": layers,
        "stride": stride,
    }


# MobileNetV2 at 96 px: long enough to time, short enough to run hundreds of times, and of the
# same make as what is searched. Part of what latency_ms means: never changes.
REFERENCE = Blueprint(
    {
        "builder": "stages",
        "activation": "relu6",
        "stem": {"channels": 32, "kernel": 3, "stride": 2},
        "stages": [
            _block("depthwise_separable", 16, 1, 1),
            _block("inverted_residual", 24, 2, 2),
            _block("inverted_residual", 32, 3, 2),
            _block("inverted_residual", 64, 4, 2),
            _block("inverted_residual", 96, 3, 1),
            _block("inverted_residual", 160, 3, 2),
            _block("inverted_residual", 320, 1, 1),
        ],
        "head": {"channels": 1280},
    }
)
REFERENCE_SCALE = Scale("reference", resolution_px=96, input_channels=3, classes=1000)


@cache
def _reference_model() -> bytes:
    with torch.random.fork_rng(devices=[]):
        network = build(REFERENCE, REFERENCE_SCALE, seed=0)
    return quick_onnx(network, REFERENCE_SCALE.input_shape)
