"""A year of records that nobody observed: ``python -m drills.bench.year`` OUT [--until YYYY-MM] [--days N].

For the report's benchmark, and to see what a year on the page looks like. A calm run a day and, once a month, a drain
of a relay and a restart of the master: written by the product's own writers, judged by its own judge, each with figures
of its own. Every record says in its provenance that it is synthetic, and so does the page. Samples and journals are
taken away once they are judged (a report reads neither), or a year would fill the disk.

A story is in it, for the page to tell: a new release in May makes every packet a little slower, a drain was forgotten
in March, and one day in August our own generator stood still.
"""

from __future__ import annotations

import argparse
import calendar
import os
import random
import shutil
import sys
import zlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from drills.bench.made_run import MadeRun, Tale, write_run
from drills.bench.tales import BEAT_S, calm, master_restart, relay_drain
from drills.errors import BadInput, Exit
from drills.judging import judge_folder
from drills.report.history import months_before
from drills.report.runs import MONTH

WORDS = "made by drills.bench.year for show; nothing was run"
SAMPLES, PER_S = 33_000, 14  # enough inputs a window for every promise (5,000), and not more
RESIDENTS, VISITS = 24, 540
RELEASES = (("0.0.4", 0.6), ("0.0.5", 2.0))  # tag, and a packet's way (ms)
CHANGED = 5  # months of the year on the older release
FORGOTTEN, STOPPED = 3, 8  # the month of the drain that was forgotten, and of the day on which our load stood still
SAMPLES_AND_JOURNAL = ("samples", "journal.jsonl")


@dataclass(frozen=True)
class Day:
    """One record to be made: where, and about what."""

    folder: Path
    tale: Tale


def days_of(out: Path, until: str, days: int) -> Iterator[Day]:
    """Every record of the year: at most so many calm runs a month."""
    for nth, month in enumerate(months_before(until)):
        tag, way_ms = RELEASES[nth >= CHANGED]
        year, number = int(month[:4]), int(month[5:])
        for day in range(1, min(days, calendar.monthrange(year, number)[1]) + 1):
            stopped = 140.0 if (number, day) == (STOPPED, min(days, 14)) else 0.0
            yield _day(out, month, day, "04:00", tag, calm(_noisy(way_ms, nth, day), generator_gap_ms=stopped))
        chance = random.Random(nth)
        drain = relay_drain(_noisy(way_ms, nth, 40), round(chance.uniform(0.7, 1.0), 2), forgets=number == FORGOTTEN)
        yield _day(out, month, 1, "05:00", tag, drain)
        restart = master_restart(_noisy(way_ms, nth, 50), round(chance.uniform(0.5, 0.8), 2))
        yield _day(out, month, 1, "05:10", tag, restart)


def _noisy(way_ms: float, month: int, day: int) -> float:
    return way_ms * random.Random(100 * month + day).uniform(0.7, 1.4)


def _day(out: Path, month: str, day: int, clock: str, tag: str, tale: Tale) -> Day:
    name = f"{month.replace('-', '')}{day:02d}T{clock.replace(':', '')}00-made"
    programs = dict.fromkeys(("gateway", "master", "relay_a", "relay_b"), f"{tag} (synthetic)")
    at = f"{month}-{day:02d}T{clock}:00.000Z"
    facts = {
        "synthetic": WORDS, "heartbeat_s": BEAT_S, "pace": "fast", "programs": programs, "suite": "daily",
        "started_at": at, "commit": "none", "direct_path": "closed",
        "command": "python -m drills.bench.year", "defects": [],
    }  # fmt: skip
    told = replace(tale, facts=facts, at=at, seed=zlib.crc32(name.encode()) % 997)
    return Day(out / month / tale.scenario.stem / name, told)


def make(day: Day) -> str:
    """Write, judge and strip one record; its verdict."""
    write_run(day.folder, SAMPLES, day.tale, MadeRun(SAMPLES, RESIDENTS, VISITS, PER_S))
    verdict = judge_folder(day.folder)
    for name in SAMPLES_AND_JOURNAL:
        path = day.folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return str(verdict.verdict)


def _make_nth(out: Path, until: str, days: int, nth: int) -> str:
    """For a process of the pool, which takes no tales from another."""
    return make(list(days_of(out, until, days))[nth])


def make_year(out: Path, until: str, days: int) -> dict[str, int]:
    """The whole year, on all CPUs; how many records came to which verdict."""
    every = list(days_of(out, until, days))
    if there := next((day.folder for day in every if day.folder.exists()), None):
        raise BadInput(f"{there}: found a record, expected none of this name")
    counts: dict[str, int] = {}
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for verdict in pool.map(partial(_make_nth, out, until, days), range(len(every)), chunksize=4):
            counts[verdict] = counts.get(verdict, 0) + 1
    return counts


def main(words: list[str]) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="drills.bench.year", description="A year of synthetic records.")
    parser.add_argument("out", type=Path, metavar="OUT", help="a reports folder")
    parser.add_argument("--until", default="2026-11", metavar="YYYY-MM", help="the year's last month")
    parser.add_argument("--days", type=int, choices=range(1, 32), default=31, metavar="N", help="calm runs a month")
    options = parser.parse_args(words)
    try:
        if not MONTH.fullmatch(options.until):
            raise BadInput(f"--until: found {options.until!r}, expected a month such as 2026-11")
        counts = make_year(options.out.absolute(), options.until, options.days)
    except BadInput as error:
        print(f"drills.bench.year: {error}", file=sys.stderr)
        return int(error.exit_code)
    except (OSError, BrokenProcessPool) as error:  # a full disk, or a process that was killed
        print(f"drills.bench.year: the year was not made: {error}", file=sys.stderr)
        return int(Exit.CANNOT_RUN)
    print(", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items())))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
