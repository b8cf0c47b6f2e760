"""The machine that the figures are from, and whether it was ours alone while they were taken."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drills.bench.processes import REPOSITORY

WATCH_S = 1.0
BUSY_SHARE_MAX = 0.1  # of all CPUs, before anything of ours runs: more is somebody else's work
OTHERS_SHARE_MAX = 0.1  # the same while a benchmark runs
STEAL_SHARE_MAX = 0.02
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Ticks:
    """CPU time of the whole machine since boot (all, busy, stolen by the hypervisor) and of ours, in s."""

    whole_s: float
    busy_s: float
    stolen_s: float
    ours_s: float


@dataclass(frozen=True)
class Meanwhile:
    """What the machine did between two moments beside our own work, as shares of all its CPUs."""

    busy_share: float
    others_share: float
    steal_share: float

    @property
    def quiet(self) -> bool:
        """Whether the figures are the product's and not the neighbours'."""
        return self.others_share <= OTHERS_SHARE_MAX and self.steal_share <= STEAL_SHARE_MAX

    def __str__(self) -> str:
        return f"{self.others_share:.0%} of the machine busy with others' work, {self.steal_share:.1%} stolen"


def ticks() -> Ticks:
    """Now, from /proc/stat, and this process with all its children that have ended."""
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    own = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    ours_s = sum(usage.ru_utime + usage.ru_stime for usage in own)
    stolen = fields[7]
    busy = sum(fields) - fields[3] - fields[4] - stolen
    return Ticks(sum(fields) / TICKS_A_SECOND, busy / TICKS_A_SECOND, stolen / TICKS_A_SECOND, ours_s)


def stolen_s(cpu: str) -> float:
    """How long the hypervisor has kept one CPU (``cpu0`` …) from this machine since boot."""
    lines = (line.split() for line in Path("/proc/stat").read_text().splitlines())
    return next((int(fields[8]) / TICKS_A_SECOND for fields in lines if fields[0] == cpu), 0.0)


def between(before: Ticks, after: Ticks) -> Meanwhile:
    """The machine between two looks."""
    whole_s = max(after.whole_s - before.whole_s, 1e-9)
    busy_s, ours_s = after.busy_s - before.busy_s, after.ours_s - before.ours_s
    return Meanwhile(
        busy_s / whole_s, max(0.0, busy_s - ours_s) / whole_s, (after.stolen_s - before.stolen_s) / whole_s
    )


def facts() -> dict[str, Any]:
    """What the figures must be read with."""
    before = ticks()
    time.sleep(WATCH_S)
    idle = between(before, ticks())
    return {
        "cpus": len(os.sched_getaffinity(0)), "cpu": _cpu_model(), "kernel": platform.release(),
        "python": sys.version.split()[0], "commit": _commit(), "root": os.geteuid() == 0,
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "busy_share_before": round(idle.busy_share, 3), "steal_share_before": round(idle.steal_share, 3),
        "quiet": idle.busy_share <= BUSY_SHARE_MAX and idle.steal_share <= STEAL_SHARE_MAX,
    }  # fmt: skip


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _commit() -> str:
    """The commit of this checkout, marked where files differ from it; `unknown` outside a checkout."""
    command = ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty=+changes", "--abbrev=12", "--exclude=*"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=10).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return said or "unknown"
