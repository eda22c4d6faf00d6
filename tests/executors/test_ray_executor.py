"""A program with a Ray of its own, that was told of a GPU or that dies."""

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from evonas.errors import ExecutorError
from evonas.executors import EXECUTORS
from evonas.settings import ExecutorSettings

# Ray counts whatever GPUs it is told of; the session's own Ray is told of none.
RAY_WITH_A_GPU = """
from pathlib import Path
import ray
from test_local_executor import *

ray.init(address="local", num_cpus=2, num_gpus=1, include_dashboard=False, log_to_driver=False)
for name, share, check in (
    ("first", "auto", check_first_alone_then_together),
    ("second", 0.5, check_crowded_out_is_run_alone),
    ("third", 0.5, check_too_large_fails_once_alone),
):
    with open_executor("ray", Sharing(Path(name).absolute()), gpus_per_trial=share) as executor:
        check(executor)
print("all is well")
"""


# Three seconds are long enough for Ray to look for what was lost with its raylet.
RAY_THAT_DIES = """
import time
from pathlib import Path
import psutil, ray
from evonas.errors import WorkFailed
from test_executor import *

ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
try:
    with open_executor("ray", Path()) as executor:
        outcomes_of(executor, "work")
        executor.submit(trial(1, "hang"))
        next(each for each in psutil.Process().children() if each.name() == "raylet").terminate()
        time.sleep(3)
        executor.wait()
except WorkFailed as failed:
    print(failed)
"""


def said(program: str, folder: Path) -> str:
    """The last line of what a program prints in which modules of tests can be imported."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.ray
def test_ray_told_of_a_gpu_does_the_same(tmp_path: Path) -> None:
    assert said(RAY_WITH_A_GPU, tmp_path) == "all is well"


@pytest.mark.slow
@pytest.mark.ray
def test_a_program_outlives_its_ray_and_is_told(tmp_path: Path) -> None:
    assert said(RAY_THAT_DIES, tmp_path) == "Ray broke down: its raylet ended."


@pytest.mark.slow
@pytest.mark.ray
def test_what_cannot_be_sent_to_a_worker_is_told(ray_cluster: object) -> None:
    lock: Any = threading.Lock()
    executor = EXECUTORS["ray"](lock, ExecutorSettings(name="ray"), 1)
    with (
        pytest.raises(ExecutorError, match=r"cannot pickle '_thread.lock' object. Let it"),
        executor,
    ):
        pass
