"""What run.db holds, how a row is known to be as it was written, and steps from older versions."""

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

SCHEMA_VERSION = 5
CHECKED_SINCE = 3  # the first version with checksums

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
    continues INTEGER,            -- the trial of the same design one rung below
    confirms INTEGER,             -- the trial whose design is trained again
    checksum INTEGER              -- of the values before it, as in all tables
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
    finished_at REAL NOT NULL,
    checksum INTEGER
);
CREATE TABLE sessions (
    session INTEGER PRIMARY KEY,
    workers INTEGER NOT NULL,
    ready_at REAL NOT NULL,
    last_event_at REAL NOT NULL,
    seconds REAL NOT NULL DEFAULT 0,      -- between the two, whatever the clock was set to
    last_event INTEGER NOT NULL DEFAULT 0, -- how many outcomes there were then
    checksum INTEGER
);
"""

# From each older version to the next.
MIGRATIONS: Mapping[int, str] = {
    1: """
ALTER TABLE trials ADD COLUMN rung INTEGER NOT NULL DEFAULT 0;
ALTER TABLE trials ADD COLUMN continues INTEGER;
""",
    2: """
ALTER TABLE trials ADD COLUMN checksum INTEGER;
ALTER TABLE outcomes ADD COLUMN checksum INTEGER;
ALTER TABLE sessions ADD COLUMN seconds REAL NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN last_event INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN checksum INTEGER;
UPDATE sessions SET seconds = MAX(0, last_event_at - ready_at), last_event =
    (SELECT COUNT(*) FROM outcomes WHERE finished_at <= sessions.last_event_at);
""",
    3: "",  # its rows stay as they are: `rows.outcome_of` reads what is meant
    # A checksum is the last of its row, so that a column before it takes a table of its own.
    4: """
CREATE TABLE new_trials (
    number INTEGER PRIMARY KEY,
    chromosome TEXT NOT NULL,
    blueprint TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    seed INTEGER NOT NULL,
    parents TEXT NOT NULL,
    operator TEXT NOT NULL,
    seen INTEGER NOT NULL,
    proposed_at REAL NOT NULL,
    rung INTEGER NOT NULL DEFAULT 0,
    continues INTEGER,
    confirms INTEGER,
    checksum INTEGER
);
INSERT INTO new_trials SELECT number, chromosome, blueprint, fingerprint, seed, parents, operator,
    seen, proposed_at, rung, continues, NULL, NULL FROM trials;
DROP TABLE trials;
ALTER TABLE new_trials RENAME TO trials;
""",
}

KEYS = {"trials": "number", "outcomes": "event", "sessions": "session"}
CHECKSUMS = "checksums"  # the fact that holds those of all other facts


def checksum(values: Iterable[Any]) -> int:
    """Of a row's values, in the types in which SQLite gives them back."""
    return zlib.crc32(repr(tuple(values)).encode("utf-8", "surrogatepass"))


def is_sound(row: Sequence[Any]) -> bool:
    """True if a row is as it was written."""
    *values, written = row
    return bool(written == checksum(values))


def checksums_of(facts: Mapping[str, str]) -> str:
    """What is kept beside the facts: the checksum of each, and one of these."""
    each = {key: checksum([key, value]) for key, value in sorted(facts.items())}
    return json.dumps([each, checksum([each])])


def sound_facts(facts: Mapping[Any, Any]) -> tuple[dict[str, str], list[str], list[str]]:
    """Facts that are as they were written, names of those that are lost, and names unheard of."""
    try:
        each, whole = json.loads(facts[CHECKSUMS])
        if whole != checksum([each]):
            raise ValueError
    except (KeyError, ValueError, TypeError):
        return {}, [CHECKSUMS], []
    sound = {k: v for k, v in facts.items() if each.get(k) == checksum([k, v])}
    unknown = map(str, facts.keys() - each.keys() - {CHECKSUMS})
    return sound, sorted(each.keys() - sound.keys()), sorted(unknown)
