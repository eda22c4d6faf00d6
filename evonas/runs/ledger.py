"""run.db: every trial and every outcome, on record before it counts.

SQLite in WAL mode: one transaction an event. What was acknowledged survives its driver, however
that ends. To survive a power cut too it has to wait for the disk, which takes milliseconds: an
outcome waits as soon as `AT_RISK_S` of work would be lost, so that a training always does, and of a
thousand look-ups a few. The log is one file: who waits takes all before it along, and a power cut
loses the last events only. A trial need not wait, since its worker ends with the power. The driver
is the only writer; anybody may read.
"""

import json
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from evonas.errors import FileError, RunError
from evonas.files import told
from evonas.runs import schema
from evonas.runs.rows import outcome_of, outcome_row, session_row, trial_of, trial_row
from evonas.trial import Outcome, Trial

COPIES = 10  # tries to copy a database that is being written
AT_RISK_S = 0.1  # of work that a power cut may take along
UNWRITABLE = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
)
# What reading a damaged row or a damaged database ends in.
SIGNS = (
    sqlite3.Error,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    AssertionError,
    OverflowError,
    RecursionError,
    MemoryError,
)


class Damaged(Exception):
    """What is not as it was written."""


@contextmanager
def damage_told(path: Path) -> Iterator[None]:
    """Turns what a damaged database leads to into a message.

    Raises:
        RunError: Says what is damaged, and how to save the rest.
    """
    try:
        yield
    except Damaged as problem:
        raise _damage(path, str(problem)) from None
    except SIGNS as problem:
        raise _damage(path, str(problem) or type(problem).__name__) from None


def _damage(path: Path, what: str) -> RunError:
    return RunError(
        f"{path} is damaged: {what}. What is left is saved by: evonas repair {path.parent}"
    )


