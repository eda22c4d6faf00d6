"""What can be saved of a damaged run, as a run of its own; the damaged one stays as it is."""

import json
import shutil
import sqlite3
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, replace
from itertools import count
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from evonas.errors import RunError
from evonas.files import make_folder, new_folder, told
from evonas.runs.ledger import SIGNS, Ledger, copied
from evonas.runs.rows import outcome_of, outcome_row, session_row, trial_of, trial_row
from evonas.runs.run import load_run
from evonas.runs.run_folder import DATABASE, SETTINGS, SPACE
from evonas.runs.schema import CHECKED_SINCE, KEYS, SCHEMA_VERSION, is_sound, sound_facts
from evonas.settings import Settings
from evonas.space.document import space_name
from evonas.space.load import load_space_file
from evonas.yaml_file import read_yaml, write_yaml

MISSES = 2000  # so many numbers in a row without a row: there are no more
SPARE = {"reference_point", "bfloat16", "ended", "start"}  # facts that a resume finds out again
REBUILT = {"settings", "space", "schema_version", "checksums"}
# Columns that rows of every version have and that are read here; others may be missing.
KNOWN = {
    "trials": ("number", "seen", "proposed_at"),
    "outcomes": ("event", "number", "scales", "finished_at"),
    "sessions": ("session", "workers", "ready_at", "last_event_at"),
}
ADDED = {"trials": {"rung": 0, "continues": None, "confirms": None}}  # what these say if missing
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Repaired:
    """What was saved and where; `lost_outcomes` of saved trials are evaluated again on resume."""

    folder: Path
    trials: int
    outcomes: int
    lost_trials: int
    lost_outcomes: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "folder": str(self.folder)}


def repair(run: Path, to: Path | None = None) -> Repaired:
    """Writes a copy of a run with every record that can be read.

    Args:
        to: The new folder; beside the run and called NAME-repaired if not given.

    Raises:
        RunError: There is nothing to save, or something is at `to` already.
    """
    to = to or run.with_name(f"{run.name}-repaired")
    if to.exists():
        raise RunError(f"{to} is there already. Give another folder by --to.")
    if not (run / DATABASE).is_file():
        raise RunError(f"{run} has no file {DATABASE}: there is nothing to save.")
    make_folder(to.parent)
    with ExitStack() as stack:
        with told(to):
            half_done = stack.enter_context(new_folder(to.parent, f".{to.name[:100]}-"))
        saved = _save(run, half_done)
        load_run(half_done)
        with told(to):
            half_done.rename(to)
    return replace(saved, folder=to)


def _save(run: Path, to: Path) -> Repaired:
    with told(to):
        for file in run.iterdir():
            if not file.name.startswith(f"{DATABASE}") and file.name != "run.lock":
                copy = shutil.copytree if file.is_dir() else shutil.copyfile
                copy(file, to / file.name)
    with TemporaryDirectory() as folder:
        copy_of_base = copied(run / DATABASE, Path(folder))
        with closing(_opened(copy_of_base)) as db:
            facts = _facts(db, run)
            rows = {table: list(_rows(db, table)) for table in KEYS}
    write_yaml(to / SETTINGS, facts["settings"])
    return _written(to, facts, rows)


def _opened(path: Path) -> sqlite3.Connection:
    try:
        db = sqlite3.connect(path, isolation_level=None)
        db.row_factory = sqlite3.Row
        db.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
        db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    except SIGNS as problem:
        raise RunError(f"Nothing of {path.name} can be read: {problem}.") from None
    return db


def _facts(db: sqlite3.Connection, run: Path) -> dict[str, Any]:
    """All facts that are sound; settings and space from the files beside if theirs are not."""
    texts = _texts(db)
    sound, lost, _ = sound_facts(texts)
    facts = {key: json.loads(value) for key, value in sound.items()}
    if lost == ["checksums"] and (_version(texts) or CHECKED_SINCE) < CHECKED_SINCE:
        facts = {key: json.loads(value) for key, value in texts.items()}
        lost = []
    missing = sorted({*lost, *({"device", "data"} - facts.keys())} - SPARE - REBUILT)
    if missing:
        raise RunError(
            f"{run / DATABASE} has lost facts that nothing else tells: {', '.join(missing)}. A run "
            "without them can neither be read nor go on."
        )
    if "settings" not in facts:
        values, _ = read_yaml(run / SETTINGS, RunError)
        facts["settings"] = _settings(values, run).to_dict()
    name = space_name(_settings(facts["settings"], run).space)
    facts["space"] = load_space_file(run / SPACE, name).fingerprint
    return {**facts, "schema_version": SCHEMA_VERSION}


def _texts(db: sqlite3.Connection) -> dict[str, str]:
    try:
        rows = [(row["key"], row["value"]) for row in _scan(db, "meta", "key")]
    except SIGNS:  # its columns have other names
        return {}
    return {key: value for key, value in rows if isinstance(key, str) and isinstance(value, str)}


def _version(texts: Mapping[str, str]) -> int | None:
    text = texts.get("schema_version", "")
    return int(text) if text.isdigit() else None


