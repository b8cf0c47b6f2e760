"""What in a record makes its figures say less than they seem to: pure, from the record alone.

A doubt names its window (or all), what it voids, why, in words for the report, and how much it can explain at most: a
generator that stood still for 60 ms does not explain a silence of a second. ``drills/weighing.py`` weighs that.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from itertools import groupby, pairwise

from drills.measures import generator
from drills.measures.media import lost_at_ends
from drills.measures.waiting import LOOK_NS, Wait, longest_wait_ms, wait_of
from drills.objectives import CLAIMS, DoubtKind, Shape
from drills.record import CONDITION, Event, Record, Span
from drills.scenario.models import Action, Injection, Scenario, Step

BOTH = frozenset({"held", "broken"})
ONLY_HELD = frozenset({"held"})
ONLY_BROKEN = frozenset({"broken"})

# Next to no CPU left for two seconds on end: queues of work grow, whoever is to blame. Not 1.0, because a second holds
# moments of both, and a scheduler leaves one CPU idle now and then while two wait for the other (seen: set-ups failed
# at 0.91 to 0.94, and not at 0.88).
BUSY_SHARE_MAX, SATURATED_S = 0.9, 2
# and have to be worked off: visits come open-loop, so what waited when a window began (at most as long as a set-up
# may take, SETUP_S in drills/load/session.py) delays those that come in it. Seen in a window after a saturated one.
BACKLOG_NS = 5_000_000_000
UDP_PROXY = "udp_proxy"  # the service
CLOCK_STEP_NS = 50_000_000  # the wall clock against the monotonic one, from one second to the next
KILLED = ("ended by itself with -9", "ended by itself with 137")  # SIGKILL, of a process and of a container (128 + 9)
SKIPPED_RATIO_MAX = 0.001
WITNESS_NS = 2_500_000_000  # witnesses speak once a second; after this long without a word nobody was watching
OVERLONG_S = 2.0  # beyond what was asked for: proving a fault on and off takes up to a second each way
AFTERMATH = 3.0  # packets of so many times the length of a gap may bear its mark: what it held up, and what came after
OVERDUE_MS = 100.0  # a packet later than this is not sent (drills/load/pump.py)
# a stop up to this long keeps no packet from being sent: it is late, seen, and counted as late
ALL_SENT_MS = 0.8 * OVERDUE_MS

# Claims whose figures are read from packets, and those about getting in.
PACKET_CLAIMS = frozenset(name for name, claim in CLAIMS.items() if DoubtKind.OWN_LOSS in claim.doubts)
# and these are about who was served again, which packets tell: without some of them nobody knows
TOLD_BY_PACKETS = PACKET_CLAIMS | {"sessions_lost_with_relay", "loss_recovered_s"}
# How long a dead relay is named is said by the master's clock, not by work that waits for a CPU: only a master that was
# itself kept waiting can be late for it, and that is measured.
BY_THE_CLOCK = frozenset({"dead_relay_named_s"})
# Claims about whoever is on another relay than the one that a drill kills: that one's waiting, above all when it is
# started again, is none of theirs (seen: 202 ms, a second after its start).
OF_OTHERS = frozenset({"bystanders_silence_ms_p99"})
SETUP_CLAIMS = frozenset(
    {"session_setup_success_ratio", "handshake_failure_ratio", "candidate_not_worse", "back_in_band_ms_p95"}
)


@dataclass(frozen=True)
class Doubt:
    """One reason to believe a figure less."""

    kind: DoubtKind
    window: str  # one window, or "" for the whole run
    voids: frozenset[str]
    reason: str
    claims: frozenset[str] = frozenset(CLAIMS)  # those it can bear on; the claim itself names the kinds it can have
    most_ms: float = math.inf  # the most that it can have added to any one wait
    in_all_ms: float = 0.0  # what came of it again and again in the window, which adds to a time of many waits
    most_failures: float = math.inf  # the most samples that it can have made bad
    most_share: float = 1.0  # the most of all packets of the window that it can have touched
    # the most of what was due in the window that it can have kept from being seen: that share of it, and so many more
    hidden_share: float = 1.0
    hidden_more: int = 0
    unsent_share: float = 1.0  # the same of packets: those due in stops in which some may never have been sent
    unsent_more: int = 0
    hidden_ms: float = math.inf  # the most by which any silence can have been longer than it was seen to be

    @property
    def whole_ms(self) -> float:
        """The most that it can have added to a time of many seconds, in which one waits again and again."""
        return max(self.most_ms, self.in_all_ms)

    def concerns(self, claim: str, window: str) -> bool:
        """Whether it bears on a claim in a window."""
        return self.window in ("", window) and claim in self.claims

    def __str__(self) -> str:
        return self.reason


def doubts_of(record: Record, scenario: Scenario) -> list[Doubt]:
    """Every doubt that the record gives rise to."""
    found = _whole_run(record, scenario)
    for window, span in record.windows.items():
        found += _generator(record, scenario, window, span)
        found += _unstarted(record, window, span)
        found += _own_losses(record, window, span)
        found += _udp_proxy(record, window, span)
        found += _starved(record, window, span)
        found += _saturated(record, window, span)
        found += _clock(record, window, span)
        found += _unwitnessed(record, scenario, window, span)
    return found + _condition(record) + _faults(record, scenario)


def _whole_run(record: Record, scenario: Scenario) -> list[Doubt]:
    found = []
    for event in record.named("run.interrupted"):
        found.append(Doubt(DoubtKind.INTERRUPTED, "", BOTH, f"the run was interrupted by {event['signal']}"))
    if not record.named("run.ended"):
        found.append(Doubt(DoubtKind.INTERRUPTED, "", BOTH, "the run was cut short: the record has no end"))
    for event in record.named("run.failed"):
        found.append(Doubt(DoubtKind.INTERRUPTED, "", BOTH, f"the run failed: {event['error']}"))
    finished = {event["worker"]: event["rows"] for event in record.named("generator.finished")}
    if not found and len(finished) != scenario.load.workers:
        words = f"{len(finished)} of {scenario.load.workers} load workers wrote their last samples"
        found.append(Doubt(DoubtKind.RECORD, "", BOTH, words))
    if not found and sum(finished.values()) != len(record.packets):
        words = f"{len(record.packets)} samples on disk, {sum(finished.values())} were written"
        found.append(Doubt(DoubtKind.RECORD, "", BOTH, words, TOLD_BY_PACKETS))
    for event in record.named("load.error")[:1]:
        found.append(Doubt(DoubtKind.RECORD, "", BOTH, f"the load generator failed: {event['error']}"))
    for event in record.named("control.not_held"):
        words = f"calm, the control run of this suite, was {event['verdict']}: what held means nothing"
        found.append(Doubt(DoubtKind.CONTROL, "", ONLY_HELD, words))
    for event in record.named("watcher.died"):
        words = f"a watcher of the stage has died: {event['watcher']}"
        found.append(Doubt(DoubtKind.RECORD, "", BOTH, words))
    if record.unreadable_lines:
        words = f"{record.unreadable_lines} lines of the journal cannot be read"
        found.append(Doubt(DoubtKind.RECORD, "", BOTH, words))
    return found + [_changed(event) for event in record.named("stage.changed")]


def _changed(event: Event) -> Doubt:
    """A service that moved makes every figure somebody else's; one that died is what the figures may be about.

    Unless it was killed: nobody sends SIGKILL to itself, but a machine without memory does, and nobody else is known.
    """
    voids = BOTH if event["change"] == "moved" or event["reason"].endswith(KILLED) else ONLY_HELD
    return Doubt(DoubtKind.STAGE, "", voids, f"{event['service']}: {event['reason']}")


def _generator(record: Record, scenario: Scenario, window: str, span: Span) -> list[Doubt]:
    import numpy

    tier = record.provenance["tier"]
    gap_ms_max, late_ms_max = scenario.generator.gap_ms_max.of(tier), scenario.generator.lateness_ms_p99_max.of(tier)
    found = []
    gap_ms, stall_ms = generator.longest_gap_ms(record, span), generator.longest_stall_ms(record, span)
    in_all_ms = generator.standing_ms(record, span, gap_ms_max)
    if gap_ms > gap_ms_max:
        words = f"our load generator stood still for {gap_ms:.0f} ms, {gap_ms_max:g} ms are allowed"
        share = generator.standing_share(record, span)
        hidden = generator.standing_share(record, span, gap_ms_max)  # shorter ones are allowed: they hide nothing
        found.append(Doubt(DoubtKind.GENERATOR, window, BOTH, words, most_ms=stall_ms, in_all_ms=in_all_ms,
                           most_share=AFTERMATH * share,
                           hidden_share=hidden, hidden_more=generator.gaps_over(record, span, gap_ms_max),
                           unsent_share=generator.standing_share(record, span, ALL_SENT_MS),
                           unsent_more=generator.gaps_over(record, span, ALL_SENT_MS), hidden_ms=gap_ms))  # fmt: skip
    late = generator.lateness_ms(record, span)
    p99 = float(numpy.quantile(late, 0.99)) if len(late) else 0.0
    if p99 > late_ms_max:
        words = f"our load generator was {p99:.1f} ms late at p99, {late_ms_max:g} ms are allowed"
        found.append(Doubt(DoubtKind.GENERATOR, window, BOTH, words, most_ms=stall_ms + OVERDUE_MS,
                           in_all_ms=in_all_ms + OVERDUE_MS))  # fmt: skip
    skipped, all_due = generator.skipped_of(record, span)
    if all_due and skipped / all_due > SKIPPED_RATIO_MAX:
        words = f"our load generator did not send {skipped} packets in time"
        found.append(Doubt(DoubtKind.GENERATOR, window, BOTH, words, most_ms=stall_ms + OVERDUE_MS,
                           in_all_ms=in_all_ms + OVERDUE_MS, hidden_share=skipped / all_due,
                           unsent_share=skipped / all_due, hidden_ms=gap_ms))  # fmt: skip
    if forgotten := generator.forgotten_sessions(record, span):
        words = f"our load generator stopped sending for {forgotten} sessions that went on"
        found.append(Doubt(DoubtKind.GENERATOR, window, BOTH, words))
    return found


def _unstarted(record: Record, window: str, span: Span) -> list[Doubt]:
    """Set-ups that were due and of which nothing more is known: they may all have failed."""
    found = []
    if missing := generator.unstarted_visits(record, span):
        words = f"{missing} visits that were due were not begun: no visitor was free"
        found.append(Doubt(DoubtKind.GENERATOR, window, ONLY_HELD, words, SETUP_CLAIMS))
    if hanging := generator.hanging_setups(record, span):
        words = f"{hanging} set-ups had not come to an end when the run ended"
        found.append(Doubt(DoubtKind.GENERATOR, window, ONLY_HELD, words, SETUP_CLAIMS))
    return found


def _own_losses(record: Record, window: str, span: Span) -> list[Doubt]:
    """Drops in our own sockets grow only on our account; the counters are cumulative per worker."""
    lost = 0
    for worker in {event["worker"] for event in record.named("generator.second")}:
        lost += _risen([(event.ns, event["own_drops"]) for event in record.named("generator.second")
                        if event["worker"] == worker], span)  # fmt: skip
    if lost:
        words = f"{lost} packets died in our own sockets"
        return [Doubt(DoubtKind.OWN_LOSS, window, ONLY_BROKEN, words, most_failures=lost)]
    return []


def _risen(counts: list[tuple[int, int]], span: Span) -> int:
    """By how much a counter, looked at once a second, has risen in a window; one look past its end covers the last."""
    before = max((count for ns, count in counts if ns < span.from_ns), default=0)
    inside = [count for ns, count in counts if span.from_ns <= ns < span.to_ns + LOOK_NS]
    return max(0, max(inside, default=before) - before)


def _udp_proxy(record: Record, window: str, span: Span) -> list[Doubt]:
    """What the proxy on the UDP paths lost by itself is nobody else's doing; its counter says how much so far."""
    found = []
    lost = _risen([(event.ns, event["own_losses"]) for event in record.named("udp_proxy.second")], span)
    if lost:
        words = f"the UDP proxy lost {lost} packets that it was not asked to lose"
        found.append(Doubt(DoubtKind.OWN_LOSS, window, BOTH, words, most_failures=lost))
    if silent := [event for event in record.named("udp_proxy.silent") if event.ns in span]:
        words = f"the UDP proxy did not say what it has lost: {silent[0]['error']}"
        found.append(Doubt(DoubtKind.OWN_LOSS, window, BOTH, words))
    return found


