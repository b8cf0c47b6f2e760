"""What the machine did to us: CPUs that kept stage processes waiting, packets dropped in their sockets, clock steps.

A judge must be able to tell a slow relay from a relay that was not given a CPU. Linux keeps the time a task waited on
a run queue in /proc/PID/schedstat (second field, ns), and drops of each UDP socket in /proc/net/udp (last column).
"""

from __future__ import annotations

import time
from pathlib import Path

from drills.record import Journal
from drills.stage.addresses import address_of
from drills.stage.processes import ProcessStage


def run_queue_wait_ns(pid: int) -> int:
    """How long the first thread of a process has waited for a CPU since it started, in ns.

    Only the first: worker threads that hash passwords compete with each other, which is the service's own doing.
    """
    try:
        return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[1])
    except (OSError, IndexError, ValueError):  # gone, or a kernel without schedstats
        return 0


def cpu_ticks(pid: int) -> int:
    """User and system time of a process, in clock ticks (fields 14 and 15 of /proc/PID/stat)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def socket_drops(addresses: set[str]) -> dict[str, int]:
    """Packets dropped in the receive buffers of UDP sockets bound to these addresses, by address."""
    drops = dict.fromkeys(addresses, 0)
    for line in Path("/proc/net/udp").read_text().splitlines()[1:]:
        fields = line.split()
        address = address_of(fields[1])[0]
        if address in drops:
            drops[address] += int(fields[-1])
    return drops


class MachineProbe:
    """One look a second at the run queues, sockets and clocks of a stage."""

    def __init__(self, stage: ProcessStage, journal: Journal) -> None:
        self.stage, self.journal = stage, journal
        self._waited: dict[int, int] = {}
        self._ticks: dict[int, int] = {}
        self._drops: dict[str, int] = {}

    def look(self) -> None:
        waited_ms, ticks, drops = {}, {}, {}
        for child in list(self.stage.children):
            if child.process.poll() is not None:
                continue
            waited, spent = run_queue_wait_ns(child.pid), cpu_ticks(child.pid)
            waited_ms[child.name] = round((waited - self._waited.get(child.pid, waited)) / 1e6, 1)
            ticks[child.name] = spent - self._ticks.get(child.pid, spent)
            self._waited[child.pid], self._ticks[child.pid] = waited, spent
        relays = {service.address: name for name, service in self.stage.services.items() if service.kind == "relay"}
        for address, count in socket_drops(set(relays)).items():
            before = self._drops.get(address, 0)
            drops[relays[address]] = count - before if count >= before else count  # a new socket counts from 0
            self._drops[address] = count
        self.journal.write(
            "machine.second", waited_ms=waited_ms, cpu_ticks=ticks, socket_drops=drops,
            wall_minus_monotonic_ns=time.time_ns() - time.monotonic_ns(),
        )  # fmt: skip
