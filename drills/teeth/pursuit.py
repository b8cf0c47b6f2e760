"""When a run that is after one defect has seen enough: as soon as everything that names the defect is broken.

Only the end of a run is moved. No window in which something that names the defect is due is shortened, no limit and no
number of samples is touched, and what decides the row is the verdict over the record as it then lies on disk, never
the look taken here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from drills.record import Event, Record
from drills.scenario.models import WINDOWS, Scenario
from drills.scenario.tiers import Tiers
from drills.scene import Scene
from drills.teeth.rows import Row, windows_due
from drills.verdict import Outcome, judge

# Of a calm or recovery window in which nothing that names the defect is due: some of it all the same, since measures
# of the fault window may compare with it.
SHARE_OF_OTHERS = 1 / 3
WRITTEN_LOOKS, WRITTEN_EVERY_S = 40, 0.05


@dataclass(frozen=True)
class DefectSeen:
    """Stops the run of a row early; see the module's text."""

    row: Row
    scenario: Scenario
    tiers: Tiers

    def length_s(self, window: str, length_s: float) -> float:
        """A window in which nothing that names the defect is due is cut to a third."""
        return length_s if self._due_in(window) else length_s * SHARE_OF_OTHERS

    def _due_in(self, window: str) -> bool:
        due = {spec.claim: spec.windows for spec in self.scenario.objectives}
        return any(window in due.get(claim, WINDOWS) for claim in self.row.claims)

    def over(self, scene: Scene, window: str) -> str:
        """Why the later windows add nothing: nothing named is due in them, or all that is named is broken already."""
        if window == WINDOWS[-1]:
            return ""
        if window == windows_due(self.scenario, self.row)[-1]:
            return "nothing that names the defect is due in a later window"
        due = {spec.claim: spec.windows for spec in self.scenario.objectives}
        before = WINDOWS[: WINDOWS.index(window) + 1]
        if not all(set(due.get(claim, ())) & set(before) for claim in self.row.claims):
            return ""
        scene.load.visits(0.0)
        until_ns = scene.now_ns()
        scene.load.flush()
        _await_written(scene)
        broken = self.broken_in(Record.read(scene.folder), until_ns)
        return f"{', '.join(self.row.claims)} broken already" if set(self.row.claims) <= broken else ""

    def broken_in(self, record: Record, until_ns: int) -> set[str]:
        """Which of the objectives that name the defect are broken, as if the run had ended at a moment."""
        named = tuple(spec for spec in self.scenario.objectives if spec.claim in self.row.claims)
        if not named:
            return set()
        verdict = judge(ended_here(record, until_ns), replace(self.scenario, objectives=named), self.tiers)
        return {one.objective for one in verdict.judgements if one.verdict is Outcome.BROKEN}


def _await_written(scene: Scene) -> None:
    """Until no part of the samples is in the writing any more; what is late is only missed by the look."""
    for _ in range(WRITTEN_LOOKS):
        if not any((scene.folder / "samples").glob("*.unfinished")):
            return
        scene.pause(WRITTEN_EVERY_S)


def ended_here(record: Record, until_ns: int) -> Record:
    """A record that is still being written, with the end that it would have, had it ended at a moment.

    Sessions that have ended since are taken for living ones: what they sent last is not on disk yet.
    """
    ns, at = record.events[-1].ns, record.events[-1].at
    workers = sorted({event["worker"] for event in record.named("generator.second")})
    ends = [
        Event("generator.finished", ns, at, {"worker": worker, "rows": 0 if index else len(record.packets)})
        for index, worker in enumerate(workers)
    ]
    before = [event for event in record.events if event.name != "session.ended" or event["stopped_ns"] < until_ns]
    ended = Record(record.folder, (*before, *ends, Event("run.ended", ns, at, {})), record.provenance)
    ended.__dict__["packets"] = record.packets
    return ended
