"""Damages of a run folder: what the commands that read it make of each, on a copy."""

import contextlib
import io
import json
import logging
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import damage_of_models

from evonas.delivery.export import export
from evonas.driver import resume, search
from evonas.errors import EvonasError
from evonas.exporters.file_names import BLUEPRINT, FACTS, ONNX, RECIPE, SOURCE, WEIGHTS
from evonas.key import checksum
from evonas.reports.summary import run_summary, runs_summary, trial_summary
from evonas.runs.repair import repair
from evonas.runs.run import load_run

WORDS = [
    *("space=nano", "data.subset=200", "training.epochs=1", "budget.evaluations=12"),
    *("executor=inline", "display=none", "latency.limit_s=0.05", "run.name=whole"),
]
FILES = ("config.yaml", "space.yaml", "environment.json", "overrides.yaml")
TABLES = ("trials", "outcomes", "sessions", "meta")

EXPORT_EVERY = 20  # damages: an export takes ten times as long as the other commands together

Damage = Callable[[Path, random.Random], str]


def flipped(run: Path, rng: random.Random) -> str:
    """One bit, or one byte."""
    content = bytearray((run / "run.db").read_bytes())
    place = rng.randrange(len(content))
    content[place] ^= rng.choice([1 << rng.randrange(8), rng.randrange(1, 256)])
    (run / "run.db").write_bytes(content)
    return f"byte {place}"


def header(run: Path, rng: random.Random) -> str:
    """A byte of the database's header or of its table of tables."""
    content = bytearray((run / "run.db").read_bytes())
    place = rng.choice([rng.randrange(16, 120), rng.randrange(4096)])
    content[place] = rng.randrange(256)
    (run / "run.db").write_bytes(content)
    return f"byte {place} of the first page"


def zeroed(run: Path, rng: random.Random) -> str:
    """A run of zero bytes, as of a bad sector."""
    content = bytearray((run / "run.db").read_bytes())
    size = rng.choice([1, 16, 512, 4096])
    place = rng.randrange(len(content)) // size * size
    content[place : place + size] = bytes(len(content[place : place + size]))
    (run / "run.db").write_bytes(content)
    return f"{size} bytes at {place}"


