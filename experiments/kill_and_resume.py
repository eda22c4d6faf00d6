"""Kills the driver of a search with SIGKILL at random moments, resumes, and compares.

The run of `schedule=generational` must end with exactly the trials of one that nobody killed,
bit for bit; the run of `schedule=async` must have every number once and all that was finished
before each kill unchanged.
"""

import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from tempfile import mkdtemp

from record import parser, report

EVONAS = Path(sys.executable).with_name("evonas")
ROWS = (
    "SELECT number, chromosome, seed, parents, operator, status, measures, curve "
    "FROM trials JOIN outcomes USING (number) ORDER BY number"
)


def rows(folder: Path) -> list[tuple[object, ...]]:
    """Finished trials; nothing if the ledger is not there yet."""
    try:
        with closing(sqlite3.connect(f"file:{folder}/run.db?mode=ro", uri=True)) as db:
            return db.execute(ROWS).fetchall()
    except sqlite3.OperationalError:
        return []


def killed_run(words: list[str], folder: Path, kills: int, seed: int) -> tuple[int, bool]:
    """Works on a run under fire; kills done, and whether finished trials ever changed."""
    rng = random.Random(seed)
    call = [str(EVONAS), "search", *words, f"run.folder={folder.parent}", f"run.name={folder.name}"]
    done, intact = 0, True
    before: list[tuple[object, ...]] = []
    while True:
        driver = subprocess.Popen(call, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        moment = time.monotonic() + rng.uniform(3, 14)
        while driver.poll() is None and (done >= kills or time.monotonic() < moment):
            time.sleep(0.05)
        if driver.poll() is None:
            driver.send_signal(signal.SIGKILL)
            done += 1
        driver.wait()
        now = rows(folder)
        intact &= set(before) <= set(now)
        before = now
        if driver.returncode == 0:
            return done, intact
        if (folder / "run.db").exists():
            call = [str(EVONAS), "resume", str(folder)]


def main() -> None:
    words = parser(__doc__)
    words.add_argument("--kills", type=int, default=10)
    words.add_argument("--executor", default="ray")
    words.add_argument("settings", nargs="*", help="settings of a search, KEY=VALUE")
    given = words.parse_args()
    folder = Path(mkdtemp())
    common = [*given.settings, "objectives=accuracy,macs", "display=plain", "executor.workers=2"]
    common.append(f"executor={given.executor}")
    whole = [str(EVONAS), "search", *common, "schedule=generational", f"run.folder={folder}"]
    subprocess.run([*whole, "run.name=whole"], check=True, capture_output=True)
    result: dict[str, object] = {"executor": given.executor}
    for schedule in ("generational", "async"):
        own = [*common, f"schedule={schedule}"]
        kills, intact = killed_run(own, folder / schedule, given.kills, seed=1)
        found = rows(folder / schedule)
        result[schedule] = {
            "kills": kills,
            "trials": len(found),
            "finished_trials_stayed_as_they_were": intact,
            "every_number_once": [row[0] for row in found] == list(range(len(found))),
            "equals_uninterrupted": found == rows(folder / "whole"),
        }
    report(given, result)


if __name__ == "__main__":
    main()
