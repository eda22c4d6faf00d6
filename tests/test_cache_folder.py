import tempfile
import threading
from pathlib import Path

import pytest

from evonas.cache_folder import cache_folder
from evonas.errors import FileError
from evonas.files import write_atomically


@pytest.fixture
def homes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All places that could be meant, in one folder."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("EVONAS_CACHE", str(tmp_path / "own"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path


def test_the_users_word_counts_before_the_desktops_and_that_before_home(
    homes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cache_folder("data", "x") == homes / "own" / "data" / "x"
    monkeypatch.delenv("EVONAS_CACHE")
    assert cache_folder("data") == homes / "xdg" / "evonas" / "data"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder("data") == homes / "home" / ".cache" / "evonas" / "data"


def test_the_folder_is_there_and_may_be_asked_for_again(homes: Path) -> None:
    folder = cache_folder("data")
    (folder / "file").write_text("kept")
    assert (cache_folder("data") / "file").read_text() == "kept"


def test_a_cache_that_cannot_be_made_is_told_and_no_other_place_is_taken(homes: Path) -> None:
    (homes / "own").write_text("a file is in the way")
    with pytest.raises(FileError, match=r"own.* cannot be written: .*EVONAS_CACHE"):
        cache_folder("data")
    assert not (homes / "temporary").exists()


def test_a_reader_sees_all_of_the_old_or_all_of_the_new(tmp_path: Path) -> None:
    file = tmp_path / "file.bin"
    contents = [letter * 1_000_000 for letter in (b"a", b"b")]
    write_atomically(file, contents[0])

    def write() -> None:
        for turn in range(20):
            write_atomically(file, contents[turn % 2])

    writer = threading.Thread(target=write)
    writer.start()
    seen = []
    while writer.is_alive():
        seen.append(file.read_bytes())
    writer.join()
    assert seen
    assert all(content in contents for content in seen)
