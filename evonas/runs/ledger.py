"""run.db: every trial and every outcome, on record before it counts.

SQLite in WAL mode: one transaction an event. What was acknowledged survives its driver, however
that ends. To survive a power cut too it has to wait for the disk, which takes milliseconds: an
outcome waits as soon as `AT_RISK_S` of work would be lost, so that a training always does, and of a
thousand look-ups a few. The log is one file: who waits takes all before it along, and a power cut
loses the last events only. A trial need not wait, since its worker ends with the power. The driver
is the only writer; anybody may read.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from evonas.blueprint import Blueprint
from evonas.errors import RunError
from evonas.trial import Outcome, Trial

SCHEMA_VERSION = 2
AT_RISK_S = 0.1  # of work that a power cut may take along

SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE trials (
    number INTEGER PRIMARY KEY,
    chromosome TEXT NOT NULL,
    blueprint TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    seed INTEGER NOT NULL,
    parents TEXT NOT NULL,
    operator TEXT NOT NULL,
    seen INTEGER NOT NULL,        -- finished events that its proposal had seen
    proposed_at REAL NOT NULL,
    rung INTEGER NOT NULL DEFAULT 0,
    continues INTEGER             -- the trial of the same design one rung below
);
CREATE TABLE outcomes (
    event INTEGER PRIMARY KEY,    -- the order in which trials finished, from 1
    number INTEGER NOT NULL UNIQUE REFERENCES trials (number),
    status TEXT NOT NULL,
    measures TEXT NOT NULL,
    scales TEXT NOT NULL,         -- which scale each measure describes
    curve TEXT NOT NULL,
    seconds REAL NOT NULL,
    busy_seconds REAL NOT NULL,
    error_kind TEXT,
    error_text TEXT,
    details TEXT NOT NULL,
    source INTEGER,
    attempts INTEGER NOT NULL,
    finished_at REAL NOT NULL
);
CREATE TABLE sessions (
    session INTEGER PRIMARY KEY,
    workers INTEGER NOT NULL,
    ready_at REAL NOT NULL,
    last_event_at REAL NOT NULL
);
"""

# From each older version to the next.
MIGRATIONS: Mapping[int, str] = {
    1: """
ALTER TABLE trials ADD COLUMN rung INTEGER NOT NULL DEFAULT 0;
ALTER TABLE trials ADD COLUMN continues INTEGER;
""",
}


