"""A suite's drills two at once, so that what is hard for the machine of one meets what is easy of the other.

A run is dear while its stage is raised and in calm and recovery, where visits are dense, and cheap in its fault window.
So a drill begins beside another only while the other is in its fault window: its raising and its calm lie there. The
longest stories come first, so that short ones are left to fill what remains, and both seats end at about the same time.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from drills.apart import INTERRUPTED_S, Done, Order, Seat
from drills.errors import Exit, Interrupted
from drills.options import Options
from drills.scenario.models import Scenario
from drills.story import least_length_s

Say = Callable[[str], None]
LISTEN_S = 0.1
RUN_S_MAX = 3600.0  # no rehearsal takes an hour (SECONDS_MAX of a scenario's durations)


def longest_first(scenarios: Sequence[Scenario], heartbeat_s: float) -> list[Scenario]:
    """By the length of their stories, as far as those say it."""
    return sorted(scenarios, key=lambda scenario: -least_length_s(scenario.fault, heartbeat_s))


@dataclass
class _Running:
    """A drill on a seat."""

    scenario: Scenario
    seat: Seat
    began: float
    fault: FaultWindow = field(default_factory=lambda: FaultWindow())


@dataclass
class SideBySide:
    """Runs drills on two seats, each with its options; ``on_done`` hears of each as it is known."""

    options: Mapping[str, Options]
    control: str
    say: Say
    on_done: Callable[[Scenario, Done], None]
    make_seat: Callable[[Say], Seat] = Seat
    clock: Callable[[], float] = time.monotonic
    _running: list[_Running] = field(default_factory=list)

    def run(self, scenarios: Sequence[Scenario]) -> None:
        """All drills, in this order; raises Interrupted once everything that ran has mended and told of itself."""
        waiting = deque(scenarios)
        seats = [self.make_seat(self.say) for _ in range(2)]
        try:
            while waiting or self._running:
                while waiting and (seat := self._free(seats)):
                    self._begin(waiting.popleft(), seat)
                self._listen()
        except Interrupted:
            self._interrupt()
            raise
        finally:
            for seat in seats:
                seat.close()

    def _free(self, seats: Sequence[Seat]) -> Seat | None:
        """A seat on which a drill may begin now, if there is one."""
        free = [seat for seat in seats if seat not in [one.seat for one in self._running]]
        easy = all(one.fault.is_open(one.seat) for one in self._running)
        return free[0] if free and easy else None

    def _begin(self, scenario: Scenario, seat: Seat) -> None:
        self._running.append(_Running(scenario, seat, self.clock()))
        seat.give(Order(scenario.name, self.options[scenario.name], control=self.control))

    def _listen(self) -> None:
        for one in [*self._running]:
            if self.clock() - one.began > RUN_S_MAX:
                one.seat.interrupt()
            if done := one.seat.heard(LISTEN_S / len(self._running)):
                self._running.remove(one)
                self.on_done(one.scenario, done)

    def _interrupt(self) -> None:
        """Both are asked to stop; no signal is raised a second time, so each can be waited for until it has mended."""
        for one in self._running:
            one.seat.interrupt()
        deadline = self.clock() + INTERRUPTED_S
        while self._running and self.clock() < deadline:
            self._listen()
        for one in self._running:
            self.on_done(one.scenario, Done(None, f"it did not stop within {INTERRUPTED_S:g} s", Exit.CANNOT_RUN))


@dataclass
class FaultWindow:
    """Whether the fault window of a run is open, by its journal."""

    _offset: int = 0
    _open: bool = False

    def is_open(self, seat: Seat) -> bool:
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
        for line in whole.split(b"\n"):
            if b'"window.' in line and (event := json.loads(line)).get("window") == "fault":
                self._open = event["event"] == "window.opened"
        return self._open
