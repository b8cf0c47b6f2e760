"""A suite's drills two at once, so that what is hard for the machine of one meets what is easy of the other.

A run is dear while its stage is raised and in calm and recovery, where visits are dense, and cheap in its fault window.
So the drills go in pairs, those with short stories first, and the second of a pair begins when the fault window of the
first opens: its raising and its calm lie in that window, and the first one's recovery in its own. The shorter story is
the first of a pair, so that the two recoveries do not meet either.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from drills.apart import INTERRUPTED_S, Done, Order, Seat
from drills.errors import Exit, Interrupted
from drills.options import Options
from drills.scenario.models import Scenario
from drills.story import least_length_s

Say = Callable[[str], None]
LISTEN_S = 0.1
RUN_S_MAX = 3600.0  # no rehearsal takes an hour (SECONDS_MAX of a scenario's durations)


def in_pairs(scenarios: Sequence[Scenario], heartbeat_s: float) -> list[list[Scenario]]:
    """Pairs by the length of their stories; an odd one, the shortest, comes alone and first."""
    ordered = sorted(scenarios, key=lambda scenario: least_length_s(scenario.fault, heartbeat_s))
    alone = len(ordered) % 2
    return [ordered[:alone]] * alone + [ordered[at : at + 2] for at in range(alone, len(ordered), 2)]


@dataclass
class SideBySide:
    """Runs pairs of drills on two seats; ``on_done`` hears of each as it is known."""

    options: Options
    control: str
    say: Say
    on_done: Callable[[Scenario, Done], None]
    make_seat: Callable[[Say], Seat] = Seat
    clock: Callable[[], float] = time.monotonic
    _running: dict[str, tuple[Scenario, Seat, float]] = field(default_factory=dict)

    def run(self, pairs: Sequence[Sequence[Scenario]]) -> None:
        """All pairs, one after another; raises Interrupted once everything that ran has mended and told of itself."""
        seats = [self.make_seat(self.say) for _ in range(2)]
        try:
            for pair in pairs:
                self._pair(pair, seats)
        except Interrupted:
            self._interrupt()
            raise
        finally:
            for seat in seats:
                seat.close()

    def _pair(self, pair: Sequence[Scenario], seats: Sequence[Seat]) -> None:
        for scenario, seat in zip(pair, seats, strict=False):
            self._running[scenario.name] = (scenario, seat, self.clock())
            seat.give(Order(scenario.name, self.options, control=self.control))
            opened = FaultWindow()
            while scenario is not pair[-1] and scenario.name in self._running and not opened.in_journal_of(seat):
                self._listen()
        while self._running:
            self._listen()

    def _listen(self) -> None:
        for name, (scenario, seat, began) in list(self._running.items()):
            if self.clock() - began > RUN_S_MAX:
                seat.interrupt()
            done = seat.heard(LISTEN_S / len(self._running))
            if done:
                del self._running[name]
                self.on_done(scenario, done)

    def _interrupt(self) -> None:
        """Both are asked to stop; no signal is raised a second time, so each can be waited for until it has mended."""
        for _, seat, _ in self._running.values():
            seat.interrupt()
        deadline = self.clock() + INTERRUPTED_S
        while self._running and self.clock() < deadline:
            self._listen()
        for scenario, _, _ in self._running.values():
            self.on_done(scenario, Done(None, f"it did not stop within {INTERRUPTED_S:g} s", Exit.CANNOT_RUN))


@dataclass
class FaultWindow:
    """Whether the fault window of a run has opened, by its journal."""

    _offset: int = 0

    def in_journal_of(self, seat: Seat) -> bool:
        """Look at what has been appended; a run without a folder has opened nothing."""
        if seat.folder is None:
            return False
        try:
            with (seat.folder / "journal.jsonl").open("rb") as lines:
                lines.seek(self._offset)
                added = lines.read()
        except FileNotFoundError:
            return False
        whole, _, unfinished = added.rpartition(b"\n")
        self._offset += len(added) - len(unfinished)
        return any(b'"window.opened"' in line and json.loads(line)["window"] == "fault" for line in whole.split(b"\n"))
