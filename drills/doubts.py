"""What in a record makes its figures say less than they seem to: pure, from the record alone.

A doubt names its window (or all), what it voids, and why, in words for the report.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drills.objectives import DoubtKind
from drills.record import Record, Span
from drills.scenario.models import Action, Scenario, Step

if TYPE_CHECKING:
    import numpy

BOTH = frozenset({"held", "broken"})
ONLY_HELD = frozenset({"held"})
ONLY_BROKEN = frozenset({"broken"})

# A stage process that waited for a CPU this long in one second may be late because of the machine, not by itself.
WAITED_MS_MAX = 250.0
CLOCK_STEP_NS = 50_000_000  # the wall clock against the monotonic one, from one second to the next
OWN_LOSS_MAX = 0  # packets that died in our own sockets
SKIPPED_RATIO_MAX = 0.001


@dataclass(frozen=True)
class Doubt:
    """One reason to believe a figure less."""

    kind: DoubtKind
    window: str  # one window, or "" for the whole run
    voids: frozenset[str]
    reason: str

    def concerns(self, window: str) -> bool:
        """Whether it bears on this window."""
        return self.window in ("", window)

    def __str__(self) -> str:
        return self.reason


def doubts_of(record: Record, scenario: Scenario) -> list[Doubt]:
    """Every doubt that the record gives rise to."""
    found = _whole_run(record, scenario)
    for window, span in record.windows.items():
        found += _generator(record, scenario, window, span)
        found += _own_losses(record, window, span)
        found += _starved(record, window, span)
        found += _clock(record, window, span)
    return found + _faults(record, scenario)


def _whole_run(record: Record, scenario: Scenario) -> list[Doubt]:
    found = []
    for event in record.named("run.interrupted"):
        found.append(Doubt(DoubtKind.INTERRUPTED, "", BOTH, f"the run was interrupted by {event['signal']}"))
    ended = record.named("run.ended")
    if not ended:
        found.append(Doubt(DoubtKind.INTERRUPTED, "", BOTH, "the run was cut short: the record has no end"))
    for event in record.named("run.failed"):
        found.append(Doubt(DoubtKind.INTERRUPTED, "", BOTH, f"the run failed: {event['error']}"))
    finished = record.named("generator.finished")
    expected = scenario.load.workers
    if not found and len(finished) != expected:
        words = f"{len(finished)} of {expected} load workers wrote their last samples"
        found.append(Doubt(DoubtKind.RECORD, "", BOTH, words))
    if not found and finished and sum(event["rows"] for event in finished) != len(record.packets):
        words = f"{len(record.packets)} samples on disk, {sum(event['rows'] for event in finished)} were written"
        found.append(Doubt(DoubtKind.RECORD, "", BOTH, words))
    for event in record.named("load.error")[:1]:
        found.append(Doubt(DoubtKind.RECORD, "", BOTH, f"the load generator failed: {event['error']}"))
    return found


def lateness_ms(record: Record, span: Span) -> numpy.ndarray:
    """How late each packet due in the window was handed to the kernel, in ms; skipped ones are not in it."""
    packets = record.packets
    due = (packets.intended_ns >= span.from_ns) & (packets.intended_ns < span.to_ns) & (packets.sent_ns > 0)
    late: numpy.ndarray = (packets.sent_ns[due] - packets.intended_ns[due]) / 1e6
    return late


def longest_gap_ms(record: Record, span: Span) -> float:
    """The longest time for which a worker's pump stood still, of the gaps that touch the window."""
    gaps = [event for event in record.named("generator.gap")
            if event["from_ns"] < span.to_ns and event["to_ns"] > span.from_ns]  # fmt: skip
    return max(((event["to_ns"] - event["from_ns"]) / 1e6 for event in gaps), default=0.0)


