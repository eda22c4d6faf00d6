"""Drivers, workers and trainings that end in the middle: nothing finished is lost or repeated."""

import functools
import json
import os
import random
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import chdir, closing
from pathlib import Path

import psutil
import pytest
from conftest import EVONAS, QUICK, QUICK_OF, evonas, finished, table, typed

SHORT = [*QUICK, "objectives=accuracy,macs", "evolver.population=4", "budget.evaluations=14"]

BUDGET = {"classification": 14, "detection": 8, "compression": 12}
GENERATIONAL = {
    task: [
        *words,
        *("evolver.population=4", f"budget.evaluations={BUDGET[task]}"),
        *("schedule=generational", "run.seed=7", "executor.workers=2"),
    ]
    for task, words in QUICK_OF.items()
}

Table = list[tuple[object, ...]]

# More than any test waits for.
LONG = [*SHORT, "budget.evaluations=5000"]


def assert_whole(name: str, evaluations: int) -> None:
    """Every number has one outcome, and exactly the budget was spent on trainings."""
    rows = table(name)
    assert [row[0] for row in rows] == list(range(len(rows)))
    counts = json.loads(typed("inspect", name, "--json").stdout)["counts"]
    assert counts["complete"] == evaluations
    assert counts["complete"] + counts["cached"] == len(rows)


def start(*words: str, by: Sequence[str] = ()) -> subprocess.Popen[str]:
    """A driver in the background, in a process group of its own."""
    return subprocess.Popen(
        [*by, str(EVONAS), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for(condition, driver: subprocess.Popen[str]) -> None:  # type: ignore[no-untyped-def]
    """Until the condition holds; the driver must not end before."""
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end, "the condition did not come true"
        assert driver.poll() is None, driver.communicate()
        time.sleep(0.02)


@pytest.fixture(scope="module")
def wholes(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Table]:
    """What a generational search of a task comes to, by itself."""

    @functools.cache
    def whole(task: str) -> Table:
        with chdir(tmp_path_factory.mktemp("whole")):
            words = [*GENERATIONAL[task], "executor=inline", "run.name=whole"]
            result = typed("search", *words)
            assert result.returncode == 0, result.stderr
            return table("whole")

    return whole


@pytest.mark.slow
@pytest.mark.parametrize("task", GENERATIONAL)
@pytest.mark.parametrize(
    "executor", ["inline", "local", pytest.param("ray", marks=pytest.mark.ray)]
)
def test_a_generational_run_is_the_same_bit_for_bit_on_every_executor(
    executor: str, task: str, wholes: Callable[[str], Table]
) -> None:
    command = evonas if executor == "ray" else typed
    result = command("search", *GENERATIONAL[task], f"executor={executor}", "run.name=again")
    assert result.returncode == 0, result.stderr
    assert len(wholes(task)) >= BUDGET[task]
    assert table("again") == wholes(task)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "executor", "kills"),
    [
        *(("classification", "inline", 3), ("classification", "local", 2)),
        *(("detection", "inline", 2), ("compression", "local", 3)),
    ],
)
def test_a_driver_killed_again_and_again_ends_with_the_uninterrupted_run(
    task: str, executor: str, kills: int, wholes: Callable[[str], Table]
) -> None:
    words = [*GENERATIONAL[task], f"executor={executor}"]
    most = BUDGET[task] - 2
    rng = random.Random(11)
    driver = start("search", *words, "run.name=killed")
    for _ in range(kills):
        target = finished("killed") + rng.randint(0, 3)
        wait_for(lambda: Path("runs/killed/run.db").exists(), driver)
        wait_for(lambda target=target: finished("killed") >= min(target, most), driver)
        driver.send_signal(signal.SIGKILL)
        driver.communicate()
        driver = start("resume", "killed")
    _, errors = driver.communicate(timeout=300)
    assert driver.returncode == 0, errors
    assert table("killed") == wholes(task)


@pytest.mark.slow
def test_a_driver_killed_while_it_compresses_comes_to_the_same() -> None:
    words = [*QUICK, "data.subset=1000", "objectives=accuracy,size_mib", "run.seed=7"]
    words += ["compression.pruning.method=channels", "compression.pruning.epochs=10"]
    words += ["compression.quantisation.method=int8", "executor=inline", "budget.evaluations=2"]
    driver = start("search", *words, "run.name=killed")
    weights = Path("runs/killed/trials/0/weights.safetensors")  # of the training, which is over
    wait_for(weights.exists, driver)
    driver.send_signal(signal.SIGKILL)
    driver.communicate()
    assert finished("killed") == 0
    for command in (["resume", "killed"], ["search", *words, "run.name=whole"]):
        result = typed(*command)
        assert result.returncode == 0, result.stderr
    assert table("killed") == table("whole")


