"""A service's TCP connections by the kernel's word: those it holds, and those at whose other end nobody is any more.

Each network namespace of the stage has a table of its own (``/proc/PID/net/tcp``, see proc(5)). A socket that its
owner holds is listed as established or, once the other end has closed, as CLOSE_WAIT; the other end of one that is of
any use is listed as established in some table of the stage.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from drills.stage.addresses import address_of

if TYPE_CHECKING:
    from drills.stage.base import Stage

ESTABLISHED, CLOSE_WAIT = "01", "08"  # as include/net/tcp_states.h numbers them
Connection = tuple[str, str]  # this end and the other, host:port each


@dataclass(frozen=True)
class Held:
    """The connections of one listening port, and those of them without another end."""

    connections: frozenset[Connection]
    orphans: frozenset[Connection]


def held_by(stage: Stage, service: str, port: int) -> Held:
    """What a service holds on its own port now."""
    running = stage.services[service].running
    own = f"{stage.services[service].address}:{port}"
    mine = {pair for pair, state in listed(running.pid) if pair[0] == own} if running else set()
    living = {pair for pid in _pids(stage) for pair, state in listed(pid) if state == ESTABLISHED}
    return Held(frozenset(mine), frozenset(pair for pair in mine if pair[::-1] not in living))


def _pids(stage: Stage) -> list[int | str]:
    return ["self", *(running.pid for running in stage.everybody())]


def listed(pid: int | str) -> Iterable[tuple[Connection, str]]:
    """The connections in the table of a process's network namespace; none where it is gone."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
            _, local, remote, state, *_ = line.split()
            if state in (ESTABLISHED, CLOSE_WAIT):
                yield ("{}:{}".format(*address_of(local)), "{}:{}".format(*address_of(remote))), state
