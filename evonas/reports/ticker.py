"""A line from time to time while something works and says nothing."""

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Self

SILENCE_S = 10.0  # after so long without a line people ask whether anything still happens
SHARE = 0.01  # of what has passed: what takes days is told of every few minutes
LOOK_EVERY_S = 0.5


class Shown:
    """Something that shows how work goes, by what `shown_by` keeps up in the meantime."""

    shown_by: AbstractContextManager[Any]

    def __enter__(self) -> Self:
        self.shown_by.__enter__()
        return self

    def __exit__(self, *ended: Any) -> None:
        self.shown_by.__exit__(*ended)


class Ticker:
    """Calls `tick` from a thread of its own whenever nothing was told for ten seconds.

    When more than a quarter of an hour has passed, the silence may last a hundredth of that.

    Args:
        silence_s: The shortest silence that is ended.
        clock: Real seconds, from any start.
    """

    def __init__(
        self,
        tick: Callable[[], None],
        silence_s: float = SILENCE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.tick = tick
        self.silence_s = silence_s
        self.clock = clock
        self.began_at = self.told_at = clock()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="ticker", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *ended: object) -> None:
        self._is_over.set()
        self._thread.join()

    def told(self) -> None:
        """Something was told just now: the silence begins anew."""
        self.told_at = self.clock()

    @property
    def is_due(self) -> bool:
        """True after too long a silence."""
        return self.silent_s >= max(self.silence_s, SHARE * (self.clock() - self.began_at))

    @property
    def silent_s(self) -> float:
        """How long nothing was told, in seconds."""
        return self.clock() - self.told_at

    def _watch(self) -> None:
        while not self._is_over.wait(min(LOOK_EVERY_S, self.silence_s)):
            if self.is_due:
                self.told()
                self.tick()
