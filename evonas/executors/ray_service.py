"""Ray as evonas starts or joins it: on loopback, in a process group and a folder of its own."""

import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from evonas import interrupts
from evonas.errors import ExecutorError, WorkFailed

# Read by Ray when it is imported.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
# By default the parent process is taken for the raylet: if it has ended too, as that of a search in
# the background may have, Ray ends this process without a word when it finds the raylet gone.
os.environ.setdefault("RAY_RAYLET_PID", str(os.getpid()))

LOOPBACK = "127.0.0.1"
CONNECT_S = 5.0  # to a cluster; Ray itself tries for 80 s
LOOK_EVERY_S = 5.0  # at the nodes of a cluster: a question to its head


class RayService:
    """A Ray that this process has started, has joined, or was given by its caller.

    What a terminal sends to a process group does not reach processes of a Ray started here: they
    would end at once, and the driver would lose them in the midst of its own clean end.
    """

    def __init__(self) -> None:
        self.ray: Any = None
        self._is_ours = False
        self._group = 0  # of its processes; its first one's number
        self._folder: str | None = None
        self._looked = 0.0

    @property
    def is_callers(self) -> bool:
        """True if the caller had called `ray.init` already."""
        return not self._is_ours

    def open(self, workers: int, address: str = "local") -> None:
        """Starts Ray on this machine for so many one-core workers, or joins a cluster.

        Without dashboard and without Ray's own output.

        Raises:
            ExecutorError: Ray does not start, or there is no cluster at the address.
        """
        import ray
        from ray._private import worker

        self.ray = ray
        if ray.is_initialized():
            return
        self._is_ours = True
        # Ray prints "(raylet) A worker died" to standard output whatever its log level.
        worker.print_to_stdstream = lambda *arguments, **options: None
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": "CRITICAL"}
        if address == "local":
            self._folder = tempfile.mkdtemp(prefix="evonas-ray-")
            options |= {"num_cpus": workers, "include_dashboard": False}
            options |= {"_node_ip_address": LOOPBACK, "_temp_dir": self._folder}
        try:
            with self._our_ways(), _modules_found():
                ray.init(address=address, **options)
        except (ConnectionError, OSError, RuntimeError, ValueError) as problem:
            raise ExecutorError(
                f"Ray did not start at executor.address={address}: {problem}."
            ) from None

    @contextmanager
    def _our_ways(self) -> Iterator[None]:
        """What `ray.init` offers no option for."""
        from ray._private import ray_constants, services, utils

        with (
            _replaced(services, "ConsolePopen", self._start_process),
            _replaced(services, "resolve_ip_for_localhost", lambda host: host),
            # Ray's handler in Python calls exit, the one in C++ prints a stack and aborts.
            _replaced(utils, "set_sigterm_handler", lambda handler: None),
            _replaced(ray_constants, "RAY_DISABLE_FAILURE_SIGNAL_HANDLER", True),
        ):
            yield

    def _start_process(self, *arguments: Any, **options: Any) -> Any:
        from subprocess import Popen

        with interrupts.held():
            process = Popen(*arguments, process_group=self._group, **options)
            self._group = self._group or process.pid
            interrupts.take_along(self._group)
        return process

    def close(self) -> None:
        """Ends what `open` started, whether or not it came to its end."""
        if self.ray is None:
            return
        if self._is_ours:
            with suppress(Exception):  # of a Ray that is half there, or has died
                self.ray.shutdown()
            self._end_group()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self.ray, self._is_ours, self._folder = None, False, None

    def _end_group(self) -> None:
        if not self._group:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._group, signal.SIGKILL)
        interrupts.let_go(self._group)
        self._group = 0

    def check(self) -> None:
        """Looks whether Ray is still there.

        Raises:
            WorkFailed: A process that everything else depends on has ended.
        """
        from ray._private import worker

        node = worker._global_node
        dead = [name for name, _ in node.dead_processes()] if node is not None else []
        if dead:
            raise WorkFailed(_died(f"its {', '.join(dead)} ended"))
        if not self._folder and time.monotonic() - self._looked > LOOK_EVERY_S:
            self._looked = time.monotonic()
            self._check_node()

    def _check_node(self) -> None:
        """Of a cluster: whether the node is alive that this process is connected to."""
        here = self.ray.get_runtime_context().get_node_id()
        nodes = {node["NodeID"]: node["Alive"] for node in self.ray.nodes()}
        if not nodes.get(here, False):
            raise WorkFailed(_died("the node of this process is dead"))


def address_fault(address: str) -> str | None:
    """Why no cluster can be joined at the address HOST:PORT; None: something answers there."""
    host, _, port = address.rpartition(":")
    is_port = port.isascii() and port.isdecimal() and 0 < int(port[:6]) < 2**16
    if not host or "/" in host or not is_port:
        return (
            f"executor.address={address}: write HOST:PORT of a Ray cluster, without a scheme, as "
            "in 10.0.0.5:6379; or local, for a Ray on this machine alone."
        )
    try:
        with socket.create_connection((host.strip("[]"), int(port)), CONNECT_S) as connection:
            is_ray = _speaks_grpc(connection)
    except (OSError, UnicodeError) as problem:
        why = (getattr(problem, "strerror", None) or str(problem)).lower()
        return (
            f"executor.address={address}: no Ray cluster answers there: {why}. Start it by "
            "ray start --head, which prints its address, or take executor.address=local."
        )
    if is_ray:
        return None
    return (
        f"executor.address={address}: what answers there is no Ray cluster. Write the address that "
        "ray start --head prints, whose port is 6379 unless another was chosen."
    )


# What an HTTP/2 client says first (RFC 9113, section 3.4): a fixed text and its settings, none.
SETTINGS_FRAME = 4
GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, SETTINGS_FRAME, 0, 0, 0, 0, 0])


def _speaks_grpc(connection: socket.socket) -> bool:
    """Whether a server answers as those of HTTP/2 do, by settings of its own.

    Ray itself would try for 80 s. With TLS, only Ray knows the certificates: taken for granted.
    """
    if os.environ.get("RAY_USE_TLS", "0") not in ("0", ""):
        return True
    try:
        connection.sendall(GREETING)
        frame = connection.recv(4)
    except OSError:  # silent for CONNECT_S, or hung up
        return False
    return len(frame) == 4 and frame[3] == SETTINGS_FRAME


def _died(how: str) -> str:
    return f"Ray broke down: {how}."


@contextmanager
def _replaced(module: Any, name: str, value: Any) -> Iterator[None]:
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)


@contextmanager
def _modules_found() -> Iterator[None]:
    """Workers find the modules that this process finds: a user's function may lie anywhere."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
