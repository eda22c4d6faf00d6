"""One driver per run, also across processes, and no lock outlives its holder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from evonas.errors import RunError
from evonas.runs.lock import RunLock, is_locked


def test_a_second_holder_is_refused_by_name(tmp_path: Path) -> None:
    with RunLock(tmp_path):
        assert is_locked(tmp_path)
        with pytest.raises(RunError, match=f"process {os.getpid()} on {os.uname().nodename}"):
            RunLock(tmp_path).__enter__()
    assert not is_locked(tmp_path)
    with RunLock(tmp_path):
        pass


def test_a_killed_holder_leaves_no_lock(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from evonas.runs.lock import RunLock\n"
        "lock = RunLock(Path(sys.argv[1])).__enter__()\n"
        "print('held', flush=True); sys.stdin.read()"
    )
    call = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert is_locked(tmp_path)
        holder.kill()
        holder.wait()
    assert not is_locked(tmp_path)
    with RunLock(tmp_path):
        pass
