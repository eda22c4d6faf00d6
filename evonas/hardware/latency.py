"""Latency that means the same on a busy machine: in turns with a fixed reference network.

A busy neighbour slows both networks of a pair, so the ratio of their times stays (paired or
duet measurement, arXiv 2001.05811). latency_ms = ratio x the reference's own time, which is
calibrated once per device, runtime, precision and threads, and kept. The ratio is the median of
all pairs; on one thread a run takes the time for which the thread ran, not that of the wall
(`runtimes.clock_of`).

Between processes beside a busy core, networks of 96 px differed by 2.6 % in the ratio of the 10 %
quantiles over two loads of each, and by 2.0 % in the median of pairs over three: where memory lies
matters more than how often it is looked at. Of the wall's time it was 48 %.
"""

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from evonas.blueprint import Blueprint
from evonas.cache_folder import cache_folder
from evonas.exporters.forms import Form
from evonas.files import lock, write_atomically
from evonas.hardware.device import device_fingerprint, is_on_gpu
from evonas.hardware.runtimes import Shape, Timed, check_runtime, clock_of
from evonas.key import key_of
from evonas.models import build
from evonas.settings import LatencySettings
from evonas.space import Scale

Times = NDArray[np.float64]

LOADS = 3  # of each network: where its memory happens to lie changes its speed by some percent
WARM_UP_RUNS = 3
FEWEST_PAIRS = 30
MOST_PAIRS = 105
MOST_RUNS_A_TURN = 50
CALIBRATION_RUNS = 200
UNDISTURBED = 10  # percent: of so many runs of a calibration even a busy machine leaves alone
RESAMPLES = 64
TURNS_A_CHECK = 3  # of the spread, which takes half a millisecond


@dataclass(frozen=True)
class Latency:
    """One measurement.

    `ms`: milliseconds for one batch. `spread`: half the 95 % interval of the ratio, relative to
    it, by resampling the turns. `waited_s`: seconds until the device was free. `is_kept`: taken
    from the user's cache, where an earlier run left it.
    """

    ms: float
    ratio: float
    spread: float
    pairs: int
    waited_s: float
    is_kept: bool = False

    def to_dict(self) -> dict[str, float]:
        """Plain values for the ledger."""
        kept = {"kept": True} if self.is_kept else {}
        return {"ratio": self.ratio, "spread": self.spread, "pairs": self.pairs, **kept}


class Clock:
    """Measures networks against the reference; loads the reference once.

    Raises:
        SettingsError: The runtime is not there, or does not compute in this precision.
    """

    def __init__(self, settings: LatencySettings, reference_ms: float) -> None:
        self.settings = settings
        self.reference_ms = reference_ms
        self._runtime = check_runtime(settings)
        self._reference = _loaded_reference(settings)

    @property
    def form(self) -> Form | None:
        """The form in which a network is measured; None: the torch network itself."""
        return self._runtime.form

    def measure(self, model: bytes) -> Latency:
        """The latency of a network in the form of the runtime, one at a time per device.

        Raises:
            SettingsError: The runtime takes torch networks only.
        """
        return self._measure(lambda: self._runtime.load_written(model, self.settings))

    def measure_network(self, network: nn.Module, shape: Shape) -> Latency:
        """The same of a torch network for images of this shape, in whatever form is needed."""
        if self.form is not None:
            return self.measure(self.form.write(network, shape, self.settings.batch))
        return self._measure(lambda: self._runtime.load(network, shape, self.settings))

    def _measure(self, load: Callable[[], Timed]) -> Latency:
        clock = clock_of(self.settings.threads)
        start = clock()
        candidates = [load() for _ in range(LOADS)]
        loaded = clock()
        arrived = time.perf_counter()
        with device_slot(self.settings.runtime):
            waited = time.perf_counter() - arrived
            times = self._times(candidates, clock() + self.settings.limit_s - (loaded - start))
        ratio = float(_ratio(times))
        pairs = len(times) * LOADS
        return Latency(ratio * self.reference_ms, ratio, _spread(times), pairs, waited)

    def _times(self, candidates: Sequence[Timed], end: float) -> Times:
        """(turns, 2, loads): seconds of the candidate's and of the reference's loads, in turns.

        A candidate much faster than the reference runs several times a turn; a single run
        would only show what the reference left of it in the processor's caches.
        """
        pairs = list(zip(candidates, self._reference, strict=True))
        for _ in range(WARM_UP_RUNS):
            first = [(own.run(), reference.run()) for own, reference in pairs]
        runs = min(MOST_RUNS_A_TURN, max(1, round(min(r / own for own, r in first))))
        clock = clock_of(self.settings.threads)
        turns: list[list[tuple[float, float]]] = []
        while len(turns) * LOADS < MOST_PAIRS:
            turns.append([(own.run(runs), reference.run()) for own, reference in pairs])
            if len(turns) * LOADS >= FEWEST_PAIRS and self._is_enough(turns, clock() > end):
                break
        return np.array(turns).transpose(0, 2, 1)

    def _is_enough(self, turns: Sequence[Any], is_late: bool) -> bool:
        if is_late or len(turns) % TURNS_A_CHECK:
            return is_late
        return _spread(np.array(turns).transpose(0, 2, 1)) < self.settings.spread


