"""Signals: the first is raised where it can be mended, later ones only speak, and mending is never cut short."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from drills.errors import CannotRun, Interrupted
from drills.signals import CAUGHT, FirstErrorStays, Signals


def press(number: int = signal.SIGINT) -> None:
    """Send this process a signal; its handler runs before the next line."""
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", CAUGHT)
def test_the_first_signal_is_raised_under_its_name(number: signal.Signals) -> None:
    """Ctrl-C, a supervisor's SIGTERM and a closed terminal are one exception."""
    signals = Signals()
    with pytest.raises(Interrupted) as raised, signals.caught():
        press(number)
    assert raised.value.signal_name == number.name == signals.interrupted


def test_later_signals_only_speak(capfd: pytest.CaptureFixture[str]) -> None:
    """Whoever presses again learns that the mending goes on."""
    signals = Signals()
    with signals.caught():
        with pytest.raises(Interrupted):
            press()
        press()
        press(signal.SIGTERM)
    said = capfd.readouterr().err.splitlines()
    assert said == ["SIGINT again: still mending, please wait", "SIGTERM again: still mending, please wait"]


def test_a_terminal_that_is_gone_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a hang-up nothing can be said; the mending goes on all the same."""
    signals = Signals()
    reading, writing = os.pipe()
    os.close(reading)
    monkeypatch.setattr("drills.signals.STDERR", writing)
    try:
        with signals.caught():
            with pytest.raises(Interrupted):
                press(signal.SIGHUP)
            press(signal.SIGHUP)
    finally:
        os.close(writing)


def test_a_signal_that_comes_while_held_is_raised_afterwards() -> None:
    """The work that is held is done to its end first."""
    signals, done = Signals(), []
    with signals.caught(), pytest.raises(Interrupted), signals.held():
        press()
        done.append("to its end")
    assert done == ["to its end"]


def test_held_inside_held_waits_for_the_outermost() -> None:
    """A fault inside a fault is mended inside the mending of the outer one."""
    signals, done = Signals(), []
    with signals.caught(), pytest.raises(Interrupted), signals.held():
        with signals.held():
            press()
        done.append("outer")
    assert done == ["outer"]


def test_an_error_of_the_held_work_comes_before_the_signal() -> None:
    """What went wrong must not be taken for an interruption."""
    signals = Signals()
    with signals.caught(), pytest.raises(CannotRun), signals.held():
        press()
        raise CannotRun("the work")
    assert signals.interrupted == "SIGINT"


def test_handlers_are_given_back() -> None:
    """Afterwards signals mean what they meant before."""
    before = [signal.getsignal(number) for number in CAUGHT]
    with Signals().caught():
        assert [signal.getsignal(number) for number in CAUGHT] != before
    assert [signal.getsignal(number) for number in CAUGHT] == before


def test_an_ignored_signal_stays_ignored() -> None:
    """Under nohup a closed terminal must not end the run."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        signals = Signals()
        with signals.caught():
            press(signal.SIGHUP)
        assert signals.interrupted == ""
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_outside_the_main_thread_nothing_is_caught_and_nothing_breaks() -> None:
    """Python lets only the main thread set handlers."""
    seen: list[bool] = []

    def work() -> None:
        with Signals().caught():
            seen.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(5.0)
    assert seen == [True]


def test_an_error_of_mending_is_raised_where_nothing_else_was_wrong() -> None:
    """And noted."""
    noted: list[BaseException] = []
    with pytest.raises(CannotRun), FirstErrorStays(None, noted.append):
        raise CannotRun("mending")
    assert len(noted) == 1


def test_an_error_of_mending_is_only_noted_after_another() -> None:
    """The first error stays the one that is shown."""
    noted: list[BaseException] = []
    with FirstErrorStays(CannotRun("first"), noted.append):
        raise CannotRun("mending")
    assert [str(error) for error in noted] == ["mending"]
