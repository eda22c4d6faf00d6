"""Interrupts searches at random moments, from the first on at which they handle signals.

Of every interrupted search it is asked whether it ended with 130 within ten seconds, said how to go
on, printed no stack and left no process; then it is gone on with to its end, and no finished trial
may be lost or made again. `own` is a program that has started Ray itself and calls `evonas.search`;
signals reach it during that call, and the seconds are those until the call is left: what follows,
Ray's own leave-taking, waits five seconds and more for processes that the signal to the group has
ended too. A signal that comes after that call meets the program alone: it is sent again, earlier.
Cases that a file of `--cases` holds are not repeated.
"""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
from checkouts import HERE
from record import parser, report

import evonas
from evonas.errors import EvonasError

EXECUTORS = ("inline", "local", "ray", "own")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
MARK = "EVONAS_SIGNALS_CASE"  # in the environment of every process of a case
WITHIN_S = 10.0
SOONEST_S = 0.05
STACKS = ("Traceback", "***", "StackTrace", "Exception ignored", "logging.cc", "(unknown)")
DEFAULTS = ["env", "--default-signal"]  # a shell that starts this in the background ignores some
CALL = [sys.executable, "-m", "evonas", "search"]
FUNCTION = """
import hashlib, json, os, time

def weigh(blueprint):
    text = json.dumps(blueprint.to_dict(), sort_keys=True)
    design = float(int(hashlib.sha256(text.encode()).hexdigest()[:12], 16))
    time.sleep(float(os.environ.get("WEIGH_S", "0")))
    with open(os.environ["WEIGHED"], "a") as file:
        file.write(f"{design:.0f}\\n")
    return {"width": float(len(text)), "design": design}
"""
PROGRAM = """
import json, sys
import ray

ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
from evonas import search

print("up", flush=True)
try:
    search(sys.argv[1:])
    print("over", flush=True)
except KeyboardInterrupt as stopped:
    print("stopped", flush=True)
    print(stopped, file=sys.stderr)
    sys.exit(130)
"""
resuming = threading.Lock()  # resumes share this process


def words(executor: str, number: int, folder: Path) -> list[str]:
    """A short search: of a function, and one in five of real trainings."""
    common = [
        f"executor={'ray' if executor == 'own' else executor}",
        "executor.workers=2",
        "space=nano",
        f"run.folder={folder}",
        "run.name=case",
        "display=plain",
        f"run.seed={number}",
    ]
    if number % 5 == 4:
        return [*common, "data.subset=200", "training.epochs=1", "budget.evaluations=8"]
    function = ["evaluator=python", "evaluator.function=weighing:weigh"]
    return [*common, *function, "objectives=width:min,design:min", "budget.evaluations=16"]


