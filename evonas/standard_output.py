"""Standard output led elsewhere for a while, whoever writes to it: Python, C, a child process."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

STDOUT = 1
STDERR = 2


@contextmanager
def led_to(descriptor: int) -> Iterator[None]:
    """What is written to standard output in this block goes to the file behind the descriptor."""
    sys.stdout.flush()
    kept = os.dup(STDOUT)
    os.dup2(descriptor, STDOUT)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, STDOUT)
        os.close(kept)