def _condition(record: Record) -> list[Doubt]:
    """The named condition that the whole run was to be under must have been measured to be there."""
    name = record.provenance.get("condition", "")
    if not name:
        return []
    mine = [
        event for event in record.named("fault.receipt") if event["fault"] == CONDITION and event["subject"] == name
    ]
    wrong = [f"was not as its file has it: {event['measured_on']}" for event in mine if not event["landed"]]
    if not mine:
        wrong = ["has no receipt"]
    return [Doubt(DoubtKind.FAULT, "", BOTH, f"the condition {name} {words}") for words in wrong]


def _starved(record: Record, window: str, span: Span) -> list[Doubt]:
    """Processes that were kept waiting for a CPU; what packets show is explained only by the relays' waiting."""
    # one look past the window's end, which tells of its last second
    around = Span(span.from_ns, span.to_ns + LOOK_NS)
    seconds = [event for event in record.named("machine.second") if event.ns in around]
    everybody = {name for event in seconds for name in event["waited_ms"] if not name.startswith("locust")}
    relays = {event["service"] for event in record.named("relay.known")}
    relays |= {UDP_PROXY} if relays else set()  # packets go through both
    killed = {event["subject"] for event in record.named("fault.injected") if event["fault"] == "kill"}
    found = []
    for name in sorted(everybody):
        waits = [wait_of(event, name) for event in seconds]
        words = max((wait for wait in waits if wait.words), default=Wait(0.0, ""), key=lambda wait: wait.ms).words
        if words:
            claims = frozenset(CLAIMS) if name in relays or not relays else frozenset(CLAIMS) - PACKET_CLAIMS
            claims -= OF_OTHERS if name in killed else frozenset()
            words = f"the machine kept {name} waiting for a CPU for {words}"
            drops = sum(event.get("socket_drops", {}).get(name, 0) for event in seconds)
            drops += lost_at_ends(record, span) if name in relays or not relays else 0
            in_all_ms = sum(wait.ms for wait in waits if wait.words)
            found.append(Doubt(DoubtKind.STARVED, window, ONLY_BROKEN, words, claims, most_ms=longest_wait_ms(waits),
                               in_all_ms=in_all_ms, most_failures=drops))  # fmt: skip
    return found


