"""A damaged run is told, never read wrongly; what is left of it can be saved."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

import evonas
from evonas.driver import resume
from evonas.errors import EvonasError, RunError
from evonas.reports.summary import run_summary
from evonas.runs.ledger import Ledger
from evonas.runs.repair import repair

WORDS = ["space=nano", "objectives=macs", "executor=inline", "data.subset=100", "display=none"]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run that counts only, of 20 trials; damage copies of it."""
    folder = tmp_path_factory.mktemp("sound")
    words = [*WORDS, "budget.evaluations=20", "training.epochs=1", f"run.folder={folder}"]
    return evonas.search([*words, "run.name=sound"]).folder


@pytest.fixture
def run(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "runs" / "hurt"))


def by_sql(*statements: str) -> Callable[[Path], object]:
    def damage(run: Path) -> None:
        with closing(sqlite3.connect(run / "run.db")) as db, db:
            for statement in statements:
                db.execute(statement)

    return damage


def by_bytes(change: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    return lambda run: (run / "run.db").write_bytes(change((run / "run.db").read_bytes()))


def other_programme(run: Path) -> None:
    (run / "run.db").unlink()
    by_sql("CREATE TABLE songs (name TEXT)")(run)


def folder_in_place(run: Path) -> None:
    (run / "run.db").unlink()
    (run / "run.db").mkdir()


def first_session_lost(run: Path) -> None:
    """A run that was resumed once has two."""
    with closing(Ledger.open(run / "run.db")) as ledger:
        ledger.begin_session(workers=1)
    by_sql("DELETE FROM sessions WHERE session = 1")(run)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (by_bytes(lambda content: b""), "it is empty"),
    "half": (by_bytes(lambda content: content[: len(content) // 2]), "is damaged"),
    "first page": (by_bytes(lambda content: bytes(4096) + content[4096:]), "not a database"),
    "text": (by_bytes(lambda content: b"hello " * 1000), "not a database"),
    "folder": (folder_in_place, "it is no file"),
    "other": (other_programme, "no such table"),
    "value": (by_sql("UPDATE outcomes SET measures = '{}' WHERE event = 3"), "row 3 of its out"),
    "number": (by_sql("UPDATE outcomes SET seconds = seconds + 1 WHERE event = 3"), "row 3 of its"),
    "type": (by_sql("UPDATE trials SET chromosome = 7 WHERE number = 5"), "row 5 of its trials"),
    "trial": (by_sql("DELETE FROM trials WHERE number = 5"), "trial 5 is missing"),
    "outcome": (by_sql("DELETE FROM outcomes WHERE event = 5"), "outcome 5 is missing"),
    "last outcome": (by_sql("DELETE FROM outcomes WHERE event > 20"), r"holds 20 of \d+ outcomes"),
    "fact": (by_sql("DELETE FROM meta WHERE key = 'ended'"), "ended"),
    "fact's value": (by_sql("UPDATE meta SET value = '{' WHERE key = 'settings'"), "settings"),
    "fact's name": (by_sql("UPDATE meta SET key = 'fnded' WHERE key = 'ended'"), "ended, fnded"),
    "fact's kind": (by_sql("UPDATE meta SET key = x'ff' WHERE key = 'ended'"), r"ended, b'.xff'"),
    "sessions": (by_sql("DELETE FROM sessions"), "its sessions are missing"),
    "session": (by_sql("UPDATE sessions SET session = 2"), "row 2 of its sessions"),
    "first session": (first_session_lost, "session 1 is missing"),
    "checksums": (by_sql("DELETE FROM meta WHERE key = 'checksums'"), "checksums"),
    "version": (by_sql("UPDATE meta SET value = '99' WHERE key = 'schema_version'"), "version 99"),
    "table": (by_sql("DROP TABLE sessions"), "no such table: sessions"),
    "space": (lambda run: (run / "space.yaml").unlink(), "space.yaml"),
    "space's text": (lambda run: (run / "space.yaml").write_bytes(b"\xff{"), "space.yaml"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damage_is_told_with_what_is_damaged(run: Path, name: str) -> None:
    damage, said = DAMAGES[name]
    damage(run)
    for reader in (evonas.load_run, resume):
        with pytest.raises(EvonasError, match=said):
            reader(run)


@pytest.mark.parametrize("file", ["config.yaml", "environment.json", "overrides.yaml"])
def test_what_no_reader_needs_may_be_missing(run: Path, sound: Path, file: str) -> None:
    (run / file).unlink()
    assert evonas.load_run(run).rows() == evonas.load_run(sound).rows()


def test_every_sixteenth_byte_of_some_pages_may_change_and_no_value_is_read_wrongly(
    run: Path, sound: Path
) -> None:
    content = (sound / "run.db").read_bytes()
    expected = (evonas.load_run(sound).rows(), evonas.load_run(sound).facts)
    told = 0
    for place in range(16, len(content), len(content) // 60):
        (run / "run.db").write_bytes(
            content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :]
        )
        try:
            read = evonas.load_run(run)
        except RunError:
            told += 1
        else:
            assert (read.rows(), read.facts) == expected
    assert told > 20


def test_what_is_left_is_saved_inspected_and_resumed(run: Path, sound: Path) -> None:
    by_sql(
        "UPDATE outcomes SET measures = '{}' WHERE event = 3",
        "DELETE FROM outcomes WHERE event > 20",
        "UPDATE trials SET seed = 1 WHERE number = 9",
        "DELETE FROM meta WHERE key = 'settings'",
    )(run)
    before = (run / "run.db").read_bytes()
    saved = repair(run)
    assert (run / "run.db").read_bytes() == before
    trials = len(evonas.load_run(sound).trials())
    assert (saved.trials, saved.lost_trials) == (trials - 1, 1)
    assert (saved.outcomes, saved.lost_outcomes) == (18, trials - 18)
    assert run_summary(evonas.load_run(saved.folder))["status"] == "interrupted"
    done = resume(saved.folder)
    assert done.records.evaluations >= 20
    whole = {trial.number: trial for trial, _ in evonas.load_run(sound).trials()}
    kept = [trial for trial, _ in done.trials() if trial.number < 20]
    assert all(trial.chromosome == whole[trial.number].chromosome for trial in kept)
    with pytest.raises(RunError, match="is there already"):
        repair(run)


@pytest.mark.parametrize(
    "change", ["key = 'fnded'", "key = x'ff'", "value = x'ff'", "value = 7", "value = ''"]
)
@pytest.mark.parametrize("fact", ["ended", "settings", "schema_version"])
def test_facts_whose_names_or_values_are_damaged_are_found_again(
    run: Path, sound: Path, fact: str, change: str
) -> None:
    by_sql(f"UPDATE meta SET {change} WHERE key = '{fact}'")(run)
    saved = repair(run)
    assert saved.lost_trials + saved.lost_outcomes == 0
    assert evonas.load_run(saved.folder).rows() == evonas.load_run(sound).rows()


def test_a_run_without_its_sessions_is_saved_with_one_that_can_have_been(run: Path) -> None:
    by_sql("DELETE FROM sessions")(run)
    saved = evonas.load_run(repair(run).folder)
    (session,) = saved.sessions
    busy = sum(outcome.busy_seconds for outcome in saved.records.outcomes.values())
    assert session[0] == 1
    assert session[1] >= busy


@pytest.mark.parametrize("change", ["key = 'fevice'", "key = x'ff'", "value = x'ff'", "value = 7"])
def test_facts_that_nothing_else_tells_are_named(run: Path, change: str) -> None:
    by_sql(f"UPDATE meta SET {change} WHERE key = 'device'")(run)
    with pytest.raises(RunError, match="lost facts that nothing else tells: device"):
        repair(run)


def test_rows_beside_a_damaged_page_are_saved(run: Path) -> None:
    content = bytearray((run / "run.db").read_bytes())
    page = next(at for at in range(8 * 4096, len(content), 4096) if content[at] == 13)
    content[page : page + 4096] = bytes(4096)
    (run / "run.db").write_bytes(content)
    saved = repair(run)
    assert saved.lost_trials + saved.lost_outcomes > 0
    assert saved.trials > 5
    evonas.load_run(saved.folder)


def test_a_damaged_run_does_not_hide_the_others(sound: Path, run: Path) -> None:
    from typer.testing import CliRunner

    from evonas.cli.app import app

    shutil.copytree(sound, run.with_name("sound"))
    (run / "run.db").write_bytes(b"")
    os.chdir(run.parent.parent)
    listed = CliRunner().invoke(app, ["runs", "--json"])
    status = {each["run"]: each["status"] for each in json.loads(listed.stdout)}
    assert status == {"hurt": "damaged", "sound": "finished"}
    assert "hurt" in CliRunner().invoke(app, ["runs"]).stdout


@pytest.mark.parametrize("log_is_left", [False, True])
def test_a_run_on_a_read_only_mount_is_read(run: Path, sound: Path, log_is_left: bool) -> None:
    if log_is_left:  # of a driver that was killed: its last events are in the log
        killed = sqlite3.connect(run / "run.db", isolation_level=None)
        killed.execute("UPDATE meta SET value = value")
        log = (run / "run.db-wal").read_bytes()
        killed.close()
        (run / "run.db-wal").write_bytes(log)
    mount = f"mount --bind {run} {run} && mount -o remount,ro,bind {run} && "
    script = f"import evonas; print(len(evonas.load_run({str(run)!r}).trials()))"
    call = ["unshare", "-m", "sh", "-c", f'{mount} exec "$0" -c "{script}"']
    done = subprocess.run([*call, sys.executable], capture_output=True, text=True, check=False)
    if "mount" in done.stderr or "unshare" in done.stderr:
        pytest.skip("only root may mount")
    assert (done.stdout, done.stderr) == (f"{len(evonas.load_run(sound).trials())}\n", "")
