"""The objectives of a run that is still going on, judged by the rules that its verdict will be, as if it ended now.

It is no verdict, and no word of one is used: figures are *within* their limit or *past* it so far, or there is *too
little* to say. It costs as much as a verdict, so whoever asks rests for REST times as long as an answer took.
"""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drills.catalogue import Catalogue
from drills.cut_short import ended_at
from drills.errors import DrillError
from drills.objectives import CLAIMS, Shape
from drills.record import Record
from drills.scenario.models import Scenario
from drills.scenario.parse import load_scenario
from drills.scenario.tiers import Tiers
from drills.verdict import Judgement, Outcome, judge

REST = 20.0  # at most a twentieth of one CPU, and that at the lowest priority
LEAST_REST_S = 3.0  # samples come to disk in parts of 3.5 s
SILENCES_S = 24  # how many seconds of silences are shown
WORDS = {Outcome.HELD: "within", Outcome.BROKEN: "past", Outcome.INCONCLUSIVE: "too little"}
# what comes about once, or not yet: in a window that is still open nobody can say that it did not
COMES = (Shape.COUNT_MIN, Shape.TIME_MAX)


@dataclass(frozen=True)
class SoFar:
    """The judgements of the windows that were opened, and the last seconds of silence."""

    until_ns: int = 0
    judgements: tuple[tuple[Judgement, str], ...] = ()  # with the word that says how it stands
    silences_ms: tuple[float | None, ...] = ()  # the longest in each of the last seconds, oldest first
    present_ms_p95: float | None = None  # input to present, of the last second that is known

    @property
    def longest_ms(self) -> float | None:
        """The longest silence of those seconds."""
        return max((one for one in self.silences_ms if one is not None), default=None)


def read_so_far(folder: Path, catalogue: Catalogue) -> SoFar:
    """How the run in ``folder`` stands; raises DrillError, OSError or ValueError while that cannot be read."""
    until_ns = settled_ns(folder / "samples")
    record = Record.read(folder)
    drill = str(record.provenance["drill"])
    scenario = load_scenario(folder / "scenario.yaml", catalogue.compose, catalogue.tiers, name=drill)
    return so_far(record, scenario, catalogue.tiers, until_ns or record.events[-1].ns)


def settled_ns(samples: Path) -> int:
    """Until when every worker's packets are on disk, 0 where nothing is: workers write their parts in turn."""
    import pyarrow.parquet

    newest: dict[str, int] = {}
    for part in sorted(samples.glob("*.parquet")):  # worker-0-00001.parquet
        file = pyarrow.parquet.read_metadata(part)
        index = file.schema.names.index("intended_ns")
        groups = [file.row_group(number).column(index).statistics for number in range(file.num_row_groups)]
        newest[part.stem.rpartition("-")[0]] = max((one.max for one in groups if one and one.has_min_max), default=0)
    return min(newest.values(), default=0)


def so_far(record: Record, scenario: Scenario, tiers: Tiers, until_ns: int) -> SoFar:
    """How a run stood at a moment until which its packets are known."""
    ended = ended_at(record, until_ns)
    still_open = {event["window"] for event in record.named("window.opened")} - {
        event["window"] for event in record.named("window.closed")
    }
    verdict = judge(ended, scenario, tiers)
    rows = tuple((one, _word(one, still_open)) for one in verdict.judgements if one.window in record.windows)
    silences, present = _silences(ended, until_ns)
    return SoFar(until_ns, rows, silences, present)


def _word(one: Judgement, still_open: set[str]) -> str:
    if one.window in still_open and one.verdict is not Outcome.HELD and CLAIMS[one.objective].shape in COMES:
        return "not yet"
    return WORDS[one.verdict]


def _silences(record: Record, until_ns: int) -> tuple[tuple[float | None, ...], float | None]:
    """The longest silence of each of the last seconds, and the last second's input to present."""
    from drills.report.series import Axis
    from drills.report.series_packets import packet_series

    if not len(record.packets):
        return (), None
    axis = Axis(until_ns - SILENCES_S * 1_000_000_000, until_ns, "now")
    recent: dict[str, list[Any]] = packet_series(record.packets, axis)
    known = [one for one in recent["present_ms_p95"] if one is not None]
    return tuple(recent["silence_ms_max"][:SILENCES_S]), known[-1] if known else None


class SoFarThread:
    """Asks again and again, in a thread, and keeps the newest answer."""

    def __init__(self, folder: Path) -> None:
        self.newest = SoFar()
        self._folder, self._stop = folder, threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def stop(self) -> None:
        """Ask no more."""
        self._stop.set()

    def _run(self) -> None:
        catalogue, rest_s = Catalogue(), LEAST_REST_S
        while not self._stop.wait(rest_s):
            began = time.thread_time()
            # a record that is being written can be in a state that nobody foresaw; the next one will do
            with contextlib.suppress(DrillError, OSError, ValueError, LookupError):
                self.newest = read_so_far(self._folder, catalogue)
            rest_s = max(LEAST_REST_S, REST * (time.thread_time() - began))
