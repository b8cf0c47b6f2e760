"""How long a user waits, at a second ``make drills``, until the first session's packets flow both ways.

A drill's command is started as ``make drills`` starts it and interrupted once its journal has the first session that is
up; ``session.setup`` has the moment on this machine's monotonic clock. What make itself takes when nothing is left to
set up is measured beside it and counts.
"""

from __future__ import annotations

import time
from pathlib import Path

from drills.bench.journal import events_of, journal_of
from drills.bench.processes import DRILLS, finished, last_words, recovered, running
from drills.bench.rows import Row
from drills.errors import CannotRun

FIRST_S_MAX = 10.0  # issue 4, part 6
WAIT_S = 300.0  # a first call may make images
SETUP_S, AGAIN_S = 600.0, 60.0
LOOK_EVERY_S = 0.02


def measured(work: Path) -> list[Row]:
    """The second of two calls, and make's own part."""
    first_s = _first_packet_s(work, "warm-up")
    second_s = _first_packet_s(work, "second")
    make_s = _make_s(work)
    return [
        Row("first_packet", "of a second `make drills`", make_s + second_s, "s", FIRST_S_MAX,
            ratio=(make_s + second_s) / (make_s + first_s), says="of the call before it"),
        Row("first_packet", "make's own part of it", make_s, "s", says="`make setup` with nothing left to do"),
    ]  # fmt: skip


def _make_s(work: Path) -> float:
    """The second of two calls: what there is to set up is set up by the first."""
    for within_s in (SETUP_S, AGAIN_S):
        cost = finished(["make", "--no-print-directory", "setup"], work / "make.log", within_s)
        if cost.code:
            raise CannotRun(f"make setup: exit {cost.code}: {last_words(work / 'make.log')}")
    return cost.wall_s


def _first_packet_s(work: Path, name: str) -> float:
    """From the command's start to the first session that hears both ends, in s; the run is then interrupted."""
    out, log = work / name, work / f"{name}.log"
    began_ns = time.monotonic_ns()
    try:
        with running([*DRILLS, "run", "calm", "--pace", "fast", "--out", str(out)], log) as process:
            while (flowed_ns := first_flow_ns(journal_of(out, "calm"))) is None:
                if process.poll() is not None:
                    raise CannotRun(f"the drill ended before a packet flowed: {last_words(log)}")
                if time.monotonic_ns() - began_ns > WAIT_S * 1e9:
                    raise CannotRun(f"no packet flowed within {WAIT_S:g} s: {last_words(log)}")
                time.sleep(LOOK_EVERY_S)
    finally:
        if out.exists():
            recovered(out, work / "recover.log")
    return (flowed_ns - began_ns) / 1e9


def first_flow_ns(journal: Path | None) -> int | None:
    """When the first session was up (monotonic ns), None where none is yet."""
    return min((int(event["ended_ns"]) for event in events_of(journal, "session.setup") if event["ok"]), default=None)
