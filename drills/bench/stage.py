"""How long a stage takes to stand and to be gone, in containers and as processes, one after the other.

The command is run as a user runs it, to its end; the figures are those of its own journal: ``stage.raised``
(``services_ready_s``: for each service the seconds from the moment that its own start was asked for until it was ready;
``took_s``: from nothing to all ready) and ``stage.lowered`` (``took_s``: until no container, network, volume or process
was left). Images are there already, or the first run makes them: the container stage is therefore raised twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from drills.bench.journal import events_of, journal_of
from drills.bench.processes import DRILLS, finished, last_words, recovered
from drills.bench.rows import Row
from drills.errors import CannotRun

READY_S_MAX = 4.0  # issue 4, part 6
GONE_S_MAX = 2.0
RUN_S = 600.0  # a minute or so, and images that are made on the way
STAGES = ("processes", "containers")
NAMES = {"ready": "slowest service's own readiness", "raised": "from nothing to all ready", "gone": "gone"}
LIMITS = {"ready": READY_S_MAX, "raised": None, "gone": GONE_S_MAX}


@dataclass(frozen=True)
class Stood:
    """The figures of one stage, in s; ``missing`` says why there are none."""

    ready: float | None = None
    raised: float | None = None
    gone: float | None = None
    slowest: str = ""
    missing: str = ""


def measured(work: Path) -> list[Row]:
    """Both stages side by side."""
    return rows({name: _stood(name, work) for name in STAGES})


def _stood(name: str, work: Path) -> Stood:
    stood = Stood()
    for time in range(2 if name == "containers" else 1):
        out = work / f"{name}-{time}"
        log = work / f"{name}-{time}.log"
        command = [*DRILLS, "run", "calm", "--pace", "fast", "--stage", name, "--out", str(out)]
        try:
            finished(command, log, RUN_S)
        except CannotRun:
            recovered(out, work / "recover.log")
            raise
        stood = stood_in(journal_of(out, "calm"), last_words(log))
        if stood.missing:
            break
    return stood


def stood_in(journal: Path | None, words: str) -> Stood:
    """What a journal says of its stage; ``words`` are the command's own where it says nothing."""
    raised, lowered = events_of(journal, "stage.raised"), events_of(journal, "stage.lowered")
    if not raised or not lowered:
        absent = "stage.lowered" if raised else "stage.raised"
        return Stood(missing=f"no {absent} in the journal: {words}" if journal else words)
    ready = {str(service): float(seconds) for service, seconds in raised[-1]["services_ready_s"].items()}
    slowest = max(ready, key=lambda service: ready[service], default="")
    return Stood(
        ready.get(slowest), float(raised[-1]["took_s"]), float(lowered[-1]["took_s"]),
        ", ".join(f"{service} {seconds:.2f} s" for service, seconds in sorted(ready.items(), key=lambda one: -one[1])),
    )  # fmt: skip


def rows(stood: dict[str, Stood]) -> list[Row]:
    """One row a figure and stage; containers are compared with processes."""
    found = []
    for name, stage in stood.items():
        if stage.missing:
            found.append(Row("stage", name, missing=f"not run: {stage.missing}"))
            continue
        other = stood.get("processes") if name != "processes" else None
        for key, words in NAMES.items():
            figure, base = getattr(stage, key), getattr(other, key, None)
            says = stage.slowest if key == "ready" else ""
            if figure and base:
                says = f"of the process stage; {says}".removesuffix("; ")
            found.append(Row("stage", f"{name}: {words}", figure, "s", LIMITS[key],
                             ratio=figure / base if figure and base else None, says=says))  # fmt: skip
    return found
