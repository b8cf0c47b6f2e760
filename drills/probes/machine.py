"""What the machine did to us: CPUs that kept stage processes waiting, packets dropped in their sockets, clock steps.

A judge must be able to tell a slow relay from a relay that was not given a CPU. Linux keeps the time a task waited on
a run queue in /proc/PID/schedstat (second field, ns), and drops of each UDP socket in /proc/net/udp (last column).
"""

from __future__ import annotations

import contextlib
import os
import time
from collections import deque
from collections.abc import Iterable
from pathlib import Path

from drills.record import Journal
from drills.stage.addresses import address_of
from drills.stage.base import Running, Stage

HASHERS = frozenset({"gateway"})  # kinds of service whose worker threads hash passwords


def run_queue_waits_ns(pid: int, *, every_thread: bool) -> dict[int, int]:
    """How long each thread of a process has waited for a CPU since it started, in ns, by its id; or the first alone.

    Workers do all that the real relay and master do (tokio's runtime). But workers that hash passwords compete with
    each other, which is the service's own doing.
    """
    waits = {}
    try:
        threads = os.listdir(f"/proc/{pid}/task") if every_thread else [str(pid)]
    except OSError:
        return {}
    for thread in threads:
        with contextlib.suppress(OSError, IndexError, ValueError):  # gone, or a kernel without schedstats
            waits[int(thread)] = int(Path(f"/proc/{pid}/task/{thread}/schedstat").read_text().split()[1])
    return waits


def cpu_ticks(pid: int) -> int:
    """User and system time of a process, in clock ticks (fields 14 and 15 of /proc/PID/stat)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def machine_ticks(stat: Path = Path("/proc/stat")) -> tuple[int, int]:
    """(busy, all) clock ticks of all CPUs since boot (/proc/stat).

    Idle and waiting for a disk are not busy, nor is what gives way (nice) to whoever wants the CPU.
    """
    fields = [int(field) for field in stat.read_text().splitlines()[0].split()[1:9]]
    free = fields[1] + fields[3] + fields[4]
    return sum(fields) - free, sum(fields)


def socket_drops(addresses: set[str], tables: Iterable[Path] = (Path("/proc/net/udp"),)) -> dict[str, int]:
    """Packets dropped in the receive buffers of UDP sockets bound to these addresses, by address."""
    drops = dict.fromkeys(addresses, 0)
    for table in tables:
        with contextlib.suppress(OSError):  # a container that has just ended takes its table along
            for line in table.read_text().splitlines()[1:]:
                fields = line.split()
                address = address_of(fields[1])[0]
                if address in drops:
                    drops[address] += int(fields[-1])
    return drops


SLICE_S = 0.1  # how often the run queues are read
SLICES_A_SECOND = 10
SETTLING_SLICES = 3  # after a stage has come forward: what its processes waited before is counted when they next run
# of a process that has just been started: it has all to do with itself and serves nobody, so that its waiting then is
# nobody's (the reference needs 0.5 s; seen: a relay that came back kept the silence of another's sessions in doubt)
STARTING_SLICES = 8
STALL_SLICES = 3  # a stall is looked for in stretches of 0.3 s: shorter ones do not reach any limit of ours


class MachineProbe:
    """Looks at the run queues ten times a second, at sockets and clocks once; one event a second.

    The sum of all waiting in a second says little: thousands of wake-ups that each wait a fifth of a millisecond add up
    too. ``stalled_ms`` is the most that a process waited within any 0.3 s. What a stage waits while it gives way to
    another run is no waiting of the run's: it is not measured yet.
    """

    def __init__(self, stage: Stage, journal: Journal) -> None:
        self.stage, self.journal = stage, journal
        self._looks = 0
        self._waited: dict[int, dict[int, int]] = {}  # by process and thread
        self._age: dict[int, int] = {}  # of each process, in slices
        self._slices: dict[str, deque[float]] = {}
        self._stalled: dict[str, float] = {}
        self._second: dict[str, float] = {}
        self._ticks: dict[int, int] = {}
        self._drops: dict[str, int] = {}
        self._machine = machine_ticks()
        self._settling = 0  # slices that do not count yet

    def look(self) -> None:
        """One slice; every tenth closes a second and writes it down."""
        self._settling = SETTLING_SLICES if self.stage.gives_way else max(0, self._settling - 1)
        for running in self.stage.everybody():
            if running.exit_code() is None:
                self._slice(running)
        self._looks += 1
        if self._looks % SLICES_A_SECOND == 0:
            self._write_second()

    def last_look(self) -> None:
        """What sockets have dropped since the last whole second; only once nothing flows any more."""
        self.journal.write("machine.last", socket_drops=self._new_drops())

    def _slice(self, running: Running) -> None:
        name, pid = running.name, running.pid
        service = self.stage.services.get(name)
        waited = run_queue_waits_ns(pid, every_thread=service is not None and service.kind not in HASHERS)
        before = self._waited.get(pid, waited)
        longest_ns = max((ns - before.get(thread, ns) for thread, ns in waited.items()), default=0)
        self._age[pid] = age = self._age.get(pid, 0) + 1
        ms = 0.0 if self._settling or age <= STARTING_SLICES else longest_ns / 1e6
        self._waited[pid] = waited
        slices = self._slices.setdefault(name, deque(maxlen=STALL_SLICES))
        slices.append(ms)
        self._stalled[name] = max(self._stalled.get(name, 0.0), sum(slices))
        self._second[name] = self._second.get(name, 0.0) + ms

    def _write_second(self) -> None:
        ticks = {}
        for running in self.stage.everybody():
            if running.exit_code() is None:
                spent = cpu_ticks(running.pid)
                ticks[running.name] = spent - self._ticks.get(running.pid, spent)
                self._ticks[running.pid] = spent
        busy, whole = machine_ticks()
        busy_before, whole_before = self._machine
        self._machine = busy, whole
        self.journal.write(
            "machine.second",
            busy_share=round((busy - busy_before) / max(1, whole - whole_before), 3),
            waited_ms={name: round(ms, 1) for name, ms in self._second.items()},
            stalled_ms={name: round(ms, 1) for name, ms in self._stalled.items()}, cpu_ticks=ticks,
            socket_drops=self._new_drops(), wall_minus_monotonic_ns=time.time_ns() - time.monotonic_ns(),
        )  # fmt: skip
        self._second.clear()
        self._stalled.clear()

    def _new_drops(self) -> dict[str, int]:
        relays = {service.address: name for name, service in self.stage.services.items() if service.kind == "relay"}
        new = {}
        for address, count in socket_drops(set(relays), self.stage.udp_tables()).items():
            before = self._drops.get(address, 0)
            new[relays[address]] = count - before if count >= before else count  # a new socket counts from 0
            self._drops[address] = count
        return new
