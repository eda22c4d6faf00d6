"""Files are written whole or not at all, with the rights that the user's umask leaves."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE

import pytest

from evonas.errors import FileError
from evonas.files import new_folder, write_atomically
from evonas.reports.csv_file import write_csv
from evonas.yaml_file import write_yaml


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB with a file that has its whole room but a page."""
    folder = tmp_path / "disk"
    folder.mkdir()
    call = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(folder)]
    if subprocess.run(call, capture_output=True).returncode != 0:
        pytest.skip("only root may mount a disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def umask() -> Iterator[int]:
    before = os.umask(0o027)
    yield 0o027
    os.umask(before)


WRITERS = {
    "bytes": lambda path: write_atomically(path, b"x" * 100_000),
    "text": lambda path: write_atomically(path, "x" * 100_000),
    "yaml": lambda path: write_yaml(path, ["x" * 100_000]),
    "csv": lambda path: write_csv([{"text": "x" * 100_000}], path),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_on_a_full_disk_the_old_file_stays_and_no_other_is_left(full_disk: Path, kind: str) -> None:
    file = full_disk / "file"
    file.write_text("old")
    with pytest.raises(FileError, match=r"disk/file cannot be written: no space left.*Make room"):
        WRITERS[kind](file)
    assert file.read_text() == "old"
    assert list(full_disk.iterdir()) == [file]


@pytest.mark.parametrize("kind", WRITERS)
def test_a_missing_folder_is_told_with_the_path(tmp_path: Path, kind: str) -> None:
    with pytest.raises(FileError, match="none/file cannot be written: no such file or directory"):
        WRITERS[kind](tmp_path / "none" / "file")


@pytest.mark.parametrize("kind", WRITERS)
def test_the_umask_counts(tmp_path: Path, umask: int, kind: str) -> None:
    file = tmp_path / "file"
    WRITERS[kind](file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o666 & ~umask


def test_the_umask_counts_for_folders(tmp_path: Path, umask: int) -> None:
    with new_folder(tmp_path, ".new-") as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o777 & ~umask


AT_WORK = """
import sys
from pathlib import Path
from evonas.files import new_folder

with new_folder(Path(sys.argv[1]), ".new-") as folder:
    (folder / "half").write_text("done")
    print(folder.name, flush=True)
    sys.stdin.read()
"""


@contextmanager
def at_work(parent: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A process that is about to fill a folder, and the folder."""
    call = [sys.executable, "-c", AT_WORK, str(parent)]
    with subprocess.Popen(call, stdin=PIPE, stdout=PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, parent / process.stdout.readline().strip()
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path, number: int) -> None:
    with at_work(tmp_path) as (process, left):
        process.send_signal(number)
        process.wait()
        assert (left / "half").exists()
    with new_folder(tmp_path, ".new-") as folder:
        assert os.listdir(tmp_path) == [folder.name]


@pytest.mark.parametrize("is_stopped", [False, True])
def test_what_a_living_process_works_on_is_left_alone(tmp_path: Path, is_stopped: bool) -> None:
    with at_work(tmp_path) as (process, left):
        if is_stopped:
            process.send_signal(signal.SIGSTOP)
        with new_folder(tmp_path, ".new-"):
            assert (left / "half").exists()
        assert (left / "half").exists()


def test_only_folders_of_such_a_name_are_removed(tmp_path: Path) -> None:
    token = "0123456789ab"
    kept = [".new-x", f".newer-{token}", f".new-{token}0", f"new-{token}", f".new-{token[:-1]}g"]
    for name in (*kept, f".new-{token}"):
        (tmp_path / name).mkdir()
    (tmp_path / f".new-{token[::-1]}").write_text("a file")
    with new_folder(tmp_path, ".new-") as folder:
        folder.rename(tmp_path / "whole")
    assert sorted(os.listdir(tmp_path)) == sorted([*kept, f".new-{token[::-1]}", "whole"])


def test_a_folder_whose_filling_fails_is_removed(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").write_text("done")
        raise KeyError

    with pytest.raises(KeyError), new_folder(tmp_path, ".new-") as folder:
        fail(folder)
    assert os.listdir(tmp_path) == []


def test_a_device_takes_the_content() -> None:
    write_atomically(Path("/dev/null"), "lost")
    assert Path("/dev/null").is_char_device()
    with pytest.raises(FileError, match="/dev/full cannot be written: no space left"):
        write_atomically(Path("/dev/full"), "lost")


def test_a_link_stays_and_leads_to_what_is_new(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    (tmp_path / "link").symlink_to("file")
    write_atomically(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "new"


def test_too_many_open_files_are_told() -> None:
    script = (
        "import resource; from pathlib import Path; from evonas.files import write_atomically\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))\n"
        "write_atomically(Path('file'), 'text')\n"
    )
    call = [sys.executable, "-c", script]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert "FileError: file cannot be written: too many open files. Raise the limit" in done.stderr
    assert not Path("file").exists()