def truncated(run: Path, rng: random.Random) -> str:
    content = (run / "run.db").read_bytes()
    size = rng.choice([0, rng.randrange(len(content)), rng.randrange(len(content)) // 4096 * 4096])
    (run / "run.db").write_bytes(content[:size])
    return f"cut to {size} bytes"


def swapped(run: Path, rng: random.Random) -> str:
    """Two pages in each other's place."""
    content = (run / "run.db").read_bytes()
    pages = [content[at : at + 4096] for at in range(0, len(content), 4096)]
    first, second = rng.sample(range(len(pages)), 2)
    pages[first], pages[second] = pages[second], pages[first]
    (run / "run.db").write_bytes(b"".join(pages))
    return f"pages {first} and {second}"


def edited(run: Path, rng: random.Random) -> str:
    """A value, a row, a column or a table, through SQLite."""
    with closing(sqlite3.connect(run / "run.db")) as db, db:
        table = rng.choice(TABLES)
        columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
        keys = [row[0] for row in db.execute(f"SELECT {columns[0]} FROM {table}")]
        key, column = rng.choice(keys), rng.choice(columns[1:])
        value = rng.choice([7, -1, 0.5, "", "x", "[]", "{}", "null", b"\xff\x00", 10**15])
        kind = rng.choice(["value", "value", "value", "row", "column", "table", "rows"])
        where = f"WHERE {columns[0]} = ?"
        with contextlib.suppress(sqlite3.IntegrityError, sqlite3.OperationalError):
            if kind == "value":
                db.execute(f"UPDATE {table} SET {column} = ? {where}", (value, key))
            elif kind == "row":
                db.execute(f"DELETE FROM {table} {where}", (key,))
            elif kind == "rows":
                db.execute(f"DELETE FROM {table} WHERE {columns[0]} > ?", (key,))
            elif kind == "column":
                db.execute(f"ALTER TABLE {table} RENAME COLUMN {column} TO gone")
            else:
                db.execute(f"DROP TABLE {table}")
    return f"{kind} of {table}.{column}, {key}: {value!r}"


def replaced(run: Path, rng: random.Random) -> str:
    """Something else where a file should be."""
    file = run / rng.choice(["run.db", *FILES])
    file.unlink()
    kind = rng.choice(["missing", "folder", "text", "noise", "other"])
    if kind == "folder":
        file.mkdir()
    elif kind == "text":
        file.write_text("{[hello\n" * 99)
    elif kind == "noise":
        file.write_bytes(rng.randbytes(5000))
    elif kind == "other":
        with closing(sqlite3.connect(file)) as db, db:
            db.execute("CREATE TABLE songs (name TEXT)")
    return f"{kind} {file.name}"


def beside(run: Path, rng: random.Random) -> str:
    """A flipped or cut byte in one of the text files."""
    file = run / rng.choice(FILES)
    content = bytearray(file.read_bytes())
    place = rng.randrange(len(content))
    if rng.random() < 0.5:
        content = content[:place]
    else:
        content[place] ^= rng.randrange(1, 256)
    file.write_bytes(content)
    return f"{file.name} at {place}"


def weights(run: Path, rng: random.Random) -> str:
    """Any damage of a file of weights, of the design to be exported or another."""
    file = rng.choice(sorted(run.glob(f"trials/*/{WEIGHTS}")))
    damage = rng.choice([d for d in damage_of_models.DAMAGES if d is not damage_of_models.swap])
    damage(file, rng)
    return f"{file.relative_to(run)}, {getattr(damage, '__name__', '')}"


DAMAGES: dict[str, Damage] = {
    "flipped": flipped,
    "header": header,
    "zeroed": zeroed,
    "truncated": truncated,
    "swapped": swapped,
    "edited": edited,
    "replaced": replaced,
    "beside": beside,
    "weights": weights,
}


def _runs(run: Path) -> Any:
    return runs_summary(load_run(run))


def _inspected(run: Path) -> Any:
    found = load_run(run)
    trials = [trial_summary(found, *found.pair(number)) for number in found.records.outcomes]
    return [run_summary(found), trials, found.rows()]


def _resumed(run: Path) -> Any:
    return run_summary(resume(run))


def _repaired(run: Path) -> Any:
    """What was saved is a run, and each trial and measure of it is as in the whole run."""
    found = load_run(repair(run, run.with_name("saved")).folder)
    return {
        trial.number: (trial.chromosome, trial.seed, dict(outcome.measures) if outcome else None)
        for trial, outcome in found.trials()
    }


def _exported(run: Path) -> Any:
    """The files of the model, but for what tells of latency and of run folders."""
    folder = run.with_name("model")
    export(load_run(run), folder, scale="proxy")
    files = (BLUEPRINT, RECIPE, SOURCE, FACTS, WEIGHTS, ONNX)
    return {name: checksum((folder / name).read_bytes()) for name in files}


COMMANDS: dict[str, Callable[[Path], Any]] = {
    "runs": _runs,
    "inspect": _inspected,
    "resume": _resumed,
    "repair": _repaired,
    "export": _exported,
}


def ended(command: str, run: Path, expected: Any) -> str:
    """How a command on a run ended."""
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            result = COMMANDS[command](run)
    except EvonasError:
        return "told"
    except Exception as problem:
        logging.error("%s: %r", command, problem)
        return "traceback"
    if command == "repair":
        kept = all(
            number in expected and values in (expected[number], (*expected[number][:2], None))
            for number, values in result.items()
        )
        return "right" if kept else "silent"
    return "right" if json.dumps(result) == json.dumps(expected) else "silent"


def whole_run(folder: Path) -> Path:
    """A finished run of real trainings."""
    return search([*WORDS, f"run.folder={folder}"]).folder


def damaged(whole: Path, count: int, seed: int = 0) -> Iterator[dict[str, Any]]:
    """A row for each of `count` damages: what it was, and how each command ended."""
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name) / "work" / whole.name

        def copied() -> Path:
            shutil.rmtree(copy.parent, ignore_errors=True)
            return Path(shutil.copytree(whole, copy))

        expected = {command: call(copied()) for command, call in COMMANDS.items()}
        for number in range(count):
            kind = list(DAMAGES)[number % len(DAMAGES)]
            exports = kind == "weights" or number % EXPORT_EVERY == 0
            what, ends = "", {}
            for command in COMMANDS:
                if command != "export" or exports:
                    what = DAMAGES[kind](copied(), random.Random(f"{seed}-{number}"))
                    ends[command] = ended(command, copy, expected[command])
            yield {"damage": kind, "what": what, "ends": ends}
