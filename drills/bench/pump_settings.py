"""What the benchmark ``pump`` tells the generator's process, and what it hears back: data, without gevent."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Flow:
    """So many sessions for so long, on one CPU."""

    sessions: int
    seconds: float
    cpu: int
    folder: str
    per_s: int = 60  # inputs, and as many frames (design §4)
    ends_first: str = "127.77.32.0"


@dataclass(frozen=True)
class Measured:
    """What became of the packets that were due in the measured time; times in ms."""

    sessions: int
    packets: int
    per_s: float
    late_ms_p50: float
    late_ms_p99: float
    late_ms_p999: float
    late_ms_max: float
    read_ms_p99: float  # from the kernel's taking it to our reading it at the other end
    skipped: int
    lost: int
    own_drops: int
    cpu_share: float
    cpu_us_a_packet: float
    waited_ms_a_s: float  # how long the pump's thread was ready and had no CPU, a second
    stolen_ms_a_s: float  # how long the hypervisor kept this CPU from the whole machine, a second
    alone_ms_p99: float  # how late this CPU wakes a process that only sleeps
