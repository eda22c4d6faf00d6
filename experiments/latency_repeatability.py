"""How well two fresh processes agree on the latency of twelve networks, beside a busy core.

Random designs are built and measured under the search's protocol by one process, and after a
pause by another, while a third works without end on the other core. Beside it a naive figure of
the same networks: the mean of ten runs in a row, from the first on. A network's seconds are those
of building, export and measurement together.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace

import numpy as np
import torch
from record import parser, report
from scipy.stats import spearmanr

from evonas.hardware.latency import Clock, reference_ms
from evonas.hardware.runtimes import OnnxRuntime, check_runtime
from evonas.models import build
from evonas.settings import LatencySettings
from evonas.space import Scale, load_space

NAIVE_RUNS = 10
TIMED_DESIGNS = 4  # at each of the scales of the space, for the seconds alone
OTHER_WORK = "while True: pass"
Found = list[dict[str, float]]


def scale_of(name: str, resolution_px: int | None, space: str) -> Scale:
    """The scale that is asked for, at its own resolution if none is."""
    scale = load_space(space).scales[name]
    return scale if resolution_px is None else replace(scale, resolution_px=resolution_px)


def measure(space_name: str, scale: Scale, designs: int, seed: int) -> Found:
    """What one process says of each network."""
    torch.set_num_threads(1)
    settings = LatencySettings()
    clock = Clock(settings, reference_ms(settings))
    space, rng = load_space(space_name), np.random.default_rng(seed)
    drawn = [space.decode(space.sample(rng)) for _ in range(designs)]
    found: Found = []
    for design in drawn:
        start = time.perf_counter()
        network = build(design, scale, seed=0)
        latency = clock.measure_network(network, scale.input_shape)
        seconds = time.perf_counter() - start
        found.append({"ms": latency.ms, "spread": latency.spread, "seconds": seconds})
        found[-1]["naive_ms"] = naive_ms(network, scale, settings)
    return found


def naive_ms(network: torch.nn.Module, scale: Scale, settings: LatencySettings) -> float:
    """The wall's time of ten runs in a row, without warming up or a reference."""
    runtime = check_runtime(settings)
    assert isinstance(runtime, OnnxRuntime), "the default runtime reads ONNX"
    timed = runtime.load(network, scale.input_shape, settings)
    start = time.perf_counter()
    timed.run(NAIVE_RUNS)
    return (time.perf_counter() - start) / NAIVE_RUNS * 1000


@contextmanager
def busy_core(cores: Sequence[int]) -> Iterator[None]:
    """The last of the cores fully loaded."""
    with subprocess.Popen([sys.executable, "-c", OTHER_WORK]) as other:
        try:
            os.sched_setaffinity(other.pid, {cores[-1]})
            yield
        finally:
            other.kill()


def in_a_fresh_process(arguments: Sequence[str], is_idle: bool) -> Found:
    """What this script says when it is asked for one process's part."""
    command = [sys.executable, __file__, *arguments, "--one-process"]
    cores = sorted(os.sched_getaffinity(0))
    with nullcontext() if is_idle or len(cores) == 1 else busy_core(cores):
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found: Found = json.loads(printed)
    return found


def agreement(first: np.ndarray, second: np.ndarray) -> tuple[float, np.ndarray]:
    """Spearman's correlation, and the relative difference of each network."""
    return float(spearmanr(first, second).statistic), np.abs(second - first) / first


def main() -> None:
    words = parser(__doc__)
    words.add_argument("--designs", type=int, default=12)
    words.add_argument("--space", default="mobile_cells")
    words.add_argument("--scale", choices=("proxy", "full"), default="full")
    words.add_argument("--resolution", type=int, help="pixels; 96 at full scale if not given")
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--pause", type=float, default=3600, help="seconds between the processes")
    words.add_argument("--idle", action="store_true", help="leave the other core alone")
    words.add_argument("--one-process", action="store_true", help="only measure (for itself)")
    given = words.parse_args()
    resolution = given.resolution or (96 if given.scale == "full" else None)
    scale = scale_of(given.scale, resolution, given.space)
    if given.one_process:
        print(json.dumps(measure(given.space, scale, given.designs, given.seed)))
        return
    own = ["--designs", str(given.designs), "--space", given.space, "--seed", str(given.seed)]
    measured = [*own, "--scale", given.scale, "--resolution", str(scale.resolution_px)]
    processes = [in_a_fresh_process(measured, given.idle)]
    time.sleep(given.pause)
    processes.append(in_a_fresh_process(measured, given.idle))
    seconds = {}
    for name in ("proxy", "full"):
        side = str(scale_of(name, None, given.space).resolution_px)
        few = [*own, "--scale", name, "--resolution", side, "--designs", str(TIMED_DESIGNS)]
        found = in_a_fresh_process(few, given.idle)
        seconds[f"seconds_{name}_scale"] = float(np.mean([one["seconds"] for one in found]))
    report(given, {**compared(processes, scale), **seconds})


def compared(processes: Sequence[Found], scale: Scale) -> dict[str, object]:
    """The two processes side by side."""
    ms, naive, spread, seconds = (
        np.array([[one[key] for one in process] for process in processes])
        for key in ("ms", "naive_ms", "spread", "seconds")
    )
    spearman, differences = agreement(*ms)
    naive_spearman, naive_differences = agreement(*naive)
    return {
        "spearman": spearman,
        "median_relative_difference": float(np.median(differences)),
        "largest_relative_difference": float(differences.max()),
        "median_spread": float(np.median(spread)),
        "naive_spearman": naive_spearman,
        "naive_median_relative_difference": float(np.median(naive_differences)),
        "seconds_per_network": float(seconds.mean()),
        "largest_seconds": float(seconds.max()),
        "resolution_px": scale.resolution_px,
        "ms": ms.round(4).tolist(),
        "naive_ms": naive.round(4).tolist(),
    }


if __name__ == "__main__":
    main()
