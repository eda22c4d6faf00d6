"""Freed memory stays with the process: each step of a training asks for the same blocks again."""

import ctypes
from functools import cache

# Parameters of mallopt(3), from glibc's malloc.h.
TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3
KEPT = 1 << 30  # bytes
GROWN_BY = 1 << 26


@cache
def keep_freed_memory() -> bool:
    """Has glibc keep up to 1 GiB that is freed; True if it does, from then on.

    By default a large block goes back to the system at once, and the pages of the next one are
    given out, and zeroed, one by one: up to a third of the time of a network whose maps are large.
    Other C libraries stay as they are.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # musl and macOS; none; Windows
        return False
    wanted = ((MMAP_THRESHOLD, KEPT), (TRIM_THRESHOLD, KEPT), (TOP_PAD, GROWN_BY))
    return all([mallopt(parameter, value) == 1 for parameter, value in wanted])