@pytest.mark.slow
def test_an_async_run_loses_and_repeats_nothing_when_its_driver_is_killed() -> None:
    words = [*SHORT, "executor=local", "executor.workers=2", "run.name=killed"]
    driver = start("search", *words)
    wait_for(lambda: finished("killed") >= 5, driver)
    driver.send_signal(signal.SIGKILL)
    driver.communicate()
    before = table("killed")
    result = typed("resume", "killed")
    assert result.returncode == 0, result.stderr
    after = table("killed")
    assert set(before) <= set(after)
    assert_whole("killed", evaluations=14)


@pytest.mark.slow
def test_look_ups_that_wait_for_no_disk_survive_their_driver_too() -> None:
    Path("grid.yaml").write_text("values: {x: {int: [0, 69]}, y: {int: [0, 69]}}\n")
    rows = [f"{x},{y},{(7 * x + 3 * y) % 71}" for x in range(70) for y in range(70)]
    Path("grid.csv").write_text("\n".join(["x,y,score", *rows]))
    words = ["space=./grid.yaml", "evaluator=table", "evaluator.path=grid.csv", "display=none"]
    words += ["objectives=score:max", "executor=inline", "evolver.surrogate=false"]
    words.append("budget.evaluations=1200")
    assert typed("search", *words, "run.name=whole").returncode == 0
    driver = start("search", *words, "run.name=killed")
    for target in (1, 500):
        wait_for(lambda target=target: finished("killed") >= target, driver)
        driver.send_signal(signal.SIGKILL)
        driver.communicate()
        before = table("killed")
        assert target <= len(before) < 1200
        assert before == table("whole")[: len(before)]
        driver = start("resume", "killed")
    _, errors = driver.communicate(timeout=300)
    assert driver.returncode == 0, errors
    assert table("killed") == table("whole")


@pytest.mark.slow
@pytest.mark.ray
def test_rays_workers_end_with_a_killed_driver_and_the_run_goes_on() -> None:
    words = [*SHORT, "executor=ray", "executor.workers=2", "run.name=killed"]
    driver = start("search", *words)
    wait_for(lambda: finished("killed") >= 3, driver)
    children = psutil.Process(driver.pid).children(recursive=True)
    # Ray's two small agents notice by themselves a minute or two later; these at once.
    titles = {child: f"{child.name()} {' '.join(child.cmdline())}" for child in children}
    ends = ("raylet ", "gcs_server ", "ray::evaluate", "ray::IDLE")
    children = [child for child, title in titles.items() if title.startswith(ends)]
    assert len(children) >= 4, titles
    driver.send_signal(signal.SIGKILL)
    driver.communicate()
    _, alive = psutil.wait_procs(children, timeout=60)
    assert alive == []
    assert evonas("resume", "killed").returncode == 0
    assert_whole("killed", evaluations=14)


@pytest.mark.slow
def test_a_killed_worker_costs_one_retry_and_not_the_run() -> None:
    words = [*SHORT, "executor=local", "executor.workers=2", "run.name=lost"]
    driver = start("search", *words)
    wait_for(lambda: finished("lost") >= 2, driver)
    workers = [
        child
        for child in psutil.Process(driver.pid).children()
        if "spawn_main" in " ".join(child.cmdline())
    ]
    assert len(workers) == 2
    workers[0].kill()
    _, errors = driver.communicate(timeout=300)
    assert driver.returncode == 0, errors
    summary = json.loads(typed("inspect", "lost", "--json").stdout)
    assert summary["counts"]["complete"] + summary["counts"]["cached"] == len(table("lost"))
    with closing(sqlite3.connect("runs/lost/run.db")) as db:
        assert db.execute("SELECT MAX(attempts) FROM outcomes").fetchone()[0] == 2


