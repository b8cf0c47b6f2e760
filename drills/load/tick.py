"""A beat for the pump: a millisecond is a millisecond, however long the round before it took.

gevent's own sleep counts from the end of a round and rounds up to what ``epoll_wait`` knows, whole milliseconds: rounds
of 0.6 ms then come every 1.7 ms, and with more to do later still. The kernel's timer (timerfd_create(2)) beats on by
itself and is a file that libev can wait for; Python has it from 3.13 on, before that the C library has.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import time

import gevent

TFD_FLAGS = os.O_NONBLOCK | os.O_CLOEXEC  # TFD_NONBLOCK and TFD_CLOEXEC have these values (timerfd_create(2))
EXPIRATIONS_BYTES = 8
READ = 1  # libev's EV_READ


class _Beat(ctypes.Structure):
    """``struct itimerspec``: interval and first beat, each in seconds and ns."""

    _fields_ = [(name, ctypes.c_long) for name in ("every_s", "every_ns", "first_s", "first_ns")]


class Tick:
    """Beats every ``every_ns`` from now on; beats that came while nobody waited count as one."""

    def __init__(self, every_ns: int) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._timer = libc.timerfd_create(time.CLOCK_MONOTONIC, TFD_FLAGS)
        beat = _Beat(0, every_ns, 0, every_ns)
        if self._timer < 0 or libc.timerfd_settime(self._timer, 0, ctypes.byref(beat), None) < 0:
            raise OSError(ctypes.get_errno(), f"no timer: {os.strerror(ctypes.get_errno())}")
        self._watcher = gevent.get_hub().loop.io(self._timer, READ)

    def wait(self) -> None:
        """Let other greenlets run until the next beat; at once where one has passed since the last wait."""
        gevent.get_hub().wait(self._watcher)
        with contextlib.suppress(BlockingIOError):
            os.read(self._timer, EXPIRATIONS_BYTES)

    def close(self) -> None:
        """Give the timer back."""
        self._watcher.close()
        os.close(self._timer)
