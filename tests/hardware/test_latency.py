import fcntl
import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from evonas.blueprint import plan_network
from evonas.errors import SettingsError
from evonas.exporters.onnx import onnx_model
from evonas.hardware.device import device_fingerprint
from evonas.hardware.latency import (
    FEWEST_PAIRS,
    LOADS,
    MOST_PAIRS,
    REFERENCE,
    REFERENCE_SCALE,
    Clock,
    Latency,
    _ratio,
    _spread,
    kept_latency,
    latency_scale,
    reference_ms,
)
from evonas.models import build, count
from evonas.settings import LatencySettings
from evonas.space import load_space

SETTINGS = LatencySettings(limit_s=0.3)
TORCH = LatencySettings(runtime="torch", limit_s=0.3)


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, without any calibration."""
    monkeypatch.setenv("EVONAS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def reference_model() -> bytes:
    return onnx_model(build(REFERENCE, REFERENCE_SCALE, seed=1), REFERENCE_SCALE.input_shape)


@pytest.fixture(scope="module")
def small_model() -> bytes:
    space = load_space("nano")
    scale = space.scales["proxy"]
    return onnx_model(build(space.decode([0.0] * len(space.genes)), scale, 0), scale.input_shape)


@pytest.fixture
def slot_file(empty_cache: Path) -> Path:
    folder = empty_cache / "locks"
    folder.mkdir(parents=True)
    return folder / f"{device_fingerprint()}.lock"


def test_the_reference_never_changes() -> None:
    counted = count(plan_network(REFERENCE, REFERENCE_SCALE))
    assert (counted.parameters, counted.macs) == (3_504_872, 56_289_152)
    assert REFERENCE.fingerprint == "8e7b920a11fb8ecc"


def test_the_reference_is_calibrated_once_and_kept(empty_cache: Path) -> None:
    first = reference_ms(SETTINGS)
    assert first > 0
    (file,) = (empty_cache / "reference").iterdir()
    assert json.loads(file.read_text()) == {"reference_ms": first}
    file.write_text(json.dumps({"reference_ms": 12.5}))
    assert reference_ms(SETTINGS) == 12.5


@pytest.mark.parametrize("settings", [LatencySettings(threads=2), TORCH])
def test_other_threads_and_another_runtime_are_another_reference(
    empty_cache: Path, settings: LatencySettings
) -> None:
    reference_ms(SETTINGS)
    reference_ms(settings)
    assert len(list((empty_cache / "reference").iterdir())) == 2


def test_the_reference_against_itself_has_a_ratio_of_1(
    empty_cache: Path, reference_model: bytes
) -> None:
    measured = Clock(LatencySettings(limit_s=1), reference_ms=40.0).measure(reference_model)
    assert measured.ratio == pytest.approx(1, rel=0.15)
    assert measured.ms == pytest.approx(40 * measured.ratio)
    assert FEWEST_PAIRS <= measured.pairs <= MOST_PAIRS


def test_a_network_is_measured_in_the_form_that_the_runtime_takes(empty_cache: Path) -> None:
    space = load_space("nano")
    scale = space.scales["proxy"]
    network = build(space.decode([0.0] * len(space.genes)), scale, seed=0)
    for settings in (SETTINGS, TORCH):
        measured = Clock(settings, reference_ms=40.0).measure_network(network, scale.input_shape)
        assert 0 < measured.ratio < 1
        assert measured.ms == pytest.approx(40 * measured.ratio)


def test_a_runtime_that_is_not_there_has_neither_reference_nor_clock() -> None:
    settings = LatencySettings(precision="fp16")
    for use in (reference_ms, lambda settings: Clock(settings, 40.0)):
        with pytest.raises(SettingsError, match=r"latency\.precision=fp16"):
            use(settings)


def times(candidate: float, reference: float, noise: float, turns: int) -> np.ndarray:
    """(turns, 2, loads) seconds that are only ever longer than they should be."""
    rng = np.random.default_rng(turns)
    slower = 1 + noise * rng.exponential(size=(turns, 2, LOADS))
    return slower * np.array([candidate, reference])[:, None]


def test_disturbances_do_not_move_the_ratio() -> None:
    disturbed = times(3.0, 2.0, noise=0.01, turns=50)
    disturbed[::3] *= 40  # a third of the turns lost the processor
    assert float(_ratio(disturbed)) == pytest.approx(1.5, rel=0.01)


def test_the_spread_falls_with_the_pairs_and_rises_with_the_noise() -> None:
    spreads = [_spread(times(1, 1, noise, turns)) for noise, turns in ((0.1, 20), (0.1, 100))]
    assert spreads[1] < spreads[0] < _spread(times(1, 1, 0.5, 20))
    assert _spread(times(1, 1, 0, 20)) == 0


def test_the_spread_covers_the_ratio_of_most_series() -> None:
    rng = np.random.default_rng(0)
    series = 1 + 0.05 * rng.exponential(size=(200, 60, 2, LOADS))
    covered = [abs(float(_ratio(each)) - 1) < _spread(each) for each in series]
    assert 0.85 < np.mean(covered) <= 1


class Counted:
    """Measures by counting up, with the spread that is asked for."""

    def __init__(self, spread: float) -> None:
        self.spread, self.count = spread, 0

    def __call__(self) -> Latency:
        self.count += 1
        return Latency(2.0 * self.count, 0.5 * self.count, self.spread, 40, waited_s=1.0)


def test_a_network_is_measured_once_per_device_and_settings(empty_cache: Path) -> None:
    measure = Counted(spread=0.01)
    first = kept_latency("key", SETTINGS, 4.0, measure)
    again = kept_latency("key", SETTINGS, 4.0, measure)
    assert (first.ms, again.ms, measure.count) == (2.0, 2.0, 1)
    assert (again.is_kept, again.waited_s, again.pairs) == (True, 0.0, 40)
    assert again.to_dict()["kept"] is True
    others = [("other", SETTINGS, 4.0), ("key", LatencySettings(batch=2), 4.0)]
    for circumstances in (*others, ("key", SETTINGS, 5.0), ("key", TORCH, 4.0)):
        assert not kept_latency(*circumstances, measure).is_kept
    assert measure.count == 5


def test_a_figure_that_is_less_sure_than_asked_is_neither_kept_nor_taken(empty_cache: Path) -> None:
    unsure = Counted(spread=0.05)
    for _ in range(2):
        kept_latency("key", LatencySettings(spread=0.02), 4.0, unsure)
    assert unsure.count == 2
    kept_latency("key", LatencySettings(spread=0.1), 4.0, unsure)
    assert not kept_latency("key", LatencySettings(spread=0.02), 4.0, unsure).is_kept


@pytest.mark.parametrize("content", ["", "{", "[]", '{"ratio": -1, "spread": 0, "pairs": 9}'])
def test_a_damaged_file_is_measured_anew(content: str, empty_cache: Path) -> None:
    measure = Counted(spread=0.01)
    kept_latency("key", SETTINGS, 4.0, measure)
    (file,) = (empty_cache / "latency").rglob("*.json")
    file.write_text(content)
    assert not kept_latency("key", SETTINGS, 4.0, measure).is_kept
    assert kept_latency("key", SETTINGS, 4.0, measure).is_kept


def test_a_resolution_for_latency_alone_changes_nothing_else() -> None:
    assert latency_scale(REFERENCE_SCALE, SETTINGS) == REFERENCE_SCALE
    changed = latency_scale(REFERENCE_SCALE, LatencySettings(resolution_px=48))
    assert changed.input_shape == (3, 48, 48)
    assert changed.classes == REFERENCE_SCALE.classes


def test_a_much_smaller_network_is_much_faster(empty_cache: Path, small_model: bytes) -> None:
    measured = Clock(SETTINGS, reference_ms=40.0).measure(small_model)
    assert 0 < measured.ratio < 0.5
    assert measured.to_dict() == {
        "ratio": measured.ratio,
        "spread": measured.spread,
        "pairs": measured.pairs,
    }


def test_a_model_of_any_number_of_images_is_measured_with_one(
    empty_cache: Path, small_model: bytes
) -> None:
    space = load_space("nano")
    scale = space.scales["proxy"]
    network = build(space.decode([0.0] * len(space.genes)), scale, seed=0)
    clock = Clock(SETTINGS, reference_ms=40.0)
    any_number, one = (
        clock.measure(model).ratio
        for model in (onnx_model(network, scale.input_shape, batch=None), small_model)
    )
    assert 0 < any_number < 4 * one


def test_nobody_else_gets_the_device_while_a_model_is_measured(
    slot_file: Path, small_model: bytes
) -> None:
    clock = Clock(LatencySettings(limit_s=1, spread=1e-9), reference_ms=40.0)
    with ThreadPoolExecutor() as threads:
        measured = threads.submit(clock.measure, small_model)
        was_busy = False
        while not (was_busy or measured.done()):
            was_busy = is_busy(slot_file)
        assert measured.result().waited_s >= 0
    assert was_busy
    assert not is_busy(slot_file)


def is_busy(slot_file: Path) -> bool:
    with open(slot_file, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


HOLD = """
import fcntl, sys
with open(sys.argv[1], "w") as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def holder(slot_file: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the device until it reads a line."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(slot_file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.communicate()


def is_waited_for(slot_file: Path) -> bool:
    """True if somebody is blocked on the lock, as the kernel tells it."""
    inode = f":{slot_file.stat().st_ino} "
    lines = Path("/proc/locks").read_text().splitlines()
    return any("-> FLOCK" in line and inode in line for line in lines)


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="the kernel does not list its locks")
@pytest.mark.parametrize("task", ["measure", "calibrate"])
def test_the_device_is_waited_for_while_another_process_holds_it(
    task: str, slot_file: Path, holder: subprocess.Popen[str], small_model: bytes
) -> None:
    clock = Clock(SETTINGS, reference_ms=40.0)
    with ThreadPoolExecutor() as threads:
        if task == "measure":
            result = threads.submit(lambda: clock.measure(small_model).waited_s)
        else:
            result = threads.submit(reference_ms, SETTINGS)
        waits = False
        while not (waits or result.done()):
            waits = is_waited_for(slot_file)
        assert waits
        assert not result.done()
        holder.communicate("let go\n")
        assert result.result() > 0
