"""Whether one core carries 200 sessions at 60 + 60 packets/s on time, and whether a packet costs more among many.

The generator runs in a process of its own on one CPU (``pump_child``), once with 50 sessions and once with 200. How
late a packet is sent depends on the machine too: the row says how late the same CPU wakes a process that only sleeps,
and for how long the pump was ready to run and was given no CPU.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from drills.bench.processes import finished, last_words
from drills.bench.pump_settings import Flow, Measured
from drills.bench.rows import Row
from drills.errors import CannotRun

FEW, MANY = 50, 200
SECONDS = 10.0
LATE_MS_P99_MAX = 2.0  # issue 4, part 6
COST_RATIO_MAX = 1.5
CHILD_S = 120.0


def measured(work: Path) -> list[Row]:
    """Few sessions, then many, on the same CPU."""
    cpu = max(os.sched_getaffinity(0))  # the first ones serve most interrupts
    few, many = (_flown(Flow(sessions, SECONDS, cpu, str(work / str(sessions))), work) for sessions in (FEW, MANY))
    return rows(few, many)


def _flown(flow: Flow, work: Path) -> Measured:
    log = work / f"{flow.sessions}.log"
    command = [sys.executable, "-m", "drills.bench.pump_child", json.dumps(asdict(flow))]
    cost = finished(command, log, CHILD_S)
    if cost.code:
        raise CannotRun(f"the generator with {flow.sessions} sessions: exit {cost.code}: {last_words(log)}")
    return Measured(**json.loads(last_words(log)))


def rows(few: Measured, many: Measured) -> list[Row]:
    """Lateness and what nobody may lose for both, CPU for many, the cost of a packet as a ratio."""
    found = []
    for flow in (few, many):
        name = f"{flow.sessions} sessions"
        waits = f"p50 {flow.late_ms_p50:.2f}, p99.9 {flow.late_ms_p999:.2f}, max {flow.late_ms_max:.1f} ms; " \
                f"this CPU wakes a sleeper {flow.alone_ms_p99:.2f} ms late at p99, " \
                f"no CPU for {flow.waited_ms_a_s:.0f} ms a second, {flow.stolen_ms_a_s:.0f} ms stolen"  # fmt: skip
        found += [
            Row("pump", f"{name}: lateness p99", flow.late_ms_p99, "ms", LATE_MS_P99_MAX, says=waits),
            Row("pump", f"{name}: packets skipped, lost or dropped by us", flow.skipped + flow.lost + flow.own_drops,
                "", 0, says=f"of {flow.packets}, {flow.per_s:.0f} a second"),
        ]  # fmt: skip
    found.append(Row("pump", f"{MANY} sessions: share of one core", many.cpu_share, "",
                     says=f"{few.cpu_share:.2f} with {FEW}; samples flushed to disk included"))  # fmt: skip
    found.append(Row("pump", f"{MANY} sessions: CPU a packet", many.cpu_us_a_packet, "µs",
                     ratio=many.cpu_us_a_packet / few.cpu_us_a_packet, ratio_limit=COST_RATIO_MAX,
                     says=f"of that with {FEW}"))  # fmt: skip
    return found
