from pathlib import Path

import pytest
from conftest import problems_of
from hypothesis import given
from hypothesis import strategies as st

from evonas.errors import DataError, EvonasError, SpaceError
from evonas.yaml_file import read_yaml, write_yaml

FILE = Path("file.yaml")


def read(text: str) -> tuple[object, dict[tuple[str | int, ...], int]]:
    FILE.write_text(text, encoding="utf-8")
    return read_yaml(FILE, SpaceError)


def test_every_value_has_the_line_it_starts_on() -> None:
    values, lines = read(
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


def test_merged_keys_are_copies_that_give_way_to_own_ones() -> None:
    values, lines = read("a: &a {x: [1], y: 2}\nb:\n  <<: *a\n  y: 3\n")
    assert values == {"a": {"x": [1], "y": 2}, "b": {"x": [1], "y": 3}}
    assert lines[("b", "x")] == 1
    assert lines[("b", "y")] == 4
    assert isinstance(values, dict)
    assert values["a"]["x"] is not values["b"]["x"]


@pytest.mark.parametrize("text", ["", "# nothing but a comment\n", "---\n"])
def test_an_empty_file_is_nothing(text: str) -> None:
    assert read(text)[0] is None


@pytest.mark.parametrize(
    ("text", "line"),
    [("a: 1\nb: 2\na: 3\n", 3), ("a: 1\nb: {c: 1,\n  c: 2}\n", 3), ("- {x: 1, x: 1}\n", 1)],
)
def test_a_key_that_stands_twice_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(SpaceError, match=rf'file.yaml \(line {line}\): the key ".".* twice'):
        read(text)


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
def test_what_is_not_plain_yaml_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(SpaceError, match=rf"file.yaml \(line {line}\)"):
        read(text)


@pytest.mark.parametrize(
    "text",
    ["a: '\x07'\n", "? [1, 2]\n: 3\n", "a: 2024-13-45\n", "a: &a [*a]\n"],
    ids=["control character", "list as a key", "no such date", "list in itself"],
)
def test_what_yaml_allows_and_nobody_means_is_refused(text: str) -> None:
    with pytest.raises(SpaceError, match=r"file\.yaml"):
        read(text)


@pytest.mark.parametrize("error", [SpaceError, DataError])
def test_a_missing_file_is_the_callers_kind_of_error(error: type[EvonasError]) -> None:
    with pytest.raises(error, match=r"There is no file .*none\.yaml\."):
        read_yaml(Path("none.yaml"), error)


def test_a_folder_and_a_file_of_bytes_cannot_be_read() -> None:
    with pytest.raises(SpaceError, match="cannot be read"):
        read_yaml(Path("."), SpaceError)
    FILE.write_bytes(b"a: \xff\n")
    with pytest.raises(SpaceError, match="cannot be read"):
        read_yaml(FILE, SpaceError)


def test_what_is_written_is_read_back_in_its_order() -> None:
    values = {"z": [1, 2.5, None, True], "a": {"é": "no", "n": "1e-3"}}
    write_yaml(FILE, values)
    found, _ = read_yaml(FILE, SpaceError)
    assert found == values
    assert list(found) == ["z", "a"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("-2E3", -2000.0),
        ("1.", 1.0),
        (".5", 0.5),
        ("0o10", 8),
        ("0x1F", 31),
        ("+12", 12),
        ("~", None),
        ("True", True),
        ("y", "y"),
        ("=", "="),
        ("1.2.3", "1.2.3"),
        ("123:456", "123:456"),
        ("'010'", "010"),
        ("'on'", "on"),
        ("'2024-01-02'", "2024-01-02"),
    ],
)
def test_single_values_are_those_of_yaml_1_2(text: str, value: object) -> None:
    (found,) = read(f"- {text}\n")[0]  # type: ignore[misc]
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    ("text", "write"),
    [
        ("010", "10, or 8 if that is meant"),
        ("-0_1", "-1, or -1"),
        ("09", '9, or "09"'),
        ("1:30", "90"),
        ("-1:30:00.5", "-5400.5"),
        ("1_000", "1000"),
        ("1_0.5", "10.5"),
        ("0b101", "5"),
        ("-0x1F", "-31"),
        ("yes", "true"),
        ("OFF", "false"),
        ("2024-01-02", '"2024-01-02"'),
        ("2024-1-2 10:00:00", '"2024-1-2 10:00:00"'),
    ],
)
def test_what_yaml_1_1_reads_otherwise_is_refused_with_what_to_write(text: str, write: str) -> None:
    first, second = problems_of(read, f"a: 1\nb:\n  - {text}\n  - {text}\n")
    assert first.startswith("file.yaml, b.0 (line 3): ")
    assert second.startswith("file.yaml, b.1 (line 4): ")
    assert f"Write {write}" in first


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (".inf", "no finite number"),
        ("-.INF", "no finite number"),
        (".nan", "no finite number"),
        ("1e400", "no finite number"),
        ("9" * 400, "beyond 18446744073709551615"),
        ("-18446744073709551616", "beyond 18446744073709551615"),
        ("0x" + "F" * 17, "beyond 18446744073709551615"),
        ("!!binary aGVsbG8=", "the tag !!binary means nothing here"),
        ("!!str 5", "the tag !!str means nothing here"),
        ("!mine {}", "the tag !mine means nothing here"),
    ],
)
def test_values_that_nothing_takes_are_refused(text: str, problem: str) -> None:
    with pytest.raises(SpaceError, match=rf"file.yaml.*\(line 2\): .*{problem}") as failure:
        read(f"a: 1\nb: {text}\n")
    assert len(str(failure.value)) < 300


def doubling(levels: int) -> str:
    first = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    return first + "".join(
        f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n"
        for level in range(1, levels)
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (doubling(9), "more than 1,000,000 values, with what aliases repeat"),
        (doubling(5) + "b:\n  <<: {c: [*a4, *a4, *a4, *a4, *a4]}\n" * 1 + "d: [" +
         "*a4, " * 9 + "*a4]\n", "more than 1,000,000 values"),
        ("[" * 5000, "more than 100 lists and mappings are inside each other"),
        ("".join(f"{' ' * depth}a:\n" for depth in range(200)), "more than 100 lists"),
        ("a0: &a0 []\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 150)),
         "more than 100 lists"),
        ("x: &x\n  <<: *x\n", r"\*x stands inside of what it repeats"),
        ("a: 1\n---\nb: 1\n", "a second document begins here"),
    ],
    ids=["aliases", "merged", "flow", "blocks", "aliases in aliases", "itself", "documents"],
)  # fmt: skip
def test_texts_that_stand_for_too_much_are_refused(text: str, problem: str) -> None:
    with pytest.raises(SpaceError, match=rf"file.yaml \(line \d+\): .*{problem}"):
        read(text)


def test_an_endless_file_is_not_read_to_its_end() -> None:
    with pytest.raises(SpaceError, match="has more than 16 MiB"):
        read_yaml(Path("/dev/zero"), SpaceError)


WORDS_AND_NUMBERS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**64) + 1, 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.sampled_from(
        ["on", "1e-3", "010", "1:30", "1_0", "0o7", "<<", "=", "~", "", "-", "2024-01-02"]
    ),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(WORDS_AND_NUMBERS)
def test_whatever_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, value: object
) -> None:
    file = tmp_path_factory.getbasetemp() / "written.yaml"
    write_yaml(file, value)
    assert repr(read_yaml(file, SpaceError)[0]) == repr(value)
