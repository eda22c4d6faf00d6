"""A loop in a process of its own, to time two of them in turns."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any


@contextmanager
def seconds_elsewhere(
    loop: Callable[..., None], *arguments: Any
) -> Iterator[Callable[[int], float]]:
    """A loop in a process of its own; called with images, it gives the CPU seconds that they took.

    Args:
        loop: Called with a connection and the arguments: receives numbers of images, and sends
            seconds, until it receives None.
    """
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=loop, args=(there, *arguments))
    process.start()
    there.close()

    def seconds(images: int) -> float:
        here.send(images)
        spent: float = here.recv()
        return spent

    yield seconds
    here.send(None)
    process.join()
