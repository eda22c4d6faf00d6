from pathlib import Path

import pytest

from evonas.errors import DataError, EvonasError, SpaceError
from evonas.yaml_file import read_yaml, write_yaml


def read(folder: Path, text: str) -> tuple[object, dict[tuple[str | int, ...], int]]:
    file = folder / "file.yaml"
    file.write_text(text, encoding="utf-8")
    return read_yaml(file, SpaceError)


def test_every_value_has_the_line_it_starts_on(tmp_path: Path) -> None:
    values, lines = read(
        tmp_path,
        """\
# a comment
one: 1
group:
  inner: [5,
    6]
  list:
    - a
    - b: 2
""",
    )
    assert values == {"one": 1, "group": {"inner": [5, 6], "list": ["a", {"b": 2}]}}
    assert lines == {
        (): 2,
        ("one",): 2,
        ("group",): 3,
        ("group", "inner"): 4,
        ("group", "inner", 0): 4,
        ("group", "inner", 1): 5,
        ("group", "list"): 6,
        ("group", "list", 0): 7,
        ("group", "list", 1): 8,
        ("group", "list", 1, "b"): 8,
    }


def test_merged_keys_are_copies_that_give_way_to_own_ones(tmp_path: Path) -> None:
    values, lines = read(tmp_path, "a: &a {x: [1], y: 2}\nb:\n  <<: *a\n  y: 3\n")
    assert values == {"a": {"x": [1], "y": 2}, "b": {"x": [1], "y": 3}}
    assert lines[("b", "x")] == 1
    assert lines[("b", "y")] == 4
    assert isinstance(values, dict)
    assert values["a"]["x"] is not values["b"]["x"]


@pytest.mark.parametrize("text", ["", "# nothing but a comment\n", "---\n"])
def test_an_empty_file_is_nothing(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text)[0] is None


@pytest.mark.parametrize(
    ("text", "line"),
    [("a: 1\nb: 2\na: 3\n", 3), ("a: 1\nb: {c: 1,\n  c: 2}\n", 3), ("- {x: 1, x: 1}\n", 1)],
)
def test_a_key_that_stands_twice_is_refused_with_its_line(
    tmp_path: Path, text: str, line: int
) -> None:
    with pytest.raises(SpaceError, match=rf'file.yaml \(line {line}\): the key ".".* twice'):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: [1, 2\nb: 3\n", 2),
        ("a: b: c\n", 1),
        ("a: 1\n\tb: 2\n", 2),
        ("a: *nowhere\n", 1),
        ("a: 1\nb: !!python/name:os.getcwd ''\n", 2),
    ],
)
def test_what_is_not_plain_yaml_is_refused_with_its_line(
    tmp_path: Path, text: str, line: int
) -> None:
    with pytest.raises(SpaceError, match=rf"file.yaml \(line {line}\)"):
        read(tmp_path, text)


@pytest.mark.parametrize(
    "text",
    ["a: '\x07'\n", "? [1, 2]\n: 3\n", "a: 2024-13-45\n", "a: &a [*a]\n"],
    ids=["control character", "list as a key", "no such date", "list in itself"],
)
def test_what_yaml_allows_and_nobody_means_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SpaceError, match=r"file\.yaml"):
        read(tmp_path, text)


@pytest.mark.parametrize("error", [SpaceError, DataError])
def test_a_missing_file_is_the_callers_kind_of_error(
    tmp_path: Path, error: type[EvonasError]
) -> None:
    with pytest.raises(error, match=r"There is no file .*none\.yaml\."):
        read_yaml(tmp_path / "none.yaml", error)


def test_a_folder_and_a_file_of_bytes_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SpaceError, match="cannot be read"):
        read_yaml(tmp_path, SpaceError)
    (tmp_path / "file.yaml").write_bytes(b"a: \xff\n")
    with pytest.raises(SpaceError, match="cannot be read"):
        read_yaml(tmp_path / "file.yaml", SpaceError)


def test_what_is_written_is_read_back_in_its_order(tmp_path: Path) -> None:
    values = {"z": [1, 2.5, None, True], "a": {"é": "no", "n": "1e-3"}}
    write_yaml(tmp_path / "file.yaml", values)
    found, _ = read_yaml(tmp_path / "file.yaml", SpaceError)
    assert found == values
    assert list(found) == ["z", "a"]
