"""What all tests share: a cache and a working folder of their own, and one Ray for the session."""

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import chdir, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, TextIO

import pytest

from evonas.errors import EvonasError

# Of this process and those it starts: two of pytest's workers fill two cores, and threads that wait
# for each other spin. Set before anything loads torch or numpy.
os.environ["OMP_NUM_THREADS"] = "1"

# A shell that starts the tests in the background has it ignored, for them and what they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

REPOSITORY = Path(__file__).resolve().parent.parent
EVONAS = Path(sys.executable).with_name("evonas")

# Small enough that a whole search takes seconds.
QUICK = ["space=nano", "data.subset=200", "training.epochs=1", "display=plain"]
QUICK.append("latency.spread=1")  # any latency will do

# As much for detectors, of which a training takes half a second.
SMALL_DETECTOR = REPOSITORY / "tests" / "small_detector.yaml"
SHAPES = ["data.shapes.images=60", "data.shapes.classes=2", "data.shapes.resolution_px=64"]
QUICK_DETECTORS = [f"space={SMALL_DETECTOR}", *SHAPES, *QUICK[2:]]

# A small search of each task over its main measure and a count, and one that compresses.
SMALL_COMPRESSION = REPOSITORY / "tests" / "small_compression.yaml"
QUICK_OF = {
    "classification": [*QUICK, "objectives=accuracy,macs"],
    "detection": [*QUICK_DETECTORS, "objectives=map50_95,macs"],
    "compression": [
        *(f"space=nano+{SMALL_COMPRESSION}", *QUICK[1:]),
        *("objectives=accuracy,size_mib", "evolver.mutation_genes=1"),
    ],
}

# A small network as a space writes it, and a space of its like.
FIXED = """\
scales:
  proxy: {resolution_px: 16, width: 0.5, smallest_map_px: 4}
  full: {resolution_px: 32}
network:
  builder: stages
  activation: relu
  stem: {channels: 8, kernel: 3, stride: 2}
  stages:
    - operation: conv
      kernel: 3
      se_ratio: 0
      skip: none
      channels: 16
      layers: 1
      stride: 1
  head: {channels: 32}
"""
OPERATIONS = """{choice: [conv, inverted_residual]}
      expansion: {choice: [3, 6], when: {operation: inverted_residual}}
"""


def changed(text: str, *changes: tuple[str, str]) -> str:
    """The text with other parts in place of some, each of which stands there once."""
    for old, new in changes:
        assert text.count(old) == 1, f"{old} is not one place"
        text = text.replace(old, new)
    return text


SPACE = changed(
    FIXED,
    ("relu", "{choice: [relu, relu6]}"),
    ("conv\n", OPERATIONS),
    ("kernel: 3\n", "kernel: {choice: [3, 5]}\n"),
)


def a_stage(**changes: Any) -> dict[str, Any]:
    """A convolution to 16 channels that skips where it can."""
    plain = {"operation": "conv", "kernel": 3, "se_ratio": 0, "skip": "identity"}
    return {**plain, "channels": 16, "layers": 1, "stride": 1, **changes}


