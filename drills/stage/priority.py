"""Giving way: what is only being got ready for leaves the CPUs to what is being measured (nice 19), until its turn.

A process of this machine that gives way gets what nobody else wants and is interrupted the moment somebody does; the
kernel counts its time apart (``nice`` in /proc/stat), and ``drills/probes/machine.py`` does not call a CPU busy for it.
Each of our processes has a session of its own, and where sched_autogroup_enabled is on Linux shares the CPUs out among
sessions first (sched(7)): a nice value means nothing there, unless the session's group has it too.

Only root, or who has been granted it (RLIMIT_NICE, ``ulimit -e``), may come forward again: nobody else gives way.
"""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Iterator
from pathlib import Path

FAVOURED, ORDINARY, BEHIND = -10, 0, 19  # nice values: of the load's workers, of everybody, of whoever gives way
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
            for thread in [int(entry.name) for entry in Path(f"/proc/{pid}/task").iterdir()]:
                with contextlib.suppress(ProcessLookupError):
                    os.setpriority(os.PRIO_PROCESS, thread, nice)
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(nice))


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
