"""When a run that is after one defect has seen enough: as soon as everything that names the defect is broken.

Only the end of a run is moved: no limit and no number of samples is touched, and no window in which something that
names the defect is due ends before that is broken. What decides the row is the verdict over the record as it then lies
on disk, never the look taken here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from drills.cut_short import ended_at
from drills.doubts import SETUP_CLAIMS
from drills.invariants.base import Standing
from drills.invariants.table import INVARIANTS
from drills.objectives import CLAIMS, DoubtKind, Shape
from drills.record import Record
from drills.scenario.durations import Duration
from drills.scenario.models import WINDOWS, Scenario
from drills.scenario.tiers import Tiers
from drills.scene import Scene, StoryStopped
from drills.teeth.rows import Row, visits_needed, windows_due
from drills.verdict import Outcome, judge

# Of a calm or recovery window in which nothing that names the defect is due: some of it all the same, since measures
# of the fault window may compare with it.
SHARE_OF_OTHERS = 1 / 3
# Calm lasts as long as always for what is compared with it, and for what rests on how old the load's accounts are.
WHOLE_CALM = frozenset({"data_loss_s", "back_in_band_ms_p95"})
WRITTEN_LOOKS, WRITTEN_EVERY_S = 40, 0.05
# How often an end sends in a run after a defect, at the most: enough for thousands of packets in half a window where
# it is seen in packets, and next to nothing where it is not.
PACKETS_PER_S, BACKGROUND_PER_S = 30, 20
# Invariants that are violated by what was seen, whatever comes later; the others compare sums of the whole run.
COMPARES_SUMS = "relay_counters_agree"
SEEN_EARLY = frozenset(INVARIANTS) - {COMPARES_SUMS}
# Where the least evidence is thousands of packets, they are there long before a window's end, and what an invariant
# forbids is seen the first time that it happens: a look in the middle.
PACKETS_MIN, MIDDLE = 1000, 0.5
GLANCE_NS = 2_000_000_000
WORTH_S = 3.0  # a look takes more than a second: less than this left of a hold is not worth one


# At fast pace, where a visit costs the gateway a tenth of what it costs else, the visits of a calm or recovery window
# come in six tenths of its time: some 25 a second, which two CPUs carry beside so few packets.
DENSER = 0.6


def lighter(scenario: Scenario, row: Row, *, fast: bool = False) -> Scenario:
    """The drill with fewer packets and visits, as many as what names the defect needs, and in less time where possible.

    All else is as always.
    """
    in_packets = any(claim not in CLAIMS or DoubtKind.OWN_LOSS in CLAIMS[claim].doubts for claim in row.claims)
    most = PACKETS_PER_S if in_packets else BACKGROUND_PER_S
    load = scenario.load
    fewer = {"inputs_per_s": min(load.inputs_per_s, most), "frames_per_s": min(load.frames_per_s, most),
             "visits_per_window": visits_needed(scenario, row)}  # fmt: skip
    scenario = replace(scenario, load=load.model_copy(update=fewer))
    if not fast or WHOLE_CALM & set(row.claims):
        return scenario
    shorter = {name: _denser(length) for name, length in scenario.windows}
    return replace(scenario, windows=scenario.windows.model_copy(update=shorter))


def _denser(length: Duration) -> Duration:
    return Duration(length.seconds * DENSER, length.heartbeats * DENSER)


@dataclass
class DefectSeen:
    """Stops the run of a row early; see the module's text."""

    row: Row
    scenario: Scenario
    tiers: Tiers
    seen: str = ""  # why the run is over, once a look in the middle of a window has shown it

    def __post_init__(self) -> None:
        named = [spec for spec in self.scenario.objectives if spec.claim in self.row.claims]
        self.due = {spec.claim: spec.windows for spec in named}
        self.objectives = tuple(named)
        facts = SEEN_EARLY | {spec.claim for spec in named if spec.samples_min >= PACKETS_MIN}
        self.seen_by_half = set(self.row.claims) <= facts

    def pause(self, scene: Scene, window: str, length_s: float) -> None:
        """A calm or recovery window: part of it where nothing named is due, half where that is enough to see it."""
        if not self._needs_all_of(window):
            self._pause_in_part(scene, window, length_s)
            return
        began_ns = scene.now_ns()
        if self.seen_by_half:
            scene.pause(length_s * MIDDLE)
            self.seen = self._look(scene, window)
        if not self.seen:
            scene.pause(max(0.0, length_s - (scene.now_ns() - began_ns) / 1e9))

    def _needs_all_of(self, window: str) -> bool:
        """Whether something named is due in a window, or rests on how long that lasts.

        An invariant needs no least evidence: it alone makes a window whole only where no objective names the defect.
        """
        if window == WINDOWS[0] and WHOLE_CALM & set(self.row.claims):
            return True
        return any(window in windows for windows in self.due.values()) if self.due else True

    def _pause_in_part(self, scene: Scene, window: str, length_s: float) -> None:
        """A third of a window; of one after which a time was to be up, third after third until that is broken."""
        scene.pause(length_s * SHARE_OF_OTHERS)
        if window == WINDOWS[-1] and self._time_runs_on():
            for _ in range(round(1 / SHARE_OF_OTHERS) - 1):
                if seen := self._look(scene, window):
                    self.seen = seen
                    return
                scene.pause(length_s * SHARE_OF_OTHERS)

    def _time_runs_on(self) -> bool:
        """Whether something named must have happened within a time, which does not end with its window."""
        return any(CLAIMS[claim].shape is Shape.TIME_MAX for claim in self.due)

    @contextlib.contextmanager
    def glancing(self, scene: Scene) -> Iterator[None]:
        """Every few seconds of the story a look, where it takes neither packets nor a calm machine: facts are facts.

        Else only while the story holds, when nothing that a look could delay is done. Once everything named is broken
        the story ends; its faults are mended on the way out, as always.
        """
        idle = scene.glance, scene.enough
        if self.row.sturdy:
            scene.glance = self._glances(scene)
        else:
            scene.enough = partial(self._stop_holding, scene)
        try:
            yield
        finally:
            scene.glance, scene.enough = idle

    def _glances(self, scene: Scene) -> Callable[[], None]:
        due_ns = scene.now_ns() + GLANCE_NS

        def glance() -> None:
            nonlocal due_ns
            if scene.now_ns() < due_ns:
                return
            self._stop_where(self._broken_already(scene, scene.now_ns()))
            due_ns = scene.now_ns() + GLANCE_NS

        return glance

    def _stop_holding(self, scene: Scene, left_s: float) -> None:
        if left_s >= WORTH_S:
            self._stop_where(self._look(scene, "fault"))

    def _stop_where(self, seen: str) -> None:
        """End the story where enough was seen."""
        self.seen = seen
        if seen:
            raise StoryStopped(seen)

    def over(self, scene: Scene, window: str) -> str:
        """Why the later windows add nothing: nothing named is due in them, or all that is named is broken already."""
        if window == WINDOWS[-1] or self.seen:
            return self.seen
        if {*self.row.claims} == {COMPARES_SUMS}:
            return "sums are compared over a run of any length"
        if window == windows_due(self.scenario, self.row)[-1] and not self._time_runs_on():
            return "nothing that names the defect is due in a later window"
        self.seen = self._look(scene, window)  # visits go on meanwhile: the next window is to find as many as always
        return self.seen

    @property
    def ends_promptly(self) -> bool:
        """Whether nothing is asked for any more of what is under way when the run is stopped.

        What is on its way must arrive where sums are compared, and a set-up come to its end where set-ups are counted
        and no look has shown them to be bad.
        """
        return COMPARES_SUMS not in self.row.claims and bool(self.seen or not SETUP_CLAIMS & {*self.row.claims})

    def _look(self, scene: Scene, window: str) -> str:
        """Whether everything named is broken by now, in words; empty where it is not, or cannot be yet."""
        until = WINDOWS[: WINDOWS.index(window) + 1]
        early = {claim: WINDOWS for claim in self.row.claims if claim in SEEN_EARLY}
        if not all(set((early | self.due).get(claim, ())) & set(until) for claim in self.row.claims):
            return ""
        until_ns = scene.now_ns()
        scene.load.flush()
        _await_written(scene)
        return self._broken_already(scene, until_ns)

    def _broken_already(self, scene: Scene, until_ns: int) -> str:
        """That everything named is broken in what lies on disk, in words; empty where it is not."""
        broken = self.broken_in(Record.read(scene.folder), until_ns)
        return f"{', '.join(self.row.claims)} broken already" if set(self.row.claims) <= broken else ""

    def broken_in(self, record: Record, until_ns: int) -> set[str]:
        """Which of the objectives and invariants that name the defect are broken, had the run ended at a moment."""
        verdict = judge(ended_at(record, until_ns), replace(self.scenario, objectives=self.objectives), self.tiers)
        violated = {one.invariant for one in verdict.invariants if one.outcome is Standing.VIOLATED}
        broken = {one.objective for one in verdict.judgements if one.verdict is Outcome.BROKEN}
        return broken | (violated & SEEN_EARLY & set(self.row.claims))


def _await_written(scene: Scene) -> None:
    """Until no part of the samples is in the writing any more; what is late is only missed by the look."""
    for _ in range(WRITTEN_LOOKS):
        if not any((scene.folder / "samples").glob("*.unfinished")):
            return
        scene.pause(WRITTEN_EVERY_S)