class Ledger:
    """The open database of one run; `clock` gives the times that are noted in it."""

    def __init__(self, path: Path, uri: str | None = None) -> None:
        self.clock: Callable[[], float] = time.time
        self.stopwatch: Callable[[], float] = time.monotonic  # what no setting of the clock moves
        self.path = path
        with self._told():
            self._db = sqlite3.connect(uri or path, isolation_level=None, uri=uri is not None)
            self._db.row_factory = sqlite3.Row
        self._worked = 0.0  # seconds of workers that no wait for the disk has secured yet
        self._secured_at = time.monotonic()
        self._began: float | None = None  # when its own session did, by the stopwatch

    @classmethod
    def _writable(cls, path: Path) -> Self:
        ledger = cls(path)
        with ledger._told():
            ledger._db.execute("PRAGMA journal_mode=WAL")
            ledger._db.execute("PRAGMA busy_timeout=10000")
        return ledger

    @classmethod
    def create(cls, path: Path, meta: Mapping[str, Any]) -> Self:
        """A new database with these entries in its table of facts; ":memory:" is no file."""
        ledger = cls._writable(path)
        with ledger._told():
            ledger._db.executescript(f"BEGIN;{schema.SCHEMA}COMMIT;")
        ledger.write_meta({"schema_version": schema.SCHEMA_VERSION, **meta})
        return ledger

    @classmethod
    def open(cls, path: Path) -> Self:
        """The database of an existing run; one of an older version of evonas is brought up to date.

        Raises:
            RunError: There is none, it is damaged, or a newer version of evonas wrote it.
            FileError: It cannot be written.
        """
        _check_is_there(path)
        with damage_told(path):
            ledger = cls._writable(path)
            try:
                ledger._bring_up_to_date()
            except BaseException:
                ledger.close()
                raise
        return ledger

    @classmethod
    @contextmanager
    def read(cls, path: Path) -> Iterator[Self]:
        """The database of a run that others may be writing, or that may not be written at all.

        What SQLite needs beside a database in order to read it cannot be made there then. A log
        that waits to be folded in belongs to the run: it is read from a copy.

        Raises:
            RunError: There is none, it is damaged, or a newer version of evonas wrote it.
        """
        _check_is_there(path)
        if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
            with closing(cls.open(path)) as ledger:
                yield ledger
            return
        with ExitStack() as stack:
            folder = stack.enter_context(TemporaryDirectory())
            ledger = stack.enter_context(closing(cls.open(copied(path, Path(folder)))))
            ledger.path = path
            yield ledger

    def close(self) -> None:
        """Ends the connection; the write-ahead log is folded in by the last one."""
        self._db.close()

    def meta(self) -> dict[str, Any]:
        """Facts about the run as a whole."""
        facts = self._texts()
        sound, lost, unknown = schema.sound_facts(facts)
        if wrong := [*lost, *unknown]:
            raise Damaged(f"facts about the run are not as they were written: {', '.join(wrong)}")
        return {key: json.loads(value) for key, value in sound.items()}

    def _texts(self) -> dict[str, str]:
        return dict(self._db.execute("SELECT key, value FROM meta").fetchall())

    def _version(self) -> Any:
        """The version of the schema, which is known before anything is checked."""
        row = self._db.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()
        try:
            return json.loads(row[0])
        except (TypeError, ValueError):
            raise Damaged("it does not tell the version of its schema") from None

    def _bring_up_to_date(self) -> None:
        version = self._version()
        if version in schema.MIGRATIONS:
            with self._transaction() as db:
                version = self._version()  # another process may have been faster
                are_checked = version >= schema.CHECKED_SINCE
                if are_checked:
                    self._check()  # or what is damaged would get a checksum
                while version in schema.MIGRATIONS:
                    for statement in filter(str.strip, schema.MIGRATIONS[version].split(";")):
                        db.execute(statement)
                    version += 1
                _add_checksums(db)
                self._put_facts({"schema_version": version})
        if version != schema.SCHEMA_VERSION:
            raise RunError(
                f"{self.path} has schema version {version}, this evonas reads "
                f"{schema.SCHEMA_VERSION}."
            )

    def _check(self) -> None:
        """Raises Damaged unless all facts and rows are as they were written."""
        self.meta()
        for table in schema.KEYS:
            for _ in self._rows(table):
                pass

    def write_meta(self, values: Mapping[str, Any]) -> None:
        """Adds or replaces facts, all or none."""
        with self._transaction():
            self._put_facts(values)

    def _put_facts(self, values: Mapping[str, Any]) -> None:
        texts = self._texts() | {key: json.dumps(value) for key, value in values.items()}
        texts.pop(schema.CHECKSUMS, None)
        texts[schema.CHECKSUMS] = schema.checksums_of(texts)
        self._db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", texts.items())

    def restore(self, rows: Mapping[str, Sequence[Sequence[Any]]]) -> None:
        """Puts in rows that were saved from another database, all or none."""
        with self._transaction() as db:
            for table, saved in rows.items():
                _insert(db, table, saved)

    def add_trials(self, trials: Iterable[Trial], seen: int) -> None:
        """Records proposals, all or none, before any of them is submitted."""
        now = self.clock()
        rows = [trial_row(trial, seen, now) for trial in trials]
        with self._transaction(waits_for_disk=False) as db:
            _insert(db, "trials", rows)

    def add_outcome(self, outcome: Outcome, scales: Mapping[str, str]) -> None:
        """Records what came of a trial; what took long is on the disk when this returns."""
        now = self.clock()
        with self._transaction(self._is_at_risk(outcome)) as db:
            (last,) = db.execute("SELECT MAX(event) FROM outcomes").fetchone()
            event = (last or 0) + 1
            _insert(db, "outcomes", [outcome_row(event, outcome, scales, now)])
            self._extend_session(now, event)

    def _extend_session(self, now: float, event: int) -> None:
        """The last session reaches to this event."""
        last = "SELECT * FROM sessions ORDER BY session DESC LIMIT 1"
        row = self._db.execute(last).fetchone()
        if row is None:
            return
        number, seconds = row["session"], row["seconds"]
        if self._began is not None:
            seconds = self.stopwatch() - self._began
        changed = session_row(number, row["workers"], row["ready_at"], now, seconds, event)
        self._db.execute("DELETE FROM sessions WHERE session = ?", (number,))
        _insert(self._db, "sessions", [changed])

    def begin_session(self, workers: int) -> None:
        """Starts the clock of utilisation: called when all workers are ready."""
        now = self.clock()
        with self._transaction() as db:
            (last,) = db.execute("SELECT MAX(session) FROM sessions").fetchone()
            (event,) = db.execute("SELECT COUNT(*) FROM outcomes").fetchone()
            number = (last or 0) + 1
            _insert(db, "sessions", [session_row(number, workers, now, now, 0, event)])
        self._began = self.stopwatch()

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
        for row in self._rows("trials"):
            yield trial_of(row), row["seen"]

    def outcomes(self) -> Iterator[Outcome]:
        """All outcomes in the order they came in."""
        place = 0
        for place, row in enumerate(self._rows("outcomes"), 1):
            if row["event"] != place:
                raise Damaged(f"outcome {place} is missing")
            yield outcome_of(row)
        (known,) = self._db.execute("SELECT MAX(last_event) FROM sessions").fetchone()
        if known is not None and known != place:
            raise Damaged(f"it holds {place} of {known} outcomes")

    def _rows(self, table: str) -> Iterator[sqlite3.Row]:
        """All rows of a table by its key, each as it was written."""
        key = schema.KEYS[table]
        for row in self._db.execute(f"SELECT * FROM {table} ORDER BY {key}"):
            if not schema.is_sound(row):
                raise Damaged(f"row {row[key]!r} of its {table} is not as it was written")
            yield row

    def times(self) -> tuple[float, dict[int, float]]:
        """When the last event was, 0 before the first; when each trial was proposed."""
        proposed = dict(self._db.execute("SELECT number, proposed_at FROM trials").fetchall())
        (finished,) = self._db.execute("SELECT MAX(finished_at) FROM outcomes").fetchone()
        return max(finished or 0.0, *proposed.values(), 0.0), proposed

    def sessions(self) -> list[tuple[int, float]]:
        """(workers, seconds) of each time that a driver worked on the run."""
        rows = list(self._rows("sessions"))
        for place, row in enumerate(rows, 1):
            if row["session"] != place:
                raise Damaged(f"session {place} is missing")
        if not rows and self._db.execute("SELECT 1 FROM outcomes LIMIT 1").fetchone():
            raise Damaged("its sessions are missing")
        return [(row["workers"], row["seconds"]) for row in rows]

    def _is_at_risk(self, outcome: Outcome) -> bool:
        """True if a power cut would cost more than waiting for the disk is worth."""
        self._worked += outcome.seconds
        return self._worked + time.monotonic() - self._secured_at >= AT_RISK_S

    @contextmanager
    def _transaction(self, waits_for_disk: bool = True) -> Iterator[sqlite3.Connection]:
        with self._told():
            self._db.execute(f"PRAGMA synchronous={'FULL' if waits_for_disk else 'NORMAL'}")
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # a full disk has ended it already
                    self._db.execute("ROLLBACK")
                raise
        if waits_for_disk:
            self._worked, self._secured_at = 0.0, time.monotonic()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turns what the disk has against the database into a message."""
        try:
            yield
        except sqlite3.IntegrityError:
            raise
        except sqlite3.DatabaseError as problem:
            if getattr(problem, "sqlite_errorcode", 0) & 0xFF not in UNWRITABLE:
                raise _damage(self.path, str(problem)) from None
            raise FileError(
                f"{self.path} cannot be written: {problem}. Make room there, or let it be written."
            ) from None


def _check_is_there(path: Path) -> None:
    if not path.exists():
        raise RunError(f"{path.parent} is no run: it has no {path.name}.")
    if not path.is_file():
        raise RunError(f"{path} is damaged: it is no file.")
    if path.stat().st_size == 0:
        raise RunError(f"{path} is damaged: it is empty.")


def copied(path: Path, folder: Path) -> Path:
    """A copy of a database and its log, as they were at one moment. Takes no lock.

    Raises:
        FileError: It cannot be read, or there is no room for the copy.
    """
    log = path.with_name(f"{path.name}-wal")
    with told(path):
        for _ in range(COPIES):
            before = _stamps(path, log)
            shutil.copyfile(path, folder / path.name)
            (folder / log.name).unlink(missing_ok=True)
            if before[1] is not None:
                shutil.copyfile(log, folder / log.name)
            if _stamps(path, log) == before:
                break
    return folder / path.name


def _stamps(*files: Path) -> list[tuple[int, int] | None]:
    return [(f.stat().st_size, f.stat().st_mtime_ns) if f.exists() else None for f in files]


def _insert(db: sqlite3.Connection, table: str, rows: Sequence[Sequence[Any]]) -> None:
    if rows:
        marks = ", ".join("?" * len(rows[0]))
        db.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)


def _add_checksums(db: sqlite3.Connection) -> None:
    """To rows that an older version wrote."""
    for table, key in schema.KEYS.items():
        rows = db.execute(f"SELECT * FROM {table}").fetchall()
        sums = [(schema.checksum(tuple(row)[:-1]), row[key]) for row in rows]
        db.executemany(f"UPDATE {table} SET checksum = ? WHERE {key} = ?", sums)