def _saturated(record: Record, window: str, span: Span) -> list[Doubt]:
    """A machine without any CPU left, for more than a moment: whoever hashes passwords is slow then, blameless.

    It says nothing about packets: the relays' own waiting is measured directly.
    """
    around = Span(span.from_ns - BACKLOG_NS, span.to_ns + 1_000_000_000)
    full = [event.get("busy_share", 0.0) >= BUSY_SHARE_MAX for event in record.named("machine.second")
            if event.ns in around]  # fmt: skip
    longest = max((len(list(run)) for is_full, run in groupby(full) if is_full), default=0)
    if longest < SATURATED_S:
        return []
    words = f"every CPU of the machine was busy for {longest} s, in the window or just before it"
    # a queue of logins can hold up each of them for ever; a start only for as long as the machine was full
    starts = frozenset(name for name, claim in CLAIMS.items() if claim.shape is Shape.TIME_MAX) - BY_THE_CLOCK
    return [
        Doubt(DoubtKind.STARVED, window, ONLY_BROKEN, words, SETUP_CLAIMS | {"signaling_continuity_ratio"}),
        Doubt(DoubtKind.STARVED, window, ONLY_BROKEN, words, starts, most_ms=longest * 1e3),
    ]


def _clock(record: Record, window: str, span: Span) -> list[Doubt]:
    around = Span(span.from_ns - LOOK_NS, span.to_ns + LOOK_NS)  # a step between two looks at a border
    offsets = [event["wall_minus_monotonic_ns"] for event in record.named("machine.second") if event.ns in around]
    steps = [abs(after - before) for before, after in pairwise(offsets)]
    if max(steps, default=0) > CLOCK_STEP_NS:
        words = f"the wall clock stepped by {max(steps) / 1e6:.0f} ms"
        return [Doubt(DoubtKind.CLOCK, window, BOTH, words)]
    return []