def a_network(*stages: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Stages behind a stem of 16 channels, as a blueprint has them."""
    stem, head = {"channels": 16, "kernel": 3, "stride": 2}, {"channels": 64}
    plain = {"builder": "stages", "activation": "relu", "stem": stem, "head": head}
    return {**plain, "stages": [*stages] or [a_stage()], **more}


def mistakes(table: str) -> pytest.MarkDecorator:
    """A test's cases: a line is what is written wrong, indented lines are what is told of it.

    Of a line `old => new`, the case has both parts.
    """
    rows = re.findall(r"^(\S.*)\n((?:    .+\n)+)", table, re.MULTILINE)
    assert len(rows) == len(re.findall(r"^\S", table, re.MULTILINE))
    cases = [
        (tuple(part.strip() for part in wrong.split(" =>")) if " =>" in wrong else wrong, told)
        for wrong, told in rows
    ]
    return pytest.mark.parametrize(
        ("wrong", "told"), [(wrong, " ".join(told.split())) for wrong, told in cases]
    )


def problems_of(work: Callable[..., Any], *given: Any) -> list[str]:
    """What the work says that is wrong with what it is given."""
    with pytest.raises(EvonasError) as failure:
        work(*given)
    return failure.value.problems


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The user's cache, for this process and those it starts."""
    folder = tmp_path_factory.mktemp("cache")
    before = os.environ.get("EVONAS_CACHE")
    os.environ["EVONAS_CACHE"] = str(folder)
    yield folder
    if before is None:
        del os.environ["EVONAS_CACHE"]
    else:
        os.environ["EVONAS_CACHE"] = before


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory: runs land here."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def ray_cluster(cache: Path) -> Iterator[None]:
    """One Ray for all tests of this process: starting it takes seconds."""
    # Imported here: most tests need no Ray.
    from evonas.executors.ray_service import RayService

    service = RayService()
    service.open(workers=2)
    yield
    service.close()


@pytest.fixture(scope="session")
def finished_run(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small finished run over real trainings; copy it before changing it."""
    folder = tmp_path_factory.mktemp("finished")
    words = [*QUICK, "executor=inline", "budget.evaluations=14", "run.name=finished"]
    with chdir(folder):
        assert typed("search", *words).returncode == 0
    return folder / "runs" / "finished"


@pytest.fixture
def run_copy(finished_run: Path, working_folder: Path) -> Path:
    """The finished run under runs/ of this test's working folder."""
    return Path(shutil.copytree(finished_run, working_folder / "runs" / "finished"))


def in_onnxruntime(model: bytes | str, images: Any) -> Any:
    """What an ONNX model makes of a tensor of images, on one thread."""
    # Imported here: most tests need neither.
    import onnxruntime
    import torch

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    assert [tensor.name for tensor in session.get_outputs()] == ["logits"]
    return torch.from_numpy(session.run(None, {"images": images.numpy()})[0])


def a_problem(classes: int, mean: tuple[float, ...], deviation: tuple[float, ...]) -> Any:
    """Classification of images with as many channels as means."""
    from evonas.networks.problem import Problem

    names = tuple(map(str, range(classes)))
    return Problem("classification", len(mean), names, mean, deviation)


def evonas(*words: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """The command line as a user calls it, in the current folder."""
    return subprocess.run(
        [str(EVONAS), *words], capture_output=True, text=True, timeout=timeout, check=False
    )


def typed(*words: str) -> subprocess.CompletedProcess[str]:
    """What `evonas` does, in this process: without the seconds that a new one takes to start."""
    from evonas.cli.app import app

    code: int | str | None = 0
    with TemporaryFile("w+") as out, TemporaryFile("w+") as err, _no_modules_of_the_test():
        with _into(out, 1, "stdout"), _into(err, 2, "stderr"):
            try:
                app(list(words), prog_name="evonas")
            except SystemExit as end:
                code = end.code
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(words, int(code or 0), out.read(), err.read())


@contextmanager
def _no_modules_of_the_test() -> Iterator[None]:
    """Forgets what was imported from the current folder: the next test has another `mine`."""
    path, here, known = [*sys.path], str(Path.cwd()), {*sys.modules}
    yield
    sys.path[:] = path
    for name in sys.modules.keys() - known:
        file = getattr(sys.modules[name], "__file__", None) or ""
        if file.startswith(here) and not file.startswith(str(REPOSITORY)):
            del sys.modules[name]


@contextmanager
def _into(file: TextIO, descriptor: int, name: str) -> Iterator[None]:
    """Leads what Python and all else writes to a descriptor into a file."""
    stream, kept = getattr(sys, name), os.dup(descriptor)
    stream.flush()
    os.dup2(file.fileno(), descriptor)
    try:
        with open(descriptor, "w", encoding="utf-8", closefd=False) as written:
            setattr(sys, name, written)
            yield
    finally:
        setattr(sys, name, stream)
        os.dup2(kept, descriptor)
        os.close(kept)


def table(name: str) -> list[tuple[object, ...]]:
    """What two runs that did the same have in common, row by row."""
    query = (
        "SELECT number, chromosome, seed, parents, operator, rung, continues, status, measures, "
        "curve FROM trials JOIN outcomes USING (number) ORDER BY number"
    )
    with closing(sqlite3.connect(f"runs/{name}/run.db")) as db:
        return db.execute(query).fetchall()


def finished(name: str) -> int:
    """How many outcomes are on record."""
    try:
        with closing(sqlite3.connect(f"file:runs/{name}/run.db?mode=ro", uri=True)) as db:
            return int(db.execute("SELECT COUNT(*) FROM outcomes").fetchone()[0])
    except sqlite3.OperationalError:
        return 0  # not made yet