class Ledger:
    """The open database of one run; `clock` gives the times that are noted in it."""

    def __init__(self, path: Path) -> None:
        self.clock: Callable[[], float] = time.time
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA busy_timeout=10000")
        self._worked = 0.0  # seconds of workers that no wait for the disk has secured yet
        self._secured_at = time.monotonic()

    @classmethod
    def create(cls, path: Path, meta: Mapping[str, Any]) -> "Ledger":
        """A new database with these entries in its table of facts; ":memory:" is no file."""
        ledger = cls(path)
        ledger._db.executescript(f"BEGIN;{SCHEMA}COMMIT;")
        ledger.write_meta({"schema_version": SCHEMA_VERSION, **meta})
        return ledger

    @classmethod
    def open(cls, path: Path) -> "Ledger":
        """The database of an existing run; one of an older version of evonas is brought up to date.

        Raises:
            RunError: There is none, or a newer version of evonas wrote it.
        """
        if not path.exists():
            raise RunError(f"{path.parent} is no run: it has no {path.name}.")
        ledger = cls(path)
        try:
            version = ledger._migrate()
        except sqlite3.DatabaseError as problem:
            raise RunError(f"{path} is no run database: {problem}.") from None
        if version != SCHEMA_VERSION:
            raise RunError(
                f"{path} has schema version {version}, this evonas reads {SCHEMA_VERSION}."
            )
        return ledger

    def close(self) -> None:
        """Ends the connection; the write-ahead log is folded in by the last one."""
        self._db.close()

    def meta(self) -> dict[str, Any]:
        """Facts about the run as a whole."""
        rows = self._db.execute("SELECT key, value FROM meta")
        return {row["key"]: json.loads(row["value"]) for row in rows}

    def _migrate(self) -> Any:
        """The schema version, after all steps that there are from an older one."""
        version = self.meta().get("schema_version")
        if version not in MIGRATIONS:
            return version
        with self._transaction() as db:
            version = self.meta()["schema_version"]  # another process may have been faster
            while version in MIGRATIONS:
                for statement in filter(str.strip, MIGRATIONS[version].split(";")):
                    db.execute(statement)
                version += 1
            db.execute("UPDATE meta SET value = ? WHERE key = 'schema_version'", (str(version),))
        return version

    def write_meta(self, values: Mapping[str, Any]) -> None:
        """Adds or replaces facts, all or none."""
        rows = [(key, json.dumps(value)) for key, value in values.items()]
        with self._transaction() as db:
            db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", rows)

    def add_trials(self, trials: Iterable[Trial], seen: int) -> None:
        """Records proposals, all or none, before any of them is submitted."""
        now = self.clock()
        rows = [
            (
                trial.number,
                json.dumps(trial.chromosome),
                json.dumps(trial.blueprint.to_dict()),
                trial.blueprint.fingerprint,
                trial.seed,
                json.dumps(trial.parents),
                trial.operator,
                seen,
                now,
                trial.rung,
                trial.continues,
            )
            for trial in trials
        ]
        with self._transaction(waits_for_disk=False) as db:
            db.executemany("INSERT INTO trials VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def add_outcome(self, outcome: Outcome, scales: Mapping[str, str]) -> None:
        """Records what came of a trial; what took long is on the disk when this returns."""
        now = self.clock()
        row = (
            outcome.number,
            outcome.status,
            json.dumps(dict(outcome.measures), allow_nan=False),
            json.dumps(dict(scales)),
            json.dumps(outcome.curve),
            outcome.seconds,
            outcome.busy_seconds,
            outcome.error_kind,
            outcome.error_text,
            json.dumps(dict(outcome.details)),
            outcome.source,
            outcome.attempts,
            now,
        )
        with self._transaction(self._is_at_risk(outcome)) as db:
            db.execute(
                "INSERT INTO outcomes VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row
            )
            db.execute(
                "UPDATE sessions SET last_event_at = ? "
                "WHERE session = (SELECT MAX(session) FROM sessions)",
                (now,),
            )

    def begin_session(self, workers: int) -> None:
        """Starts the clock of utilisation: called when all workers are ready."""
        now = self.clock()
        self._db.execute("INSERT INTO sessions VALUES (NULL, ?, ?, ?)", (workers, now, now))

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """All that is read within is of one moment, while a driver may go on writing."""
        self._db.execute("BEGIN")
        try:
            yield
        finally:
            self._db.execute("COMMIT")

    def trials(self) -> Iterator[tuple[Trial, int]]:
        """All trials by number, each with the finished events that its proposal had seen."""
        for row in self._db.execute("SELECT * FROM trials ORDER BY number"):
            yield _trial(row), row["seen"]

    def outcomes(self) -> Iterator[Outcome]:
        """All outcomes in the order they came in."""
        for row in self._db.execute("SELECT * FROM outcomes ORDER BY event"):
            yield _outcome(row)

    def times(self) -> tuple[float, dict[int, float]]:
        """When the last event was, 0 before the first; when each trial was proposed."""
        proposed = dict(self._db.execute("SELECT number, proposed_at FROM trials").fetchall())
        (finished,) = self._db.execute("SELECT MAX(finished_at) FROM outcomes").fetchone()
        return max(finished or 0.0, *proposed.values(), 0.0), proposed

    def sessions(self) -> list[tuple[int, float]]:
        """(workers, seconds) of each time that a driver worked on the run."""
        rows = self._db.execute("SELECT * FROM sessions ORDER BY session")
        return [(row["workers"], row["last_event_at"] - row["ready_at"]) for row in rows]

    def _is_at_risk(self, outcome: Outcome) -> bool:
        """True if a power cut would cost more than waiting for the disk is worth."""
        self._worked += outcome.seconds
        return self._worked + time.monotonic() - self._secured_at >= AT_RISK_S

    @contextmanager
    def _transaction(self, waits_for_disk: bool = True) -> Iterator[sqlite3.Connection]:
        self._db.execute(f"PRAGMA synchronous={'FULL' if waits_for_disk else 'NORMAL'}")
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
        if waits_for_disk:
            self._worked, self._secured_at = 0.0, time.monotonic()


def _trial(row: sqlite3.Row) -> Trial:
    return Trial(
        number=row["number"],
        chromosome=tuple(json.loads(row["chromosome"])),
        blueprint=Blueprint.from_dict(json.loads(row["blueprint"])),
        seed=row["seed"],
        parents=tuple(json.loads(row["parents"])),
        operator=row["operator"],
        rung=row["rung"],
        continues=row["continues"],
    )


def _outcome(row: sqlite3.Row) -> Outcome:
    return Outcome(
        number=row["number"],
        status=row["status"],
        measures=json.loads(row["measures"]),
        curve=tuple(json.loads(row["curve"])),
        seconds=row["seconds"],
        busy_seconds=row["busy_seconds"],
        error_kind=row["error_kind"],
        error_text=row["error_text"],
        details=json.loads(row["details"]),
        source=row["source"],
        attempts=row["attempts"],
    )
