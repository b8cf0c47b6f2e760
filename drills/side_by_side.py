"""A suite's drills on two seats: one after another, or two at once as far as one machine carries both.

One after another, the next is got ready during the last one's recovery, giving way to it, and waits for its turn: until
nothing more is measured of the other. Who may not give way (drills/stage/priority.py), or has containers made, which
the engine does as it pleases (seen: our load stood still for 425 ms meanwhile), begins after the last window. Judging
gives way.

What costs a machine most is visits: each makes the gateway hash two passwords, 28 ms each on the reference. Two CPUs
carry some ten of them a second at real pace, so two drills run at once only where their visits together are no more;
and one begins beside another only once the fault window of that one has opened: a stage is raised with all CPUs there
are, and calm is what everything is compared with. The longest stories come first, and beside one of those the densest
that fits. (Seen with fifteen a second: queues of logins that no CPU was left for, and set-ups that took over 5 s. In
containers two CPUs carry no two drills at all.)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from drills.apart import INTERRUPTED_S, Done, Order, Seat
from drills.catalogue import CONTROL
from drills.errors import Exit, Interrupted
from drills.options import Options
from drills.progress import Progress
from drills.scenario.models import Scenario
from drills.stage.priority import may_come_forward
from drills.story import least_length_s

Say = Callable[[str], None]
LISTEN_S = 0.1
VISITS_PER_S_MAX = 10.0  # of two drills together
# after its last window what was due in it is answered, a silence that began in it is over
SETTLED_S = 0.5
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
    progress: Progress = field(default_factory=Progress)
    watched: bool = False


@dataclass
class SideBySide:
    """Runs drills on two seats, each with its options; ``on_done`` hears of each as it is known.

    With one at once only one is ever measured.
    """

    options: Mapping[str, Options]
    visits_per_s: Mapping[str, float]  # of each drill, where they are densest
    control: Callable[[], str]  # what calm has come to so far, where it was not held
    say: Say
    on_done: Callable[[Scenario, Done], None]
    at_once: int = 2
    make_seat: Callable[[Say], Seat] = Seat
    clock: Callable[[], float] = time.monotonic
    may_give_way: bool = field(default_factory=may_come_forward)
    watch: Callable[[Path], None] = lambda folder: None  # told of the folder of each run, once it has one
    _running: list[_Running] = field(default_factory=list)
    _waits: _Running | None = None  # the one that is ready, or will be, and waits for its turn

    def run(self, scenarios: Sequence[Scenario]) -> None:
        """All drills, in this order; raises Interrupted once everything that ran has mended and told of itself."""
        waiting = [*scenarios]
        seats = [self.make_seat(self.say) for _ in range(2)]
        try:
            while waiting or self._running:
                for one in self._running:
                    one.progress.look(one.seat.folder, self.clock())
                    if one.seat.folder and not one.watched:
                        one.watched = True
                        self.watch(one.seat.folder)
                if waiting and (next_one := self._next(waiting)):
                    waiting.remove(next_one)
                    self._begin(next_one, self._free(seats))
                self._take_turns()
                self._listen()
        except Interrupted:
            self._interrupt()
            raise
        finally:
            for seat in seats:
                seat.close()

    def _next(self, waiting: Sequence[Scenario]) -> Scenario | None:
        """The drill that may begin now, if one may."""
        if not self._running:
            return waiting[0]
        if len(self._running) > 1:
            return None
        one = self._running[0]
        progress = one.progress
        if self.at_once == 1:
            settled = progress.over or self.clock() - progress.closed_at >= SETTLED_S
            return waiting[0] if ("recovery" in progress.opened if self.may_give_way else settled) else None
        if progress.over:
            return waiting[0]
        if "fault" not in progress.opened:
            return None
        room = VISITS_PER_S_MAX - self.visits_per_s[one.scenario.name]
        fitting = [one for one in waiting if self.visits_per_s[one.name] <= room]
        return max(fitting, key=lambda one: self.visits_per_s[one.name], default=None)

    def _free(self, seats: Sequence[Seat]) -> Seat:
        return next(seat for seat in seats if seat not in [one.seat for one in self._running])

    def _begin(self, scenario: Scenario, seat: Seat) -> None:
        beside = any(not self._gone(one) for one in self._running)
        begun = _Running(scenario, seat, self.clock())
        self._running.append(begun)
        waits = beside and self.at_once == 1
        self._waits = begun if waits else self._waits
        seat.give(Order(scenario.name, self.options[scenario.name], self.control(), gives_way=beside, waits=waits))

    def _gone(self, one: _Running) -> bool:
        """Whether nothing that comes may wait for it any more: calm has to be judged, because it binds the others."""
        return one.progress.over and one.scenario.name != CONTROL

    def _take_turns(self) -> None:
        """Whoever waits is told once nothing more is measured of the other."""
        if self._waits and all(self._gone(one) for one in self._running if one is not self._waits):
            self._waits.seat.turn(self.control())
            self._waits = None

    def _listen(self) -> None:
        for one in [*self._running]:
            if self.clock() - one.began > RUN_S_MAX:
                one.seat.interrupt()
            if done := one.seat.heard(LISTEN_S / len(self._running)):
                self._running.remove(one)
                self._waits = None if self._waits is one else self._waits
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
