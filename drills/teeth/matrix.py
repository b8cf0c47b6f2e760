"""Runs the rows of the teeth matrix, one run after another, and again what came out blank.

Rows whose defects get along share a run (``drills/teeth/rows.py``). Two are measured at once where one of them is light
and their visits together are not too many for the machine (on two CPUs: the sound system's own run and a light one, or
two light ones), and only while the load generator of the first keeps to its limit. While they are measured the next
ones are got ready, giving way (drills/stage/priority.py), and wait for their turn; where nobody may give way a run
begins once there is room for it.
A row that is blank (inconclusive, or not run) says nothing about its defect: it is tried again, alone and in full,
twice at most, and every attempt stays in the record. A row that is missed or a false alarm is never tried again.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from drills import side_by_side
from drills.apart import Done, Order, Seat
from drills.errors import Interrupted
from drills.judging import read_verdict
from drills.load.planning import densest_visits_per_s
from drills.options import Options
from drills.progress import Progress
from drills.scenario.models import Scenario
from drills.stage.priority import may_come_forward
from drills.story import least_length_s
from drills.teeth.cells import BLANK, Attempt, Bite, Cell, attempt_of
from drills.teeth.pursuit import lighter
from drills.teeth.rows import Row, is_light, runs_of, together

Say = Callable[[str], None]
ATTEMPTS_MAX = 3
AT_ONCE_MAX = 2
# Of two runs together on two CPUs: what a whole drill has, and a light run beside it; at real pace, where each costs
# the gateway ten times the hashing, as of two drills. Seen at fast pace with a third more: every CPU was busy for
# seconds, and one run in seven came out blank.
VISITS_PER_S_MAX = {"fast": 25.0, "real": side_by_side.VISITS_PER_S_MAX}
LISTEN_S = 0.1
RUN_S_MAX = 1200.0  # no drill of ours takes half as long; a seat that has not answered by then is stopped
# so many wait for their turn, and one at a time is got ready: a run may be over sooner than the next is ready
WAITING_MAX = 2
CROWDED_MAX = 6  # so many runs (one in ten) that came out blank beside another, and the rest have the machine alone


Rows = tuple[Row, ...]  # of one run


def usual_at_once(*, may_give_way: bool) -> int:
    """How many runs are measured at once on this machine: two CPUs carry two only where what is got ready gives way."""
    cpus = os.cpu_count() or 1
    return AT_ONCE_MAX if cpus > 2 or (cpus == 2 and may_give_way) else 1


@dataclass
class _Running:
    """The rows of one run, on a seat."""

    rows: Rows
    seat: Seat
    gap_ms_max: float  # how long its load generator may stand still
    began: float
    alone: bool = False
    waits: bool = False  # it is got ready, and nothing of it is measured before its turn
    beside: bool = False
    progress: Progress = field(default_factory=Progress)

    @property
    def gone(self) -> bool:
        """Nothing more is measured of it that anybody asks for."""
        return self.progress.over or self.progress.stopped_early

    @property
    def past_calm(self) -> bool:
        """Whether the next may be got ready beside it, whose sessions flow from then on: not beside a sound calm."""
        return bool(self.rows[0].defect) or "fault" in self.progress.opened

    @property
    def raising(self) -> bool:
        """Whether it is still being got ready."""
        return not (self.progress.ready or self.progress.opened or self.gone)

    @property
    def keeps_up(self) -> bool:
        """Whether its load generator has kept to its limit."""
        return self.progress.longest_gap_ms <= self.gap_ms_max


@dataclass
class Matrix:
    """All rows, what has become of each so far, and the seats they run on."""

    rows: Sequence[Row]
    scenarios: dict[str, Scenario]
    options: Options
    say: Say
    on_cell: Callable[[], None] = lambda: None
    at_once: int = AT_ONCE_MAX
    alone: bool = False  # no two defects in one run
    make_seat: Callable[[Say], Seat] = Seat
    clock: Callable[[], float] = time.monotonic
    may_give_way: bool = field(default_factory=may_come_forward)
    cells: dict[Row, Cell] = field(default_factory=dict)
    _crowded: int = 0
    _densest: dict[Rows, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.cells = {row: Cell(row) for row in self.rows}
        self._waiting = self._in_order()
        self._again: deque[Rows] = deque()
        # more than are measured at once: some are got ready meanwhile, one is lowered and judged
        self._seats = [self.make_seat(self._quietly) for _ in range(AT_ONCE_MAX + WAITING_MAX + 1)]
        self._running: list[_Running] = []

    def _in_order(self) -> list[Rows]:
        """The sound system first, since everything rests on it; light runs last, the longest ones first."""
        return sorted(runs_of(self.rows, alone=self.alone), key=self._place)

    def _place(self, rows: Rows) -> tuple[bool, bool, float]:
        light = self._is_light(rows)
        story_s = least_length_s(self.scenarios[rows[0].drill].fault, self.options.heartbeat_s) if light else 0.0
        return bool(rows[0].defect), light, -story_s

    def _quietly(self, text: str) -> None:
        """What the runs say; only where they stop or fail is it of interest here."""

    def run(self) -> list[Cell]:
        """Run all rows; raises Interrupted, after all seats have mended and removed what was theirs."""
        try:
            while self._waiting or self._again or self._running:
                self._begin()
                self._listen()
                self._take_turn()
        except Interrupted:
            self._stop()
            raise
        finally:
            for seat in self._seats:
                seat.close()
        return list(self.cells.values())

    def _begin(self) -> None:
        for seat in self._seats:
            if seat in [one.seat for one in self._running]:
                continue
            if not (chosen := self._next()):
                return
            self._begin_on(seat, *chosen)

    def _begin_on(self, seat: Seat, rows: Rows, alone: bool) -> None:
        attempt = max(len(self.cells[row].attempts) for row in rows) + 1
        limit_ms = self.scenarios[rows[0].drill].generator.gap_ms_max.of(self.options.tier)
        measured = self._measured()
        waits = bool(measured) and self.may_give_way
        begun = _Running(rows, seat, limit_ms, self.clock(), alone, waits)
        self._running.append(begun)
        for one in [*measured, begun] if measured else []:
            one.beside = True
        self.say(f"{together(rows).name}: begun" + (f", attempt {attempt}" if attempt > 1 else ""))
        shortened = bool(rows[0].defect) and attempt == 1
        seat.give(self._order(rows, shortened=shortened, gives_way=bool(measured), waits=waits))

    def _measured(self) -> list[_Running]:
        return [one for one in self._running if not (one.waits or one.gone)]

    def _take_turn(self) -> None:
        """Whoever is ready is told as soon as there is room for it among those that are measured; sound runs first."""
        for one in sorted(self._running, key=lambda one: bool(one.rows[0].defect)):
            ready = one.waits and one.progress.ready and not one.gone
            if ready and self._room(one.rows, self._measured()):
                one.waits, one.began = False, self.clock()
                one.seat.turn("")

    def _room(self, rows: Rows, measured: Sequence[_Running]) -> bool:
        """Whether a run may be measured beside these: visits are what costs a machine most."""
        if not measured:
            return True
        if self._crowded >= CROWDED_MAX or len(measured) >= self.at_once:
            return False
        (other,) = measured
        return other.keeps_up and not other.alone and self._fit(rows, other.rows)

    def _fit(self, *runs: Rows) -> bool:
        """Whether two runs may be measured at once: one at least is light, and none named by a percentile of times."""
        if self.at_once == 1 or not any(map(self._is_light, runs)) or any(together(rows).of_times for rows in runs):
            return False
        most = VISITS_PER_S_MAX[self.options.pace] * max(1.0, (os.cpu_count() or 1) / 2)
        return sum(map(self._visits_per_s, runs)) <= most

    def _visits_per_s(self, rows: Rows) -> float:
        """How many visits a second a run has where they are densest."""
        if rows not in self._densest:
            row = together(rows)
            scenario = self.scenarios[row.drill]
            if row.defect:
                scenario = lighter(scenario, row, fast=self.options.pace == "fast")
            self._densest[rows] = densest_visits_per_s(scenario, self.options.heartbeat_s)
        return self._densest[rows]

    def _order(self, rows: Rows, *, shortened: bool, gives_way: bool, waits: bool) -> Order:
        defects = tuple(row.defect for row in rows if row.defect)
        options = replace(self.options, defects=defects, command=command_of(rows, self.options))
        row = together(rows)
        return Order(row.drill, options, defect=row.defect, claims=row.claims, shortened=shortened,
                     gives_way=gives_way, waits=waits)  # fmt: skip

    def _next(self) -> tuple[Rows, bool] | None:
        """The run to begin now, if any may be; and whether it is to have the machine for itself.

        None begins beside a run whose generator does not keep to its limit, and none beside what is tried again, last
        of all.
        """
        measured, waiting = self._measured(), [one for one in self._running if one.waits]
        if not measured and not waiting:
            return (self._waiting.pop(0), False) if self._waiting else self._again_alone()
        if self._crowded >= CROWDED_MAX or not self._waiting or any(one.alone for one in self._running):
            return None
        if self.may_give_way:
            rows = self._to_get_ready(measured, waiting)
        else:
            rows = next((rows for rows in self._waiting if self._room(rows, measured)), None)
        if rows is None:
            return None
        self._waiting.remove(rows)
        return rows, False

    def _to_get_ready(self, measured: Sequence[_Running], waiting: Sequence[_Running]) -> Rows | None:
        """The next to be got ready, one at a time: one that goes beside the others, where none is at hand."""
        full = len(waiting) >= WAITING_MAX or any(one.raising for one in self._running)
        if full or not all(one.keeps_up for one in measured):
            return None
        others = [one.rows for one in (*measured, *waiting)]
        densest = max(others, key=self._visits_per_s)
        fitting = [rows for rows in self._waiting if self._fit(rows, densest)]
        if fitting and not any(self._fit(one.rows, densest) for one in waiting):
            return fitting[0]
        return self._waiting[0] if all(one.past_calm for one in measured) else None

    def _is_light(self, rows: Rows) -> bool:
        return is_light(self.scenarios[rows[0].drill], together(rows))

    def _again_alone(self) -> tuple[Rows, bool] | None:
        return (self._again.popleft(), True) if self._again and not self._running else None

    def _listen(self) -> None:
        for one in [*self._running]:
            one.progress.look(one.seat.folder, self.clock())
            if self.clock() - one.began > RUN_S_MAX:
                one.seat.interrupt()
            if done := one.seat.heard(LISTEN_S / len(self._running)):
                self._running.remove(one)
                self._note(one, done)

    def _note(self, one: _Running, done: Done) -> None:
        attempts = {row: self._attempt(one, row, done) for row in one.rows}
        if one.beside and any(attempt.bite in BLANK for attempt in attempts.values()):
            self._crowded += 1
            if self._crowded == CROWDED_MAX:
                self.say("too many came out blank beside another: from now on each has the machine for itself")
        for row, attempt in attempts.items():
            cell = self.cells[row]
            self.cells[row] = cell = replace(cell, attempts=(*cell.attempts, attempt))
            again = attempt.bite in BLANK and len(cell.attempts) < ATTEMPTS_MAX
            if again:
                self._again.append((row,))
            self.say(f"{row.name}: {_words(attempt)}" + ("; tried again later, alone" if again else ""))
        self.on_cell()

    def _attempt(self, one: _Running, row: Row, done: Done) -> Attempt:
        took_s = (self.clock() - one.began) / len(one.rows)
        run = "/".join(done.folder.parts[-2:]) if done.folder else ""
        verdict = read_verdict(done.folder) if done.folder and not done.problem else None
        if verdict is None:
            return Attempt(Bite.NOT_RUN, run, done.problem or "it has no verdict", took_s, one.beside)
        stopped = stopped_after(done.folder) if done.folder else ""
        others = [claim for other in one.rows if other != row for claim in other.claims]
        return attempt_of(row, verdict, others, run=run, took_s=took_s, beside=one.beside, stopped_after=stopped)

    def _stop(self) -> None:
        """Interrupt what runs, and wait until it has mended and removed what was its own."""
        for seat in self._seats:
            seat.interrupt()


def _words(attempt: Attempt) -> str:
    words = str(attempt.bite)
    words += f" by {', '.join(attempt.caught_by)}" if attempt.caught_by else ""
    words += f"; also broken: {', '.join(attempt.side_effects)}" if attempt.side_effects else ""
    words += f"; {attempt.reason}" if attempt.reason else ""
    early = f", stopped after {attempt.stopped_after}" if attempt.stopped_after else ""
    return f"{words} ({attempt.took_s:.0f} s{early})"


def stopped_after(folder: Path) -> str:
    """The window after which a run was stopped early; empty where it was not."""
    from drills.record import read_events

    return next((str(event["after"]) for event in read_events(folder / "journal.jsonl")
                 if event.name == "run.stopped_early"), "")  # fmt: skip


def command_of(rows: Rows, options: Options) -> str:
    """The command line that makes the whole run of some rows again."""
    words = f"drills run {rows[0].drill} --pace {options.pace} --stage {options.stage} --seed {options.seed}"
    return " ".join([words, *(f"--defect {row.defect}" for row in rows if row.defect)])