def _generator(record: Record, scenario: Scenario, window: str, span: Span) -> list[Doubt]:
    import numpy

    tier = record.provenance["tier"]
    gap_ms_max, late_ms_max = scenario.generator.gap_ms_max.of(tier), scenario.generator.lateness_ms_p99_max.of(tier)
    found = []
    gap_ms = longest_gap_ms(record, span)
    if gap_ms > gap_ms_max:
        words = f"our load generator stood still for {gap_ms:.0f} ms, {gap_ms_max:g} ms are allowed"
        found.append(Doubt(DoubtKind.GENERATOR, window, BOTH, words))
    late = lateness_ms(record, span)
    p99 = float(numpy.quantile(late, 0.99)) if len(late) else 0.0
    if p99 > late_ms_max:
        words = f"our load generator was {p99:.1f} ms late at p99, {late_ms_max:g} ms are allowed"
        found.append(Doubt(DoubtKind.GENERATOR, window, BOTH, words))
    packets = record.packets
    due = (packets.intended_ns >= span.from_ns) & (packets.intended_ns < span.to_ns)
    skipped, all_due = int((due & (packets.sent_ns == 0)).sum()), int(due.sum())
    if all_due and skipped / all_due > SKIPPED_RATIO_MAX:
        found.append(Doubt(DoubtKind.GENERATOR, window, BOTH, f"our load generator did not send {skipped} packets in time"))
    return found


def _own_losses(record: Record, window: str, span: Span) -> list[Doubt]:
    """Drops in our own sockets grow only on our account; the counters are cumulative per worker."""
    lost = 0
    for worker in {event["worker"] for event in record.named("generator.second")}:
        counts = [(event.ns, event["own_drops"]) for event in record.named("generator.second")
                  if event["worker"] == worker]  # fmt: skip
        before = max((count for ns, count in counts if ns < span.from_ns), default=0)
        # one look past the window's end, which covers its last second
        inside = [count for ns, count in counts if span.from_ns <= ns < span.to_ns + 1_500_000_000]
        lost += max(inside, default=before) - before
    if lost > OWN_LOSS_MAX:
        return [Doubt(DoubtKind.OWN_LOSS, window, ONLY_BROKEN, f"{lost} packets died in our own sockets")]
    return []


def _starved(record: Record, window: str, span: Span) -> list[Doubt]:
    worst, name = 0.0, ""
    for event in record.named("machine.second"):
        if event.ns in span:
            for service, waited in event["waited_ms"].items():
                if waited > worst and not service.startswith("locust"):
                    worst, name = waited, service
    if worst > WAITED_MS_MAX:
        words = f"the machine kept {name} waiting for a CPU for {worst:.0f} ms in one second"
        return [Doubt(DoubtKind.STARVED, window, ONLY_BROKEN, words)]
    return []


def _clock(record: Record, window: str, span: Span) -> list[Doubt]:
    offsets = [event["wall_minus_monotonic_ns"] for event in record.named("machine.second") if event.ns in span]
    steps = [abs(after - before) for before, after in zip(offsets, offsets[1:], strict=False)]
    if max(steps, default=0) > CLOCK_STEP_NS:
        words = f"the wall clock stepped by {max(steps) / 1e6:.0f} ms"
        return [Doubt(DoubtKind.CLOCK, window, BOTH, words)]
    return []


def _faults(record: Record, scenario: Scenario) -> list[Doubt]:
    """Every fault of the scenario must have a receipt that says it landed and was mended, or what held is unproven."""
    found = []
    receipts = record.named("fault.receipt")
    stopped = bool(record.named("story.stopped"))
    for fault, subject in _asked(scenario.fault):
        mine = [event for event in receipts if event["fault"] == fault and event["subject"] == subject]
        if not mine and not stopped:
            found.append(Doubt(DoubtKind.FAULT, "fault", ONLY_HELD, f"{fault} on {subject} has no receipt"))
        for event in mine:
            if not event["landed"]:
                words = f"{fault} on {subject} did not land: {event['measured_on']}"
                found.append(Doubt(DoubtKind.FAULT, "fault", ONLY_HELD, words))
            if not event["mended"]:
                words = f"{fault} on {subject} was not seen to be mended: {event['measured_off']}"
                found.append(Doubt(DoubtKind.FAULT, "recovery", BOTH, words))
    return found


def _asked(steps: tuple[Step, ...]) -> list[tuple[str, str]]:
    asked: list[tuple[str, str]] = []
    for step in steps:
        if not isinstance(step, Action):
            asked += [(step.fault, step.subject), *_asked(step.steps)]
    return asked


