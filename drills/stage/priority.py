"""Giving way: what is only being got ready for leaves the CPUs to what is being measured (nice 19), until its turn.

A process of this machine that gives way gets what nobody else wants and is interrupted the moment somebody does; the
kernel counts its time apart (``nice`` in /proc/stat), and ``drills/probes/machine.py`` does not call a CPU busy for it.
Each of our processes has a session of its own, and where sched_autogroup_enabled is on Linux shares the CPUs out among
sessions first (sched(7)): a nice value means nothing there, unless the session's group has it too.

What is measured, our load and the stage alike, asks to be let in soon: for short slices of a CPU, which is how to say
so since Linux 6.12 (EEVDF, sched_setattr(2)). Nobody gets more of a CPU for it. A relay that wakes for every packet
waits half as long for a CPU then where others are at work (seen: 128 ms in a second became 63). What they start
inherits it.

Only root, or who has been granted it (RLIMIT_NICE, ``ulimit -e``), may come forward again: nobody else gives way.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import resource
import struct
from collections.abc import Iterator
from pathlib import Path

FAVOURED, ORDINARY, BEHIND = -10, 0, 19  # nice values: of the load's workers, of everybody, of whoever gives way
PROMPT_NS, USUAL_NS = 100_000, 0  # slices: the shortest that Linux gives, and its own choice
_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}  # asm/unistd_64.h, asm-generic/unistd.h
_ATTRIBUTES = struct.Struct("=IIQiIQQQII")  # struct sched_attr: size, policy, flags, nice, priority, runtime, …
LIMIT_OF_ORDINARY = 20  # RLIMIT_NICE is 20 minus the least nice value that one may have (setrlimit(2))


def may_come_forward() -> bool:
    """Whether a process of ours that has given way may be made an ordinary one again."""
    limit = resource.getrlimit(resource.RLIMIT_NICE)[0]
    return os.geteuid() == 0 or limit == resource.RLIM_INFINITY or limit >= LIMIT_OF_ORDINARY


def may_be_raised_beside(stage: str) -> bool:
    """Whether a stage of that name can be raised beside a run that is measured: what an engine does never gives way."""
    return stage == "processes" and may_come_forward()


def placed(pid: int, nice: int) -> None:
    """Give a process its place in the queue for the CPUs, with all its threads and whatever it starts from now on.

    One that is gone is no matter, nor is a place that we may not give: it then keeps the one it has.
    """
    for _ in range(2):  # a thread may be born meanwhile
        with contextlib.suppress(OSError):
            for thread in _threads(pid):
                with contextlib.suppress(ProcessLookupError):
                    os.setpriority(os.PRIO_PROCESS, thread, nice)
                    _sliced(thread, USUAL_NS if nice >= BEHIND else PROMPT_NS)
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(nice))


def prompt() -> None:
    """Our own process, and whatever it starts from now on, asks to be let in soon; one that gives way does not."""
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    if nice < BEHIND:
        for thread in _threads(os.getpid()):
            with contextlib.suppress(OSError):  # it is gone, or a sandbox forbids to ask
                _sliced(thread, PROMPT_NS)


def _threads(pid: int) -> list[int]:
    return [int(entry.name) for entry in Path(f"/proc/{pid}/task").iterdir()]


def _sliced(thread: int, slice_ns: int) -> None:
    """Ask for slices of this length; a kernel that does not know of them, or refuses, is no matter."""
    number = _SCHED_SETATTR.get(platform.machine())
    if number is None or os.sched_getscheduler(thread) != os.SCHED_OTHER:
        return
    nice = os.getpriority(os.PRIO_PROCESS, thread)
    asked = _ATTRIBUTES.pack(_ATTRIBUTES.size, os.SCHED_OTHER, 0, nice, 0, slice_ns, 0, 0, 0, 0)
    ctypes.CDLL(None).syscall(number, thread, ctypes.create_string_buffer(asked, len(asked)), 0)


def gives_way(pid: int) -> bool:
    """Whether a process has been told to leave the CPUs to others."""
    return os.getpriority(os.PRIO_PROCESS, pid) >= BEHIND


@contextlib.contextmanager
def giving_way() -> Iterator[None]:
    """Our own process gives way meanwhile, where it may come forward again."""
    if not may_come_forward():
        yield
        return
    before = os.getpriority(os.PRIO_PROCESS, 0)
    placed(os.getpid(), BEHIND)
    try:
        yield
    finally:
        placed(os.getpid(), before)
