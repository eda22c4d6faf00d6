import fcntl
import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from evonas.exporters.onnx import dynamo_onnx, quick_onnx
from evonas.hardware import Clock, reference_ms
from evonas.hardware.device import device_fingerprint
from evonas.hardware.latency import FEWEST_PAIRS, MOST_PAIRS, REFERENCE, REFERENCE_SCALE
from evonas.models import build, count, plan_network
from evonas.settings import LatencySettings
from evonas.space import load_space

SETTINGS = LatencySettings(limit_s=0.3)


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, without any calibration."""
    monkeypatch.setenv("EVONAS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def reference_model() -> bytes:
    return quick_onnx(build(REFERENCE, REFERENCE_SCALE, seed=1), REFERENCE_SCALE.input_shape)


@pytest.fixture(scope="module")
def small_model() -> bytes:
    space = load_space("nano")
    scale = space.scales["proxy"]
    return quick_onnx(build(space.decode([0.0] * len(space.genes)), scale, 0), scale.input_shape)


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


def test_another_number_of_threads_is_another_reference(empty_cache: Path) -> None:
    reference_ms(SETTINGS)
    reference_ms(LatencySettings(threads=2))
    assert len(list((empty_cache / "reference").iterdir())) == 2


def test_the_reference_against_itself_has_a_ratio_of_1(
    empty_cache: Path, reference_model: bytes
) -> None:
    measured = Clock(LatencySettings(limit_s=1), reference_ms=40.0).measure(reference_model)
    assert measured.ratio == pytest.approx(1, rel=0.15)
    assert measured.ms == pytest.approx(40 * measured.ratio)
    assert FEWEST_PAIRS <= measured.pairs <= MOST_PAIRS


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
        for model in (dynamo_onnx(network, scale.input_shape), small_model)
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
