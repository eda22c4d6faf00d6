"""What stops a program: one handler for Ctrl-C, for SIGTERM and for a terminal that closes.

The first signal leaves a mark and raises KeyboardInterrupt in the main thread. Python drops what is
raised in a destructor, and libraries catch more than they mean to; so it is raised again until it
is on its way to whoever handles it.
"""

import _thread
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn

INTERRUPTED = 130  # the exit code
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SAME_S = 1.0  # one wish may come as several signals: a shell repeats those of its terminal
AGAIN_S = 0.5
LIMIT_S = 8.0  # what has not stopped by itself by then is stuck


class _State:
    """What is known of the signals of this process; the main thread's alone but for `lock`."""

    def __init__(self) -> None:
        self.number = 0
        self.since: float | None = None  # the mark: when the first signal came
        self.before: list[BaseException] = []  # what was being handled then
        self.reminds = False  # the next signal is a reminder and no wish
        self.held = 0
        self.text: str | None = None  # how to go on
        self.groups: set[int] = set()
        self.owns_process = False
        self.lock = threading.Lock()


_state = _State()


def take_over() -> None:
    """Handles signals until the process ends, which is a program of evonas' own.

    Also where they were ignored, as in what a script starts in the background, but for SIGHUP:
    `nohup` asks for that.
    """
    _state.owns_process = True
    for number in STOPPING:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _handle)


@contextmanager
def handled() -> Iterator[None]:
    """Handles signals in the block, in the process of somebody else.

    Handlers of the caller's stay. Signals are the main thread's: in another this does nothing.
    """
    before = {} if _state.owns_process else _replaceable()
    for number in before:
        signal.signal(number, _handle)
    try:
        yield
    except KeyboardInterrupt as stopped:
        if _state.text and not stopped.args:  # raised anew by a library
            stopped.args = (_state.text,)
        raise
    finally:
        if before:
            _give_back(before)


def _replaceable() -> dict[signal.Signals, Any]:
    if threading.current_thread() is not threading.main_thread():
        return {}
    handlers = {number: signal.getsignal(number) for number in STOPPING}
    return {number: handler for number, handler in handlers.items() if _is_default(handler)}


def _is_default(handler: Any) -> bool:
    """True of Python's own handlers, and of the one that `ray.init` leaves, which calls exit."""
    defaults = (signal.SIG_DFL, signal.default_int_handler)
    return handler in defaults or getattr(handler, "__module__", "").startswith("ray.")


def _give_back(handlers: dict[signal.Signals, Any]) -> None:
    with _state.lock:
        _state.held += 1
    for number, handler in handlers.items():
        signal.signal(number, handler)
    is_due = _state.since is not None and not _is_under_way()
    text, _state.since, _state.text = _state.text, None, None
    _state.held -= 1
    if is_due:
        raise _interrupt(text)


def came() -> bool:
    """True if a signal has asked to stop."""
    return _state.since is not None


def leave_mark() -> None:
    """Says the same as a signal: for what a library raised by itself."""
    if _state.since is None:
        _state.since = time.monotonic()


def check() -> None:
    """Raises KeyboardInterrupt if a signal came and nothing of it is on its way.

    Raises:
        KeyboardInterrupt: With the words how to go on, if there are any.
    """
    if _state.since is not None and not _state.held and not _is_under_way():
        raise _interrupt(_state.text)


@contextmanager
def held() -> Iterator[None]:
    """Lets a block end that must not be cut in two: a signal is raised after it."""
    _state.held += 1
    try:
        yield
    finally:
        _state.held -= 1
    check()


def say(text: str) -> None:
    """What is said from now on if a signal comes; who said something first is not overruled."""
    if _state.text is None:
        _state.text = text


def take_along(group: int) -> None:
    """This process group ends with the program, even when that has to end at once."""
    _state.groups.add(group)


def let_go(group: int) -> None:
    """The process group is gone."""
    _state.groups.discard(group)


def end_if_stopped() -> None:
    """The last call of a program: ends it with 130 if it was asked to stop.

    From here on signals are ignored: the work is done, and Python takes a moment to end.
    """
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)
    if _state.since is not None:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
        with suppress(OSError, ValueError):
            sys.stderr.flush()
        _end()


def _end() -> NoReturn:
    """Ends the process. Without Python's leave-taking, in which threads of libraries abort."""
    for group in _state.groups:
        with suppress(OSError):
            os.killpg(group, signal.SIGKILL)
    line = " ".join(["Stopped.", *([_state.text] if _state.text else [])])
    with suppress(OSError):
        os.write(2, f"{line}\n".encode())
    os._exit(INTERRUPTED)


def _handle(number: int, frame: FrameType | None) -> None:
    if _state.reminds:
        _state.reminds = False
    elif _state.since is None:
        _state.number, _state.before = number, _being_handled()
        _state.since = time.monotonic()
        with suppress(RuntimeError):  # no thread starts while Python ends
            _thread.start_new_thread(_remind, (_state.since,))
    elif _state.owns_process and time.monotonic() - _state.since > SAME_S:
        _end()
    check()


def _remind(since: float) -> None:
    """The life of a thread that has the mark looked at until it is taken away."""
    main = threading.main_thread().ident
    assert main is not None, "the main thread runs"
    while _state.since == since:
        time.sleep(AGAIN_S)
        if _state.owns_process and time.monotonic() - since > LIMIT_S:
            _end()
        with _state.lock:
            if _state.since == since and not _state.held:
                _state.reminds = True
                signal.pthread_kill(main, _state.number)


def _is_under_way() -> bool:
    return any(
        isinstance(error, KeyboardInterrupt) and not any(error is old for old in _state.before)
        for error in _being_handled()
    )


def _being_handled() -> list[BaseException]:
    """What `except` and `finally` clauses of this thread are at work on, with what led to it."""
    chain: list[BaseException] = []
    error = sys.exception()
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__context__
    return chain


def _interrupt(text: str | None) -> KeyboardInterrupt:
    return KeyboardInterrupt(text) if text else KeyboardInterrupt()
