"""Trials that share a GPU of which Ray was told."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

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


@pytest.mark.slow
@pytest.mark.ray
def test_ray_told_of_a_gpu_does_the_same(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RAY_WITH_A_GPU],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stdout.strip().endswith("all is well"), done.stderr
