"""Every benchmark by its name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from drills.bench import first_packet, pump, report, stage, udp_proxy, verdict
from drills.bench.rows import Row

Benchmark = Callable[[Path], list[Row]]  # given an empty folder that is removed afterwards; raises CannotRun

BENCHMARKS: dict[str, Benchmark] = {
    "stage": stage.measured,
    "first_packet": first_packet.measured,
    "pump": pump.measured,
    "udp_proxy": udp_proxy.measured,
    "verdict": verdict.measured,
    "report": report.measured,
}
