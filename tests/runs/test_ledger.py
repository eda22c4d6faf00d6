"""run.db: what goes in comes out, all or nothing, and survives its writer."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from evonas.blueprint import Blueprint
from evonas.errors import RunError
from evonas.runs.ledger import Damaged, Ledger
from evonas.runs.schema import checksum
from evonas.trial import Notes, Outcome, Trial

NETWORK = {
    "builder": "nas_bench_macro",
    "activation": "relu",
    **{f"layer{n}": "identity" for n in range(8)},
}
TRIAL = Trial(
    0,
    (1.0, 0.30000000000000004, -2.5),
    Blueprint(NETWORK, {"lr0": 0.1}, {}, ("repaired",)),
    seed=7,
    parents=(3, 4),
    operator="uniform+random",
    rung=2,
    continues=3,
    confirms=4,
)
PLAIN = replace(TRIAL, rung=0, continues=None, confirms=None)  # as older versions knew trials
OUTCOME = Outcome(
    0,
    "failed",
    {"accuracy": 0.1 + 0.2},
    curve=(2.3, 1.1),
    seconds=1.5,
    busy_seconds=1.25,
    error_kind="diverged",
    error_text="the loss is nan",
    notes=Notes({"latency_ms": 2.0}, "ab", 1, 0.5),
    details={"latency": {"spread": 0.01}},
    source=3,
    attempts=2,
)


@pytest.fixture
def ledger(working_folder: Path) -> Iterator[Ledger]:
    """A new one in the file run.db."""
    with closing(Ledger.create(Path("run.db"), {"space": "abc"})) as made:
        yield made


def test_trials_and_outcomes_come_back_as_they_were(ledger: Ledger) -> None:
    ledger.add_trials([TRIAL], seen=5)
    ledger.add_outcome(OUTCOME, {"accuracy": "proxy"})
    ledger.close()
    again = Ledger.open(Path("run.db"))
    assert list(again.trials()) == [(TRIAL, 5)]
    assert list(again.outcomes()) == [OUTCOME]
    assert again.meta()["space"] == "abc"
    again.close()


def test_a_second_outcome_for_a_trial_is_refused_and_changes_nothing(ledger: Ledger) -> None:
    ledger.add_trials([TRIAL], seen=0)
    ledger.add_outcome(OUTCOME, {})
    with pytest.raises(sqlite3.IntegrityError):
        ledger.add_outcome(OUTCOME, {})
    assert list(ledger.outcomes()) == [OUTCOME]


def test_several_trials_are_recorded_all_or_none(ledger: Ledger) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        ledger.add_trials([TRIAL, TRIAL], seen=0)
    assert list(ledger.trials()) == []


def test_values_that_are_no_numbers_never_get_in(ledger: Ledger) -> None:
    ledger.add_trials([TRIAL], seen=0)
    with pytest.raises(ValueError, match="not JSON compliant"):
        ledger.add_outcome(Outcome(0, "complete", {"accuracy": float("nan")}), {})
    assert list(ledger.outcomes()) == []


@pytest.mark.parametrize("seconds", [0.0, 1.5])
def test_what_was_acknowledged_survives_a_killed_writer(tmp_path: Path, seconds: float) -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import test_ledger as t; from dataclasses import replace; from pathlib import Path\n"
        "ledger = t.Ledger.create(Path(sys.argv[2]), {})\n"
        "for number in range(10**6):\n"
        "    ledger.add_trials([replace(t.TRIAL, number=number)], 0)\n"
        "    seconds = float(sys.argv[3])\n"
        "    ledger.add_outcome(replace(t.OUTCOME, number=number, seconds=seconds), {})\n"
        "    print(number, flush=True)\n"
    )
    path = tmp_path / "run.db"
    call = [sys.executable, "-c", script, str(Path(__file__).parent), str(path), str(seconds)]
    with subprocess.Popen(call, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        acknowledged = [int(writer.stdout.readline()) for _ in range(20)][-1]
        os.kill(writer.pid, signal.SIGKILL)
    ledger = Ledger.open(path)
    numbers = [outcome.number for outcome in ledger.outcomes()]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) > acknowledged
    ledger.close()


def waits(said: list[str]) -> list[str]:
    """How each transaction of a trace waited for the disk."""
    found = [line.partition("=")[2] for line in said if line.startswith("PRAGMA synchronous")]
    assert len(found) == said.count("COMMIT")
    return found


def test_an_outcome_waits_for_the_disk_and_takes_its_trial_along(ledger: Ledger) -> None:
    said: list[str] = []
    ledger._db.set_trace_callback(said.append)
    ledger.add_trials([TRIAL], seen=0)
    with sqlite3.connect("run.db") as reader:
        assert reader.execute("SELECT COUNT(*) FROM trials").fetchone() == (1,)
    ledger.add_outcome(OUTCOME, {})
    ledger.close()
    assert waits(said) == ["NORMAL", "FULL"]


@pytest.mark.parametrize(
    ("worked", "passed", "waited"),
    [
        (0.0, 0.0, "NNNNNNNN"),  # of the workers' seconds and the driver's, for each outcome
        (0.06, 0.0, "NFNFNFNF"),
        (0.02, 0.02, "NNFNNFNN"),
        (0.0, 0.06, "NFNFNFNF"),
        (9.0, 0.0, "FFFFFFFF"),
        (0.0, 9.0, "FFFFFFFF"),
    ],
)
def test_outcomes_wait_for_the_disk_once_much_work_would_be_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, worked: float, passed: float, waited: str
) -> None:
    now = 100.0
    monkeypatch.setattr("evonas.runs.ledger.time.monotonic", lambda: now)
    ledger = Ledger.create(tmp_path / "run.db", {})
    said: list[str] = []
    ledger.add_trials([replace(TRIAL, number=number) for number in range(8)], seen=0)
    ledger._db.set_trace_callback(said.append)
    for number in range(8):
        now += passed
        ledger.add_outcome(replace(OUTCOME, number=number, seconds=worked), {})
        with sqlite3.connect("run.db") as reader:
            assert reader.execute("SELECT COUNT(*) FROM outcomes").fetchone() == (number + 1,)
    ledger.close()
    assert "".join(wait[0] for wait in waits(said)) == waited


def test_what_is_no_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"is no run: it has no run\.db"):
        Ledger.open(tmp_path / "run.db")
    (tmp_path / "run.db").write_text("hello " * 1000)
    with pytest.raises((RunError, sqlite3.DatabaseError), match="not a database"):
        Ledger.open(tmp_path / "run.db")


def test_another_schema_version_is_refused(ledger: Ledger) -> None:
    ledger.write_meta({"schema_version": 99})
    ledger.close()
    with pytest.raises(RunError, match="schema version 99, this evonas reads 5"):
        Ledger.open(Path("run.db"))


NEW_COLUMNS = [
    ("trials", "rung"),
    ("trials", "continues"),
    ("trials", "confirms"),
    ("sessions", "seconds"),
    ("sessions", "last_event"),
    *((table, "checksum") for table in ("trials", "outcomes", "sessions")),
]


def test_a_database_of_the_first_version_is_read_and_written(ledger: Ledger) -> None:
    ledger.add_trials([PLAIN], seen=5)
    ledger.write_meta({"schema_version": 1})
    ledger.close()
    with closing(sqlite3.connect("run.db")) as db, db:
        for table, column in NEW_COLUMNS:
            db.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        db.execute("DELETE FROM meta WHERE key = 'checksums'")
    for _ in range(2):
        again = Ledger.open(Path("run.db"))
        assert list(again.trials()) == [(PLAIN, 5)]
        assert again.meta() == {"schema_version": 5, "space": "abc"}
        again.close()
    again = Ledger.open(Path("run.db"))
    again.add_trials([replace(TRIAL, number=1)], seen=6)
    assert list(again.trials())[1] == (replace(TRIAL, number=1), 6)
    again.close()


def made_older(ledger: Ledger, version: int) -> None:
    """Closes it as a version wrote it that knew no confirmations."""
    ledger.write_meta({"schema_version": version})
    ledger.close()
    with closing(sqlite3.connect("run.db")) as db, db:
        db.execute("ALTER TABLE trials DROP COLUMN confirms")
        for row in db.execute("SELECT * FROM trials").fetchall():
            rows = (checksum(row[:-1]), row[0])
            db.execute("UPDATE trials SET checksum = ? WHERE number = ?", rows)


def test_a_database_of_the_fourth_version_has_no_confirmations(ledger: Ledger) -> None:
    old = replace(TRIAL, confirms=None)
    ledger.add_trials([old], seen=5)
    ledger.add_outcome(OUTCOME, {})
    made_older(ledger, 4)
    for count in (1, 2):
        with closing(Ledger.open(Path("run.db"))) as again:
            assert again.meta() == {"schema_version": 5, "space": "abc"}
            assert next(again.trials()) == (old, 5)
            assert list(again.outcomes()) == [OUTCOME]
            again.add_trials([replace(TRIAL, number=count)], seen=6)
    with closing(Ledger.open(Path("run.db"))) as again:
        assert [trial.confirms for trial, _ in again.trials()] == [None, 4, 4]


def test_in_a_database_of_the_third_version_what_was_never_trained_is_told_apart(
    ledger: Ledger,
) -> None:
    pruned = replace(OUTCOME, status="pruned", source=None)
    filtered = replace(pruned, number=8, details={"filter": {"proxy": "synflow"}})
    ledger.add_trials([TRIAL, replace(TRIAL, number=8)], seen=0)
    ledger.add_outcome(pruned, {})
    ledger.add_outcome(filtered, {})
    made_older(ledger, 3)
    for _ in range(2):
        with closing(Ledger.open(Path("run.db"))) as again:
            assert list(again.outcomes()) == [pruned, replace(filtered, status="filtered")]
            assert again.meta() == {"schema_version": 5, "space": "abc"}


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE meta SET value = '1' WHERE key = 'space'",
        "UPDATE outcomes SET checksum = NULL",
        "UPDATE outcomes SET seconds = 5",
        "UPDATE trials SET seed = 5",
    ],
)
def test_bringing_a_database_up_to_date_hides_no_damage(ledger: Ledger, damage: str) -> None:
    ledger.add_trials([TRIAL], seen=0)
    ledger.add_outcome(OUTCOME, {})
    made_older(ledger, 3)
    with closing(sqlite3.connect("run.db")) as db, db:
        db.execute(damage)
    with pytest.raises((RunError, Damaged)), closing(Ledger.open(Path("run.db"))) as again:
        list(again.outcomes())
