import datetime
import pickle
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evonas.data.plain_pickle import read_plain_pickle
from evonas.errors import DataError


def load(tmp_path: Path, content: bytes) -> dict[str, Any]:
    file = tmp_path / "values"
    file.write_bytes(content)
    return read_plain_pickle(file)


def refusal(tmp_path: Path, content: bytes) -> str:
    with pytest.raises(DataError) as failure:
        load(tmp_path, content)
    (problem,) = failure.value.problems
    assert problem.startswith(f"{tmp_path / 'values'} ")
    return problem


PLAIN = {
    b"bytes": b"\x00\xff",
    "text": "ä",
    "long bytes": bytes(300),
    "numbers": [0, -1, 255, 70_000, 2**40, 1.5, True, False, None],
    "nested": {"list": [[], {}], "tuple": ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4))},
}


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_values_come_back_with_keys_as_strings(tmp_path: Path, protocol: int) -> None:
    expected = {**PLAIN, "bytes": PLAIN[b"bytes"]}
    del expected[b"bytes"]
    assert load(tmp_path, pickle.dumps(PLAIN, protocol)) == expected


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("dtype", ["u1", "<i4", ">i2", "f8", "?"])
def test_arrays_come_back(tmp_path: Path, protocol: int, dtype: str) -> None:
    array = np.arange(12).reshape(3, 4).astype(dtype)
    content = {"array": array, "turned": np.asfortranarray(array), "same": array}
    loaded = load(tmp_path, pickle.dumps(content, protocol))
    assert loaded.keys() == content.keys()
    for found in loaded.values():
        assert found.dtype == array.dtype
        assert np.array_equal(found, array)


def test_an_array_of_python_2_comes_back(tmp_path: Path) -> None:
    """The instructions in which the published batches of CIFAR-10 are written."""
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04K\x00\x85q\x05U\x01b"
        b"\x87Rq\x06(K\x01K\x02K\x02\x86cnumpy\ndtype\nq\x07U\x02u1K\x00K\x01\x87Rq\x08(K\x03U"
        b"\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x04\x01\x02\xfe\xfftb"
    )
    content = b"\x80\x02}q\x01(U\x04dataq\x02" + array + b"U\x06labels]q\x09(K\x03K\x04eu."
    loaded = load(tmp_path, content)
    assert loaded["data"].tolist() == [[1, 2], [254, 255]]
    assert loaded["labels"] == [3, 4]


class Evil:
    """Runs a command when it is unpickled by others."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("protocol", [0, 1, 2, 4, 5])
def test_what_would_run_something_is_refused_and_does_not_run(
    tmp_path: Path, protocol: int
) -> None:
    import os

    witness = tmp_path / "ran"
    content = pickle.dumps({"data": Evil(os.system, f"touch {witness}")}, protocol)
    problem = refusal(tmp_path, content)
    assert " was not loaded: it asks for " in problem
    assert protocol == 0 or "posix.system" in problem or "instruction" in problem
    assert not witness.exists()


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (Evil(eval, "1"), "builtins.eval"),
        (Evil(getattr, "", "join"), "builtins.getattr"),
        (datetime.date(2024, 1, 1), "datetime.date"),
        (np.array([object], dtype=object), "an array of 'O8'"),
        (np.zeros(2, "U3"), "an array of 'U3'"),
        (np.zeros(2, [("a", "u1")]), "an array of "),
        (np.float32(1), "multiarray.scalar"),
        (Evil(bytes.fromhex, "00"), "getattr"),
        ({1, 2}, "instruction EMPTY_SET"),
        (2**5000, "instruction LONG4"),
    ],
)
def test_whatever_is_not_plain_is_named(tmp_path: Path, value: Any, named: str) -> None:
    problem = refusal(tmp_path, pickle.dumps({"data": value}, protocol=4))
    assert named in problem.replace("__builtin__", "builtins")
    assert "only plain arrays, bytes, strings" in problem


def test_an_admitted_name_cannot_be_used_for_anything_else(tmp_path: Path) -> None:
    calls = [
        b"cnumpy\nndarray\nK\x05\x85R",  # an array of its own making
        b"c_codecs\nencode\nX\x01\x00\x00\x00aX\x03\x00\x00\x00hex\x86R",
        b"cnumpy\ndtype\nX\x01\x00\x00\x00O\x85R",
        b"K\x01K\x01\x85R",  # a number called
    ]
    for call in calls:
        assert "it asks for" in refusal(tmp_path, b"\x80\x02" + call + b".")
    built = b"\x80\x02}cnumpy\nndarray\n}b."  # attributes set on a class
    assert "no whole pickle" in refusal(tmp_path, built)


def test_damaged_and_other_files_are_told(tmp_path: Path) -> None:
    whole = pickle.dumps({"data": np.zeros((4, 4), np.uint8), "labels": [1, 2]}, protocol=2)
    for length in range(1, len(whole), 4):
        assert "no whole pickle" in refusal(tmp_path, whole[:length])
    assert "holds no dict" in refusal(tmp_path, pickle.dumps([1]))
    assert refusal(tmp_path, b"").endswith("is empty.")
    with pytest.raises(DataError, match="is missing"):
        read_plain_pickle(tmp_path / "none")


def test_an_array_whose_bytes_do_not_fill_its_shape_is_damaged(tmp_path: Path) -> None:
    whole = pickle.dumps({"data": np.zeros(7, np.uint8)}, protocol=2)
    assert whole.count(b"K\x07") == 1
    huge = whole.replace(b"K\x07", b"J" + struct.pack("<i", 2**31 - 1))
    assert "no whole pickle" in refusal(tmp_path, huge)


@settings(deadline=None, derandomize=True, max_examples=150)
@given(data=st.data())
def test_no_damage_ends_in_anything_but_a_data_error(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole = bytearray(pickle.dumps({"data": np.zeros(6, np.uint8), "x": [1, "a"]}, protocol=2))
    for position, byte in data.draw(
        st.lists(st.tuples(st.integers(0, len(whole) - 1), st.integers(0, 255)), max_size=4)
    ):
        whole[position] = byte
    file = tmp_path_factory.getbasetemp() / "damaged"
    file.write_bytes(whole)
    with suppress(DataError):
        read_plain_pickle(file)
