"""Addresses of Ray clusters that cannot be joined are told before a run is made."""

import contextlib
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import evonas

from evonas.executors import ray_service
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


def hangs_up(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def says_nothing(connection: socket.socket) -> None:
    pass


def speaks_http(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def speaks_redis(connection: socket.socket) -> None:
    connection.sendall(b"-ERR unknown command\r\n")


def served(server: socket.socket, answer: Callable[[socket.socket], None]) -> None:
    with server.accept()[0] as connection:
        answer(connection)
        with contextlib.suppress(ConnectionError):
            while connection.recv(1000):  # until the other side has heard enough
                pass


@pytest.mark.parametrize("answer", [hangs_up, says_nothing, speaks_http, speaks_redis])
def test_what_answers_and_is_no_ray_is_told(
    answer: Callable[[socket.socket], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_service, "CONNECT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=served, args=(server, answer))
        thread.start()
        fault = address_fault(f"127.0.0.1:{server.getsockname()[1]}")
        thread.join()
    assert fault is not None
    assert "what answers there is no Ray cluster" in fault


@pytest.mark.ray
@pytest.mark.slow
def test_a_cluster_of_ray_is_known_by_its_answer(ray_cluster: object) -> None:
    import ray

    assert address_fault(ray.get_runtime_context().gcs_address) is None


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


OPENS = """
import signal, threading
from evonas.executors.ray_service import RayService

def caught() -> bool:
    rows = open("/proc/self/status").read().splitlines()
    mask = next(row for row in rows if row.startswith("SigCgt")).split()[1]
    return bool(int(mask, 16) >> (signal.SIGTERM - 1) & 1)

def look() -> None:
    while not over.wait(0.001):
        seen.add(caught())

seen, over = set(), threading.Event()
looking = threading.Thread(target=look)
looking.start()
service = RayService()
service.open(1)
over.set()
looking.join()
service.close()
print(seen)
"""


@pytest.mark.ray
@pytest.mark.slow
def test_ray_takes_no_signal_away_at_any_moment_of_its_start() -> None:
    """Else a signal that another thread is given in that moment aborts the program."""
    done = subprocess.run([sys.executable, "-c", OPENS], capture_output=True, text=True)
    assert done.stdout == "{False}\n", done.stderr
