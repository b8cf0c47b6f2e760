"""The pump's beat: a timer of the kernel's that lets other greenlets run while it is waited for."""

from __future__ import annotations

import contextlib
import os

import gevent
import pytest

from drills.load.tick import Tick

SOON_NS = 1_000


def test_others_run_while_a_beat_is_waited_for() -> None:
    """The pump shares its process with every session's greenlet."""
    ran = []
    gevent.spawn(ran.append, 1)
    with contextlib.closing(Tick(SOON_NS)) as tick:
        tick.wait()
    assert ran == [1]


def test_others_run_even_where_a_beat_has_long_passed() -> None:
    """A pump that is behind must not starve those who set sessions up."""
    ran = []
    with contextlib.closing(Tick(SOON_NS)) as tick:
        for number in range(3):
            gevent.spawn(ran.append, number)
            tick.wait()
    assert ran == [0, 1, 2]


def test_a_tick_gives_its_timer_back() -> None:
    """A file left open for every pump would be one too many."""
    tick = Tick(SOON_NS)
    tick.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(tick._timer)