@pytest.mark.slow
def test_ctrl_c_stops_cleanly_and_resume_finishes() -> None:
    driver = start("search", *LONG, "executor=local", "executor.workers=2", "run.name=stopped")
    wait_for(lambda: finished("stopped") >= 3, driver)
    os.killpg(driver.pid, signal.SIGINT)  # a terminal sends it to the whole group
    _, errors = driver.communicate(timeout=60)
    assert driver.returncode == 130
    assert "evonas resume stopped" in errors
    assert "Traceback" not in errors
    assert json.loads(typed("inspect", "stopped", "--json").stdout)["status"] == "interrupted"
    more = finished("stopped") + 3
    assert typed("resume", "stopped", f"budget.evaluations={more}").returncode == 0
    assert_whole("stopped", evaluations=more)


@pytest.mark.slow
@pytest.mark.ray
def test_a_killed_raylet_is_one_message_and_the_run_goes_on() -> None:
    driver = start("search", *SHORT, "executor=ray", "executor.workers=2", "run.name=dead")
    wait_for(lambda: finished("dead") >= 2, driver)
    children = psutil.Process(driver.pid).children()
    next(child for child in children if child.name() == "raylet").kill()
    _, errors = driver.communicate(timeout=60)
    assert driver.returncode == 1, errors
    assert "Ray broke down: its raylet ended.\nNothing that finished is lost. Go on by: " in errors
    assert "Traceback" not in errors
    assert typed("resume", "dead", "executor=inline").returncode == 0
    assert_whole("dead", evaluations=14)


@pytest.mark.slow
@pytest.mark.ray
def test_a_killed_raylet_is_told_by_a_search_that_outlived_its_shell_too() -> None:
    words = [*SHORT, "executor=ray", "executor.workers=2", "run.name=alone"]
    shell = start("search", *words, by=["sh", "-c", '"$@" & echo $!', "sh"])
    assert shell.stdout is not None
    driver = psutil.Process(int(shell.stdout.readline()))
    assert shell.wait() == 0
    end = time.monotonic() + 120
    while finished("alone") < 2 and time.monotonic() < end:
        time.sleep(0.02)
    next(child for child in driver.children() if child.name() == "raylet").kill()
    _, errors = shell.communicate(timeout=60)
    assert "Ray broke down: its raylet ended.\nNothing that finished is lost. Go on by: " in errors


@pytest.mark.slow
def test_a_second_driver_is_refused_with_pid_and_host_of_the_first() -> None:
    driver = start("search", *LONG, "executor=inline", "run.name=busy")
    wait_for(lambda: finished("busy") >= 1, driver)
    second = typed("resume", "busy")
    assert second.returncode == 2
    assert f"process {driver.pid} on {os.uname().nodename}" in second.stderr
    assert json.loads(typed("inspect", "busy", "--json").stdout)["status"] == "running"
    driver.terminate()
    driver.communicate(timeout=60)
    assert driver.returncode == 130


@pytest.mark.slow
def test_trainings_that_diverge_are_outcomes_and_the_search_ends() -> None:
    words = [*QUICK, "executor=inline", "budget.evaluations=3", "run.name=wild"]
    result = typed("search", *words, "training.lr0=1e12")
    assert result.returncode == 1
    assert "found no feasible design" in result.stderr
    assert "Trial 2 failed: " in result.stderr
    assert "Traceback" not in result.stderr
    summary = json.loads(typed("inspect", "wild", "--json").stdout)
    assert summary["counts"]["failed"] == 3
    assert summary["status"] == "finished"
    trial = json.loads(typed("inspect", "wild", "--trial", "0", "--json").stdout)
    assert trial["error"]["kind"] == "diverged"


@pytest.mark.slow
def test_a_killed_confirmation_goes_on_and_trains_nothing_twice(working_folder: Path) -> None:
    quick = [*SHORT, "executor=inline", "budget.evaluations=6", "run.name=sure"]
    assert typed("search", *quick).returncode == 0
    driver = start("confirm", "sure", "--top", "2", "--seeds", "4")
    wait_for(lambda: finished("sure") >= 9, driver)
    os.killpg(driver.pid, signal.SIGKILL)
    driver.communicate()
    result = typed("resume", "sure", "--json")
    assert result.returncode == 0, result.stderr
    summary = json.loads(result.stdout)
    assert [own["count"] for own in summary["confirmed"]] == [4, 4]
    assert summary["evaluations"] == summary["budget"] == 14
    assert {own["number"] for own in summary["front"]} <= {
        own["number"] for own in summary["confirmed"]
    }
