"""Addresses of Ray clusters that cannot be joined are told before a run is made."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import evonas

from evonas.executors.ray_service import address_fault


@pytest.fixture
def free_port() -> Iterator[int]:
    """A port that nobody listens on, and that nobody else gets meanwhile."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nonsense",
        "127.0.0.1",
        "127.0.0.1:",
        ":6379",
        "host:0",
        "host:70000",
        "host:1e3",
        "host:²",
        "ray://127.0.0.1:10001",
        "http://127.0.0.1:8265",
        "127.0.0.1:6379/x:1",
    ],
)
def test_what_is_no_address_of_a_cluster_is_told(address: str) -> None:
    fault = address_fault(address)
    assert fault is not None
    assert fault.startswith(f"executor.address={address}: write HOST:PORT of a Ray cluster")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "no-such-host.invalid", "a..b"])
def test_an_address_where_nobody_answers_is_told(host: str, free_port: int) -> None:
    fault = address_fault(f"{host}:{free_port}")
    assert fault is not None
    assert fault.startswith(f"executor.address={host}:{free_port}: no Ray cluster answers there: ")


def test_an_address_where_somebody_answers_is_left_to_ray() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert address_fault(f"127.0.0.1:{server.getsockname()[1]}") is None


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_a_search_on_a_cluster_that_is_not_there_ends_with_one_line(
    scheme: str, free_port: int
) -> None:
    Path("mine.py").write_text("def f(blueprint):\n    return 1\n")
    words = ["space=nano", "evaluator=python", "evaluator.function=mine:f", "objectives=v:max"]
    result = evonas("search", *words, f"executor.address={scheme}127.0.0.1:{free_port}")
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"executor.address={scheme}127.0.0.1:{free_port}: ")
    assert not Path("runs").exists()
