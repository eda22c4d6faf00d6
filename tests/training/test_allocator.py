"""Memory that a training frees is there for its next step."""

import subprocess
import sys

import pytest

from evonas.training.allocator import keep_freed_memory

BLOCK_MIB = 64
ROUNDS = 20
# Pages given out while large blocks come and go, in a process of its own: the C library of this
# one keeps what it was told.
SCRIPT = f"""
import resource
import torch
from evonas.training.allocator import keep_freed_memory

def pages():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range({ROUNDS}):
        torch.empty({BLOCK_MIB} << 18).fill_(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

usual = pages()
assert keep_freed_memory()
pages()
print(usual, pages())
"""


def test_blocks_are_used_again() -> None:
    if not keep_freed_memory():
        pytest.skip("another C library than glibc")
    command = [sys.executable, "-c", SCRIPT]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    usual, kept = map(int, printed.split())
    a_block = BLOCK_MIB * 256  # pages of 4 KiB
    assert kept < a_block / 10
    assert usual > a_block, "without it, each block is given out anew"