def _unwitnessed(record: Record, scenario: Scenario, window: str, span: Span) -> list[Doubt]:
    """Without its witnesses nobody knows whether the generator or the machine was at fault."""
    found = []
    blind = _longest_blind_s([event.ns for event in record.named("machine.second")], span)
    if blind:
        words = f"nobody watched the machine for {blind:.1f} s"
        found.append(Doubt(DoubtKind.STARVED, window, ONLY_BROKEN, words))
    for worker in range(scenario.load.workers):
        seconds = [event.ns for event in record.named("generator.second") if event["worker"] == worker]
        if blind := _longest_blind_s(seconds, span):
            words = f"nothing was heard of load worker {worker} for {blind:.1f} s"
            found.append(Doubt(DoubtKind.GENERATOR, window, BOTH, words))
    return found


def _longest_blind_s(looks: list[int], span: Span) -> float:
    """The longest stretch of the window without a look, in s; 0 where it is short enough."""
    moments = [span.from_ns, *(ns for ns in looks if ns in span), span.to_ns]
    longest = max(after - before for before, after in pairwise(moments))
    return longest / 1e9 if longest > WITNESS_NS else 0.0


def _faults(record: Record, scenario: Scenario) -> list[Doubt]:
    """Every fault of the scenario must have a receipt that says it landed and was mended, or what held is unproven."""
    heartbeat_s = float(record.provenance["heartbeat_s"])
    found = []
    for stopped in record.named("story.stopped"):
        found += _unproven(f"the story stopped: {stopped['reason']}")
    receipts = record.named("fault.receipt")
    asked = Counter((step.fault, step.subject) for step in _injections(scenario.fault))
    for (fault, subject), times in asked.items():
        mine = [event for event in receipts if event["fault"] == fault and event["subject"] == subject]
        if len(mine) < times:
            found += _unproven(f"{fault} on {subject} has no receipt" + (f" but {len(mine)}" if mine else ""))
        for event in mine:
            if not event["landed"]:
                found += _unproven(f"{fault} on {subject} did not land: {event['measured_on']}")
            if event["landed"] and (late := _late_s(event)):
                found += _unproven(f"{fault} on {subject} landed late: {late:.1f} s after it was asked for")
            if not event["mended"]:
                words = f"{fault} on {subject} was not seen to be mended: {event['measured_off']}"
                found.append(Doubt(DoubtKind.FAULT, "recovery", BOTH, words))
        alike = [step for step in _injections(scenario.fault) if (step.fault, step.subject) == (fault, subject)]
        for step, event in zip(alike, mine, strict=False):
            if step.lasts and not step.steps and event["landed"]:
                found += _wrong_length(step, step.lasts.in_s(heartbeat_s), event)
    return found


