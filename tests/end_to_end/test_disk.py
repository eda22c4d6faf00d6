"""Searches where disks get full, homes are missing, clocks jump and readers read on."""

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import EVONAS, typed

import evonas
from evonas.delivery.export import export
from evonas.driver import resume
from evonas.errors import FileError

COUNTED = ["space=nano", "objectives=macs", "data.subset=100", "training.epochs=1"]
QUIET = ["executor=inline", "display=none"]
READER = """
import sys
from pathlib import Path
from evonas import load_run
while True:
    print(len(load_run(Path(sys.argv[1])).trials()), flush=True)
"""


def mount(*words: str) -> None:
    if subprocess.run(["mount", *words], capture_output=True).returncode != 0:
        pytest.skip("only root may mount a disk")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 160 KiB, of which a run's database with its log soon needs more."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount("-t", "tmpfs", "-o", "size=160k", "none", str(folder))
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.slow  # a search that ends early, and one to its end
def test_a_search_whose_disk_gets_full_stops_and_goes_on_once_there_is_room(disk: Path) -> None:
    words = [*COUNTED, "executor=inline", "display=plain", "budget.evaluations=60"]
    done = typed("search", *words, f"run.folder={disk}", "run.name=full")
    assert done.returncode == 1
    *_, reason, further = done.stderr.splitlines()
    assert f"{disk}/full/run.db cannot be written: " in reason
    assert further == f"Nothing that finished is lost. Go on by: evonas resume {disk}/full"
    assert "Traceback" not in done.stderr
    before = {t.number: o for t, o in evonas.load_run(disk / "full").trials() if o is not None}
    mount("-o", "remount,size=4m", str(disk))
    run = resume(disk / "full")
    assert run.records.evaluations == 60
    assert [trial.number for trial, _ in run.trials()] == list(range(len(run.trials())))
    for number, outcome in before.items():
        assert run.records.outcomes[number] == outcome


@pytest.mark.slow  # an export
def test_an_export_into_a_full_disk_leaves_nothing(run_copy: Path, disk: Path) -> None:
    mount("-o", "remount,size=24k", str(disk))
    with pytest.raises(FileError, match=r"disk.* cannot be written: no space left.*Make room"):
        export(evonas.load_run(run_copy), disk / "model", scale="proxy")
    assert list(disk.iterdir()) == []


@pytest.mark.parametrize(("home", "place"), [(None, None), ("none/at/all", "none/at/all")])
def test_a_home_that_is_missing_is_found_or_made(
    tmp_path: Path, home: str | None, place: str | None
) -> None:
    kept = {k: v for k, v in os.environ.items() if k not in ("HOME", "EVONAS_CACHE")}
    environment = {**kept, **({"HOME": str(tmp_path / home)} if home else {})}
    environment.pop("XDG_CACHE_HOME", None)
    script = (
        "from evonas.cache_folder import _base, cache_folder as c; print(c() if {} else _base())"
    )
    call = [sys.executable, "-c", script.format(place is not None)]
    done = subprocess.run(call, env=environment, capture_output=True, text=True, check=True)
    folder = Path(done.stdout.strip())
    assert folder.parts[-2:] == (".cache", "evonas")
    assert folder.is_dir() or home is None


@pytest.mark.slow  # three starts of evonas
@pytest.mark.parametrize("name", ["HOME", "XDG_CACHE_HOME", "EVONAS_CACHE"])
def test_a_cache_that_nobody_may_write_is_told_once(name: str) -> None:
    places = ("HOME", "XDG_CACHE_HOME", "EVONAS_CACHE")
    kept = {k: v for k, v in os.environ.items() if k not in places}
    call = [str(EVONAS), "search", *COUNTED, *QUIET, "budget.evaluations=2"]
    environment = {**kept, name: "/proc/none"}  # where even root makes no folder
    done = subprocess.run(call, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if "/proc/none" in line]
    assert "cannot be written" in line
    assert "EVONAS_CACHE" in line
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("jump_s", [86_400.0, -86_400.0])
def test_a_clock_that_jumps_does_not_change_how_long_a_run_took(
    monkeypatch: pytest.MonkeyPatch, jump_s: float
) -> None:
    begin, wall, jumps = time.monotonic(), time.time(), itertools.count()
    monkeypatch.setattr(time, "time", lambda: wall + jump_s * next(jumps))
    run = evonas.search([*COUNTED, *QUIET, "budget.evaluations=6"])
    passed = time.monotonic() - begin
    assert next(jumps) > 6
    assert 0 < run.seconds <= passed
    assert 0 <= sum(outcome.seconds for outcome in run.records.outcomes.values()) <= passed


@pytest.mark.slow  # a start of Python beside a search
def test_a_run_is_resumed_beside_a_process_that_reads_it_all_the_time() -> None:
    run = evonas.search([*COUNTED, *QUIET, "budget.evaluations=2"])
    call = [sys.executable, "-c", READER, str(run.folder)]
    with subprocess.Popen(call, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout is not None
        assert int(reader.stdout.readline()) >= 2
        for evaluations in (4, 8, 12, 16):
            resumed = resume(run.folder, [f"budget.evaluations={evaluations}"])
            assert resumed.records.evaluations == evaluations
            assert reader.poll() is None
        reader.kill()