def reference_ms(settings: LatencySettings) -> float:
    """The reference network's own time on this device, from the user's cache or measured now.

    Raises:
        SettingsError: The runtime is not there, or does not compute in this precision.
    """
    check_runtime(settings)
    file = cache_folder("reference") / f"{key_of(_circumstances(settings))}.json"
    with device_slot(settings.runtime):
        if file.exists():
            return float(json.loads(file.read_text())["reference_ms"])
        reference = _loaded_reference(settings)
        times = [reference[run % LOADS].run() for run in range(CALIBRATION_RUNS)]
        undisturbed = np.percentile(times[WARM_UP_RUNS * LOADS :], UNDISTURBED)
        milliseconds = float(undisturbed) * 1000
        write_atomically(file, json.dumps({"reference_ms": milliseconds}).encode())
        return milliseconds


def clock_noise(settings: LatencySettings) -> float:
    """By how much two measurements of the same network differ, relative to the smaller."""
    clock = Clock(settings, reference_ms(settings))
    network, shape = _reference_network(), REFERENCE_SCALE.input_shape
    one, other = (clock.measure_network(network, shape).ratio for _ in range(2))
    return abs(one - other) / min(one, other)


def measured_latency(
    network: nn.Module, files: Mapping[str, bytes], shape: Shape, settings: LatencySettings
) -> dict[str, Any]:
    """Latency on this device as plain values: of the file in the runtime's form, if it has one."""
    clock = Clock(settings, reference_ms(settings))
    if clock.form is not None:
        latency = clock.measure(files[clock.form.file])
    else:
        latency = clock.measure_network(network, shape)
    return {"ms": latency.ms, **latency.to_dict()}


def latency_scale(measured: Scale, settings: LatencySettings) -> Scale:
    """The scale of a measurement: that of the other measures, or at a resolution of its own."""
    if settings.resolution_px is None:
        return measured
    return replace(measured, resolution_px=settings.resolution_px)


def _circumstances(settings: LatencySettings) -> list[Any]:
    """All that a time depends on beside the network and its batch."""
    device = device_fingerprint(settings.runtime, settings.precision)
    own = [settings.runtime, settings.precision, settings.threads]
    return [device, REFERENCE.fingerprint, *own]


def kept_latency(
    network_key: str, settings: LatencySettings, reference_ms: float, measure: Callable[[], Latency]
) -> Latency:
    """The latency of a network from the user's cache, or measured now and kept.

    Honest across runs because the key has all that the figure depends on: network, batch,
    device, runtime and the reference's calibration. A figure whose spread is above what the
    settings ask is neither kept nor taken.

    Args:
        network_key: Of the network at the scale that is measured.
    """
    key = key_of([*_circumstances(settings), network_key, settings.batch, reference_ms])
    file = cache_folder("latency", key[:2]) / f"{key}.json"
    kept = _read_latency(file, reference_ms)
    if kept is not None and kept.spread < settings.spread:
        return kept
    latency = measure()
    if latency.spread < settings.spread:
        values = {"network": network_key, **latency.to_dict()}
        write_atomically(file, json.dumps(values).encode())
    return latency


def _read_latency(file: Any, reference_ms: float) -> Latency | None:
    """A file that somebody damaged counts as none."""
    try:
        values = json.loads(file.read_text())
        ratio, spread, pairs = (float(values[key]) for key in ("ratio", "spread", "pairs"))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not (0 < ratio < math.inf and 0 <= spread < math.inf):
        return None
    return Latency(ratio * reference_ms, ratio, spread, int(pairs), 0.0, is_kept=True)


@contextmanager
def device_slot(runtime: str = "onnxruntime") -> Iterator[None]:
    """Held while something is timed: one process at a time on the CPU, and one on the GPU."""
    device = device_fingerprint() + ("-gpu" if is_on_gpu(runtime) else "")
    with lock(cache_folder("locks") / f"{device}.lock"):
        yield


def _ratio(times: Times) -> Times:
    """Of (..., turns, 2, loads): the median of the candidate's times over the reference's."""
    pairs = times[..., 0, :] / times[..., 1, :]
    return np.asarray(np.median(pairs, axis=(-2, -1)))


def _spread(times: Times) -> float:
    """Half the 95 % interval of the ratio, relative to it: the bootstrap (Efron 1979) of turns."""
    rng = np.random.default_rng(len(times))
    drawn = rng.integers(len(times), size=(RESAMPLES, len(times)))
    ratios = _ratio(times[drawn])
    return float(1.96 * ratios.std() / ratios.mean())


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
def _reference_network() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        return build(REFERENCE, REFERENCE_SCALE, seed=0)


def _loaded_reference(settings: LatencySettings) -> list[Timed]:
    """The reference as often as candidates are loaded, for one image whatever their batch."""
    alone = settings.model_copy(update={"batch": 1})
    runtime, shape = check_runtime(settings), REFERENCE_SCALE.input_shape
    return [runtime.load(_reference_network(), shape, alone) for _ in range(LOADS)]
