"""Where a new run lies: names that several searches want, and folders that cannot be made."""

import multiprocessing
import os
import signal
import subprocess
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from conftest import EVONAS, typed

from evonas.errors import FileError, RunError
from evonas.runs.run_folder import new_run_folder, run_folders, write_config
from evonas.settings import RunSettings, Settings
from evonas.yaml_file import read_yaml, write_yaml

SEARCHES = 8
FORK = multiprocessing.get_context("fork")


def made(name: str | None = None, folder: str = "runs") -> Path:
    settings = Settings(space="nano", run=RunSettings(name=name, folder=Path(folder)))
    return new_run_folder(settings, [], {"title": "nano"}, {})


def at_once(name: str | None) -> list[str]:
    """What so many processes say that make a run at the same moment: its name, or the error."""
    answers = FORK.Queue()
    barrier = FORK.Barrier(SEARCHES)
    processes = [
        FORK.Process(target=_answer, args=(name, barrier, answers.put)) for _ in range(SEARCHES)
    ]
    for process in processes:
        process.start()
    said = [answers.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    return sorted(said)


def _answer(name: str | None, barrier: Barrier, put: Callable[[str], None]) -> None:
    barrier.wait()
    try:
        put(made(name).name)
    except Exception as error:
        put(f"{type(error).__name__}: {error}")


def test_searches_that_start_at_once_without_a_name_get_the_next_free_ones() -> None:
    first = made().name
    stem, _, number = first.rpartition("-")
    assert number == "1"
    assert at_once(None) == sorted(f"{stem}-{n + 2}" for n in range(SEARCHES))
    assert len(run_folders(Path("runs"))) == SEARCHES + 1
    assert len(os.listdir("runs")) == SEARCHES + 1


def test_of_searches_with_the_same_name_one_begins_and_the_others_are_refused() -> None:
    *refused, winner = at_once("same")
    assert winner == "same"
    assert len(refused) == SEARCHES - 1
    assert all(said.startswith("RunError: There is a run runs/same already.") for said in refused)
    assert os.listdir("runs") == ["same"]


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_a_name_that_something_else_has_is_left_alone(kind: str) -> None:
    Path("runs").mkdir()
    taken = Path("runs", "taken")
    if kind == "file":
        taken.write_text("mine")
    elif kind == "folder":
        taken.mkdir()
    else:
        taken.symlink_to("nowhere")
    with pytest.raises(RunError, match="runs/taken is there already, and is no run"):
        made("taken")
    assert os.listdir("runs") == ["taken"]
    number_one = Path("runs", f"{made().name}")
    taken.rename(number_one.with_name(number_one.name[:-1] + "2"))
    assert made().name == number_one.name[:-1] + "3"


def test_what_a_killed_start_leaves_is_no_run_and_is_removed_by_the_next() -> None:
    left = Path("runs", ".new-run-0123456789ab")
    left.mkdir(parents=True)
    (left / "run.db").write_bytes(b"half")
    assert run_folders(Path("runs")) == []
    named = made("named")
    assert run_folders(Path("runs")) == [named]
    assert os.listdir("runs") == ["named"]


@pytest.mark.slow
def test_a_start_killed_at_any_moment_leaves_a_whole_run_or_none() -> None:
    words = ["space=nano", "evaluator=python", "evaluator.function=mine:f", "objectives=v:max"]
    words += ["executor=inline", "budget.evaluations=1", "run.name=killed", "display=none"]
    Path("mine.py").write_text("def f(blueprint):\n    return 1\n")
    with subprocess.Popen([str(EVONAS), "search", *words], stderr=subprocess.PIPE) as process:
        while process.poll() is None and not Path("runs").exists():
            pass  # killed as soon as the folder of runs is there
        process.send_signal(signal.SIGKILL)
    if Path("runs", "killed").exists():
        assert typed("inspect", "killed").returncode == 0
    else:
        assert run_folders(Path("runs")) == []
        assert typed("search", *words).returncode == 0
    assert os.listdir("runs") == ["killed"]


def refusal(folder: str) -> str:
    with pytest.raises((RunError, FileError)) as failure:
        made(folder=folder)
    return str(failure.value)


def test_a_place_where_no_run_can_be_made_is_told() -> None:
    Path("file").write_text("")
    other = " Give run.folder=DIR, a folder in which you may write."
    assert refusal("file") == "run.folder=file is a file, or lies below one." + other
    assert refusal("file/below") == "run.folder=file/below is a file, or lies below one." + other
    assert "/proc/none: no run can be made there: no such file" in refusal("/proc/none")
    assert made(folder="new/deep").parent == Path("new/deep")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_place_where_nobody_may_write_is_told() -> None:
    Path("closed").mkdir(mode=0o500)
    assert "closed: no run can be made there: permission denied" in refusal("closed")


def test_the_words_of_a_search_and_its_resumes_are_read_back_as_typed(tmp_path: Path) -> None:
    for name, first in (("none", []), ("some", ["run.seed=1e3", "on", "😀=\x7f"])):
        folder = tmp_path / name
        folder.mkdir()
        write_yaml(folder / "overrides.yaml", first)
        for added in (["budget.evaluations=+5"], ["data.path=😀\x7f", "1e-3"]):
            write_config(folder, Settings(), added)
            first = [*first, *added]
            assert read_yaml(folder / "overrides.yaml", RunError)[0] == first