def started(executor: str, call: Sequence[str], folder: Path, mark: str) -> subprocess.Popen[str]:
    """The search, once it handles signals."""
    (folder / "weighing.py").write_text(FUNCTION)
    (folder / "program.py").write_text(PROGRAM)
    path = os.pathsep.join([str(folder), str(HERE)])
    found = {MARK: mark, "PYTHONPATH": path, "WEIGHED": str(folder / "weighed")}
    program = [sys.executable, str(folder / "program.py")] if executor == "own" else CALL
    with open(folder / "stderr", "w") as errors:
        driver = subprocess.Popen(
            [*DEFAULTS, *program, *call],
            env={**os.environ, **found, "WEIGH_S": "0.2"},
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
    assert driver.stdout is not None, "it is a pipe"
    while executor == "own" and driver.poll() is None and driver.stdout.readline() != "up\n":
        pass
    while executor != "own" and driver.poll() is None and not handles_signals(driver.pid):
        time.sleep(0.002)
    return driver


def when_left(driver: subprocess.Popen[str]) -> float:
    """When the call was left of a program that goes on; only then it ends."""
    assert driver.stdout is not None, "it is a pipe"
    for line in driver.stdout:
        if line in ("stopped\n", "over\n"):
            break
    return time.monotonic()


def handles_signals(process: int) -> bool:
    """True once the process catches the last of them, SIGHUP being neither first nor ignored."""
    status = Path(f"/proc/{process}/status").read_text()
    caught = int(
        next(row for row in status.splitlines() if row.startswith("SigCgt")).split()[1], 16
    )
    return all(caught >> (number - 1) & 1 for number in SIGNALS)


def alive(mark: str) -> list[psutil.Process]:
    """Processes of the case that run still."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def left_over(mark: str) -> int:
    """Processes that are there three seconds after the driver's end; they are ended."""
    end = time.monotonic() + 3
    while (found := alive(mark)) and time.monotonic() < end:
        time.sleep(0.1)
    for process in found:
        print(f"left over: {process}", file=sys.stderr)
        process.kill()
    return len(found)


def outcomes(folder: Path) -> dict[int, tuple[object, ...]]:
    """Finished trials by number."""
    query = "SELECT number, chromosome, status, measures FROM trials JOIN outcomes USING (number)"
    try:
        with closing(sqlite3.connect(f"file:{folder}/run.db?mode=ro", uri=True)) as db:
            return {row[0]: row for row in db.execute(query)}
    except sqlite3.OperationalError:
        return {}


def is_finished(folder: Path) -> bool:
    """True of a run that had come to its end."""
    try:
        return bool(evonas.load_run(folder).status == "finished")
    except EvonasError:
        return False


def went_on(folder: Path) -> tuple[int, int]:
    """Lost and repeated trials, once the run is at its end."""
    before, run = outcomes(folder / "case"), folder / "case"
    weighed = folder / "weighed"
    done = len(weighed.read_text().split()) if weighed.exists() else 0
    with resuming:
        os.environ["WEIGHED"] = str(weighed)
        evonas.resume(run, ["executor=inline", "display=none"])
    after = outcomes(run)
    again = weighed.read_text().split()[done:] if weighed.exists() else []
    durable = {json.loads(str(row[3])).get("design") for row in before.values()}
    lost = sum(after.get(number) != row for number, row in before.items())
    lost += len(after) != max(after) + 1
    return lost, sum(float(design) in durable for design in again)


def case(executor: str, number: int, longest_s: float) -> dict[str, Any]:
    """One search, interrupted at a random moment, and what became of it."""
    rng = random.Random(f"{executor} {number}")
    kind, is_group = rng.choice(SIGNALS), rng.random() < 0.5
    moment = rng.uniform(0, longest_s)
    result = interrupted_at(moment, executor, number, kind, is_group)
    while executor == "own" and result["finished"] and result["code"] != 130 and moment > SOONEST_S:
        moment /= 2
        result = interrupted_at(moment, executor, number, kind, is_group)
    return result


def interrupted_at(
    moment: float, executor: str, number: int, kind: signal.Signals, is_group: bool
) -> dict[str, Any]:
    """One search, interrupted so many seconds after it began to handle signals."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as place:
        folder, mark = Path(place), f"{os.getpid()}-{executor}-{number}"
        driver = started(executor, words(executor, number, folder), folder, mark)
        try:
            driver.wait(moment)
        except subprocess.TimeoutExpired:
            (os.killpg if is_group else os.kill)(driver.pid, kind)
        sent = time.monotonic()
        left = when_left(driver) if executor == "own" else None
        try:
            driver.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            driver.kill()
        seconds = (left or time.monotonic()) - sent
        result = {
            "executor": executor,
            "number": number,
            "signal": kind.name,
            "to": "group" if is_group else "driver",
            "moment": round(moment, 2),
            "seconds": round(seconds, 2),
            "seconds_to_exit": round(time.monotonic() - sent, 2),
            "code": driver.wait(),
            "left_over": left_over(mark),
            "stderr": (folder / "stderr").read_text()[-1500:],
        }
        has_run = (folder / "case" / "run.db").exists()
        result["finished"] = is_finished(folder / "case")
        result["lost"], result["repeated"] = went_on(folder) if has_run else (0, 0)
        result["clean"] = is_clean(result, has_run)
        return result


def is_clean(result: dict[str, Any], has_run: bool) -> bool:
    """True of a search that stopped as it should, or was over before."""
    said = result["stderr"]
    quiet = not any(stack in said for stack in STACKS) and result["seconds"] <= WITHIN_S
    told = not has_run or "evonas resume" in said
    return quiet and (result["code"] == 0 or (result["code"] == 130 and told))


def duration(executor: str) -> float:
    """Seconds of such a search from when it handles signals, uninterrupted."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as place:
        driver = started(executor, words(executor, 0, Path(place)), Path(place), "duration")
        start = time.monotonic()
        driver.communicate()
        assert driver.returncode == 0, (Path(place) / "stderr").read_text()
        return time.monotonic() - start


def summary(cases: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What is asked of one executor."""
    return {
        "tried": len(cases),
        "clean": sum(each["clean"] for each in cases),
        "seconds_max": max(each["seconds"] for each in cases),
        "seconds_to_exit_max": max(each["seconds_to_exit"] for each in cases),
        "left_over": sum(each["left_over"] for each in cases),
        "lost": sum(each["lost"] for each in cases),
        "repeated": sum(each["repeated"] for each in cases),
        "finished_before": sum(each["code"] == 0 for each in cases),
    }


def interrupted(executor: str, count: int, at_once: int, kept: Path | None) -> list[dict[str, Any]]:
    """So many cases; those that were kept are not repeated."""
    rows = kept.read_text().splitlines() if kept is not None and kept.exists() else []
    old = [json.loads(row) for row in rows]
    cases = [each for each in old if each["executor"] == executor][:count]
    missing = sorted(set(range(count)) - {each["number"] for each in cases})
    if not missing:
        return cases
    longest_s = (0.6 if executor == "own" else 0.9) * duration(executor)
    with ThreadPoolExecutor(at_once) as pool:
        for result in pool.map(lambda number: case(executor, number, longest_s), missing):
            cases.append(result)
            if not result["clean"] or result["left_over"] or result["lost"] or result["repeated"]:
                print(json.dumps(result), file=sys.stderr)
            if kept is not None:
                with kept.open("a") as file:
                    file.write(json.dumps(result) + "\n")
    return cases


def main() -> None:
    given = parser(__doc__)
    given.add_argument("--interrupts", type=int, default=100, help="for each executor")
    given.add_argument("--executors", default=",".join(EXECUTORS))
    given.add_argument("--at-once", type=int, default=2)
    given.add_argument("--cases", type=Path, help="a file with a line for each case")
    asked = given.parse_args()
    with TemporaryDirectory() as folder:
        (Path(folder) / "weighing.py").write_text(FUNCTION)
        sys.path.insert(0, folder)  # for the resumes of this process
        result = {
            executor: summary(interrupted(executor, asked.interrupts, asked.at_once, asked.cases))
            for executor in asked.executors.split(",")
        }
    report(asked, result)


if __name__ == "__main__":
    main()