def _settings(values: Any, run: Path) -> Settings:
    try:
        return Settings.model_validate(values)
    except ValueError as problem:
        raise RunError(f"The settings of {run} are damaged: {problem}") from None


def _rows(db: sqlite3.Connection, table: str) -> Iterator[Row]:
    """All rows that are as they were written; of an older version, all that can be read."""
    known = set(KNOWN[table])
    for row in _scan(db, table, KEYS[table]):
        values = dict(zip(row.keys(), row, strict=True))
        if known <= values.keys() and ("checksum" not in values or is_sound(row)):
            yield {**ADDED.get(table, {}), **values}


def _scan(db: sqlite3.Connection, table: str, key: str) -> Iterator[sqlite3.Row]:
    """Rows in their order; where a page is damaged, one row after the other."""
    seen = -1
    try:
        for row in db.execute(f"SELECT * FROM {table} ORDER BY {key}"):
            yield row
            seen = row[key] if isinstance(row[key], int) else seen
        return
    except SIGNS:
        if table == "meta":
            return
    misses, number = 0, seen + 1
    while misses < MISSES:
        row = _row(db, table, key, number)
        misses = misses + 1 if row is None else 0
        if row is not None:
            yield row
        number += 1


def _row(db: sqlite3.Connection, table: str, key: str, number: int) -> sqlite3.Row | None:
    try:
        found: sqlite3.Row | None = db.execute(
            f"SELECT * FROM {table} WHERE {key} = ?", (number,)
        ).fetchone()
    except SIGNS:
        return None
    return found


def _written(to: Path, facts: dict[str, Any], rows: Mapping[str, list[Row]]) -> Repaired:
    trials = {row["number"]: row for row in rows["trials"] if _is(trial_of, row)}
    if facts["settings"].get("schedule") == "generational":  # which waits for every number
        gap = next(number for number in count() if number not in trials)
        trials = {number: row for number, row in trials.items() if number < gap}
    outcomes = [r for r in rows["outcomes"] if r["number"] in trials and _is(outcome_of, r)]
    outcomes = list({row["number"]: row for row in outcomes}.values())
    events = [row["event"] for row in outcomes]
    known = [row["last_event"] for row in rows["sessions"] if "last_event" in row]
    most = max([len(rows["outcomes"]), *events, *known])
    highest = max([*trials, *(row["number"] for row in rows["outcomes"])], default=-1)
    if not trials:
        raise RunError("No trial of it can be read: there is nothing to save.")
    if len(outcomes) < most or len(trials) <= highest:
        facts = {**facts, "ended": None}
    _fill(Ledger.create(to / DATABASE, facts), trials, outcomes, rows["sessions"])
    lost = highest + 1 - len(trials), most - len(outcomes)
    return Repaired(to, len(trials), len(outcomes), *lost)


def _is(read: Any, row: Row) -> bool:
    try:
        read(row)
    except SIGNS:
        return False
    return True


def _fill(
    ledger: Ledger, trials: Mapping[int, Row], outcomes: list[Row], sessions: list[Row]
) -> None:
    """Rows without references to what is lost, events without gaps."""
    events = sorted(row["event"] for row in outcomes)
    kept_trials = []
    for row in trials.values():
        trial = trial_of(row)  # type: ignore[arg-type]
        parents = tuple(parent for parent in trial.parents if parent in trials)
        continues = trial.continues if trial.continues in trials else None
        confirms = trial.confirms if trial.confirms in trials else None
        seen = bisect_right(events, row["seen"])
        whole = replace(trial, parents=parents, continues=continues, confirms=confirms)
        kept_trials.append(trial_row(whole, seen, row["proposed_at"]))
    kept_outcomes = []
    for event, row in enumerate(outcomes, 1):
        outcome = outcome_of(row)  # type: ignore[arg-type]
        source = outcome.source if outcome.source in trials else None
        first = outcome.notes.training_of
        notes = replace(outcome.notes, training_of=first if first in trials else None)
        whole_outcome = replace(outcome, source=source, notes=notes)
        scales = json.loads(row["scales"])
        kept_outcomes.append(outcome_row(event, whole_outcome, scales, row["finished_at"]))
    kept_sessions = [
        session_row(
            place,
            row["workers"],
            row["ready_at"],
            row["last_event_at"],
            row.get("seconds", row["last_event_at"] - row["ready_at"]),
            len(outcomes),
        )
        for place, row in enumerate(sessions, 1)
    ] or [_stand_in(trials, outcomes)]
    kept = {"trials": kept_trials, "outcomes": kept_outcomes, "sessions": kept_sessions}
    with closing(ledger):
        ledger.restore(kept)


def _stand_in(trials: Mapping[int, Row], outcomes: list[Row]) -> tuple[Any, ...]:
    """A session in place of those that are lost, of the fewest workers that can have been busy."""
    begin = min(row["proposed_at"] for row in trials.values())
    end = max((row["finished_at"] for row in outcomes), default=begin)
    seconds = max(0.0, end - begin)
    busy = sum(row["busy_seconds"] for row in outcomes)
    workers = max(1, ceil(busy / seconds)) if seconds else 1
    return session_row(1, workers, begin, end, seconds, len(outcomes))
