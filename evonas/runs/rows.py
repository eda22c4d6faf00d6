"""Trials and outcomes as rows of run.db, and back."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from evonas.blueprint import Blueprint
from evonas.runs.schema import checksum
from evonas.trial import Notes, Outcome, Status, Trial

NOTES = {field.name for field in fields(Notes)}


def trial_row(trial: Trial, seen: int, proposed_at: float) -> tuple[Any, ...]:
    """The row of a trial."""
    values = (
        trial.number,
        json.dumps(trial.chromosome),
        json.dumps(trial.blueprint.to_dict()),
        trial.blueprint.fingerprint,
        trial.seed,
        json.dumps(trial.parents),
        trial.operator,
        seen,
        float(proposed_at),
        trial.rung,
        trial.continues,
        trial.confirms,
    )
    return (*values, checksum(values))


def outcome_row(
    event: int, outcome: Outcome, scales: Mapping[str, str], finished_at: float
) -> tuple[Any, ...]:
    """The row of an outcome; `event` counts from 1."""
    values = (
        event,
        outcome.number,
        outcome.status,
        json.dumps(dict(outcome.measures), allow_nan=False),
        json.dumps(dict(scales)),
        json.dumps(outcome.curve),
        float(outcome.seconds),
        float(outcome.busy_seconds),
        outcome.error_kind,
        outcome.error_text,
        json.dumps({**outcome.details, **outcome.notes.to_dict()}),
        outcome.source,
        outcome.attempts,
        float(finished_at),
    )
    return (*values, checksum(values))


def session_row(
    session: int, workers: int, ready_at: float, now: float, seconds: float, last_event: int
) -> tuple[Any, ...]:
    """The row of a session."""
    values = (session, workers, float(ready_at), float(now), float(seconds), last_event)
    return (*values, checksum(values))


def trial_of(row: sqlite3.Row) -> Trial:
    """The trial of a row."""
    return Trial(
        number=row["number"],
        chromosome=tuple(json.loads(row["chromosome"])),
        blueprint=Blueprint.from_dict(json.loads(row["blueprint"])),
        seed=row["seed"],
        parents=tuple(json.loads(row["parents"])),
        operator=row["operator"],
        rung=row["rung"],
        continues=row["continues"],
        confirms=row["confirms"],
    )


def outcome_of(row: sqlite3.Row) -> Outcome:
    """The outcome of a row: its notes lie among its details."""
    details = json.loads(row["details"])
    return Outcome(
        number=row["number"],
        status=_status(row["status"], details),
        measures=json.loads(row["measures"]),
        curve=tuple(json.loads(row["curve"])),
        seconds=row["seconds"],
        busy_seconds=row["busy_seconds"],
        error_kind=row["error_kind"],
        error_text=row["error_text"],
        notes=Notes(**{key: details.pop(key) for key in NOTES & details.keys()}),
        details=details,
        source=row["source"],
        attempts=row["attempts"],
    )


def _status(written: Status, details: Mapping[str, Any]) -> Status:
    """Up to version 3 of the schema a design that was never trained was `pruned` too."""
    return "filtered" if written == "pruned" and "filter" in details else written