def _late_s(receipt: Event) -> float:
    """How long a fault took to be in force, in s, where it took longer than it may; 0 where it did not."""
    took_s = (receipt["from_ns"] - receipt["asked_ns"]) / 1e9
    return took_s if 0 < receipt.get("due_s", 0.0) < took_s else 0.0


def _unproven(words: str) -> list[Doubt]:
    """What held in spite of a fault that may never have been, and what recovered from it, is worth nothing."""
    return [Doubt(DoubtKind.FAULT, window, ONLY_HELD, words) for window in ("fault", "recovery")]


def _wrong_length(step: Injection, asked_s: float, receipt: Event) -> list[Doubt]:
    """A fault that was over too soon proves less; one that stayed too long may have broken more than was promised."""
    lasted_s = (receipt["to_ns"] - receipt["from_ns"]) / 1e9
    words = f"{step.fault} on {step.subject} lasted {lasted_s:.1f} s, {asked_s:.1f} s were asked for"
    if lasted_s < 0.9 * asked_s:
        return _unproven(words)
    if lasted_s > 1.1 * asked_s + OVERLONG_S:
        return [Doubt(DoubtKind.FAULT, "fault", ONLY_BROKEN, words)]
    return []


def _injections(steps: tuple[Step, ...]) -> list[Injection]:
    found: list[Injection] = []
    for step in steps:
        if not isinstance(step, Action):
            found += [step, *_injections(step.steps)]
    return found
