"""Signals stop a program whatever swallows what they raise, and are given back to a caller."""

import os
import signal
import subprocess
import sys
import threading
from textwrap import dedent, indent

import pytest

from evonas import interrupts

BEGIN = """
import os, signal, sys, time
from evonas import interrupts
interrupts.take_over()
interrupts.say("Go on by: that.")
def hit(): os.kill(os.getpid(), signal.{signal})
def go_on():
    while True: time.sleep(0.01)
try:
"""
END = """
finally:
    interrupts.end_if_stopped()
"""
SWALLOWED = {
    "a destructor": """
        class Dropped:
            def __del__(self): hit()
        Dropped()
    """,
    "except BaseException": """
        try: hit()
        except BaseException: pass
    """,
    "set_name, which makes it another error": """
        class Named:
            def __set_name__(self, owner, name): hit()
        try: type("Owner", (), {"named": Named()})
        except BaseException as error: assert not isinstance(error, SystemExit)
    """,
    "a callback of the garbage collector": """
        import gc
        gc.callbacks.append(lambda phase, info: hit() if phase == "stop" else None)
        gc.collect()
        gc.callbacks.clear()
    """,
    "a callback of a weak reference": """
        import weakref
        class Dropped: pass
        dropped = Dropped()
        reference = weakref.ref(dropped, lambda reference: hit())
        del dropped
    """,
}


def ended(body: str, sent: str = "SIGINT", **options: object) -> subprocess.CompletedProcess[str]:
    script = BEGIN.replace("{signal}", sent) + indent(dedent(body), "    ") + END
    call = [sys.executable, "-c", script]
    return subprocess.run(call, capture_output=True, text=True, timeout=60, check=False, **options)  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize("how", SWALLOWED)
def test_a_signal_that_is_swallowed_stops_the_program(how: str) -> None:
    result = ended(dedent(SWALLOWED[how]) + "go_on()")
    assert result.returncode == 130
    assert "Stopped. Go on by: that." in result.stderr


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_each_signal_stops_with_one_line(name: str) -> None:
    result = ended("hit(); go_on()", name)
    assert (result.returncode, result.stderr) == (130, "Stopped. Go on by: that.\n")


def test_ctrl_c_works_where_a_script_left_it_ignored_and_nohup_is_kept() -> None:
    def ignore() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    assert ended("hit(); go_on()", "SIGINT", preexec_fn=ignore).returncode == 130
    assert ended("hit(); print('on')", "SIGHUP", preexec_fn=ignore).stdout == "on\n"


def test_a_block_that_is_held_ends_and_then_it_is_raised() -> None:
    body = """
    with interrupts.held():
        hit()
        print("whole")
    print("never")
    """
    result = ended(body)
    assert (result.returncode, result.stdout) == (130, "whole\n")


def test_cleaning_up_is_not_cut_off_by_the_reminders() -> None:
    body = """
    try:
        hit(); go_on()
    finally:
        until = time.monotonic() + 2 * interrupts.AGAIN_S
        while time.monotonic() < until: time.sleep(0.01)
        print("cleaned")
    """
    assert ended(body).stdout == "cleaned\n"


def test_a_second_signal_ends_what_will_not_stop() -> None:
    body = """
    try:
        hit(); go_on()
    except KeyboardInterrupt:
        while True:
            hit(); time.sleep(0.01)
    """
    assert ended(body).returncode == 130


def test_a_signal_after_the_work_changes_nothing() -> None:
    result = ended("import atexit; atexit.register(hit)")
    assert (result.returncode, result.stderr) == (0, "")


class TestInTheProcessOfACaller:
    def test_default_handlers_come_back_and_own_ones_stay(self) -> None:
        mine = lambda number, frame: None  # noqa: E731
        before = signal.signal(signal.SIGHUP, mine)
        try:
            with interrupts.handled():
                assert signal.getsignal(signal.SIGHUP) is mine
                assert signal.getsignal(signal.SIGTERM) not in (signal.SIG_DFL, mine)
            assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
            assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        finally:
            signal.signal(signal.SIGHUP, before)

    def test_it_is_raised_once_with_the_words_and_leaves_no_mark(self) -> None:
        @interrupts.handled()
        def work() -> None:
            interrupts.say("by that")
            os.kill(os.getpid(), signal.SIGTERM)
            interrupts.check()

        with pytest.raises(KeyboardInterrupt, match="by that"):
            work()
        assert not interrupts.came()

    def test_another_thread_changes_nothing(self) -> None:
        seen = []

        def work() -> None:
            with interrupts.handled():
                seen.append(signal.getsignal(signal.SIGTERM))

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert seen == [signal.SIG_DFL]
