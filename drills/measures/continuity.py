"""Continuity, as evidence: for every session and window, what its user met; and three indicators read from it.

A row of the ledger is one session in one window: the packets that were due in it (lost, duplicated, reordered), its
silences, and whether and when it had to take another lease, bind its signaling again or log in again. Every figure that
speaks of sessions can be worked out again from these rows (``drills/report/ledger.py`` writes them).

Signaling is told by the load: ``signal.bound``, ``signal.rebound``, ``signal.lost``, ``signal.refused`` and
``signal.released``, each with the end's name; a record without them saw nothing of it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from drills.measures.evidence import Evidence, ratio
from drills.measures.media import every_silence
from drills.measures.packets import Packets
from drills.measures.sessions import ASKED_AGAIN_MS, cut_off
from drills.objectives import Claim
from drills.record import Event, Record, Span

SILENCES_MS = (50, 100, 250, 1000)
FROZEN_MS = 250.0  # 15 frames at 60/s, a freeze that everybody sees (scenarios/tiers.yaml, silence_ms_p99)
# Whoever cannot be reached for longer than a set-up may take (SETUP_S in drills/load/session.py) misses who calls.
REBOUND_NS = 5_000_000_000


@dataclass
class Row:
    """One session in one window; moments are monotonic ns, 0 where there was none."""

    session: int
    window: str
    sent: int = 0
    lost: int = 0
    duplicated: int = 0
    reordered: int = 0
    silences: list[int] = field(default_factory=lambda: [0] * len(SILENCES_MS))  # of at least so many ms each
    longest_ms: float = 0.0
    floor_ms: float = 0.0  # of silences: what the path alone comes to
    longest_from_ns: int = 0
    longest_to_ns: int = 0
    told: int = 0  # new leases because the drill asked for them
    unplanned: int = 0
    released_ns: int = 0  # when it first set out for another lease, and why
    released_cause: str = ""
    cut: tuple[str, ...] = ()  # why it counts as cut off (drills/measures/sessions.py)
    signal_lost_ns: int = 0
    rebound_ns: int = 0
    logged_in_ns: int = 0

    @property
    def key(self) -> str:
        """Its id, the same however often the record is judged."""
        return f"{self.session}-{self.window}"

    @property
    def continuous(self) -> bool:
        """Whether its media went on: no freeze, and no new lease that it was not told to take."""
        return self.longest_ms < FROZEN_MS + self.floor_ms and not self.unplanned


def ledger(record: Record) -> list[Row]:
    """All rows, by window and session; worked out once."""
    rows: list[Row] = record.remembered("ledger", lambda: _ledger(record))
    return rows


def _ledger(record: Record) -> list[Row]:
    rows: list[Row] = []
    for window, span in record.windows.items():
        mine = {row.session: row for row in _counted(record.packets, window, span)}
        for row in mine.values():
            row.floor_ms = record.floor("silence_ms", window)
        cut = cut_off(record, span)
        for session, why in cut.items():
            mine.setdefault(session, Row(session, window)).cut = why
        _note_silences(record.packets, span, mine)
        _note_leases(record, window, span, mine)
        _note_signaling(record, span, mine)
        rows += [mine[session] for session in sorted(mine)]
    return rows


# -- packets ----------------------------------------------------------------------------------------------------------


def _counted(packets: Packets, window: str, span: Span) -> list[Row]:
    """A row for each session with a packet sent in the window."""
    import numpy

    flows, code = packets.flows()
    if not len(flows):
        return []
    due = (packets.intended_ns >= span.from_ns) & (packets.intended_ns < span.to_ns) & (packets.sent_ns > 0)
    late = packets.remembered("reordered", lambda: _reordered(packets))
    again = due & (packets.copies > 1)
    counts = [numpy.bincount(code[which], minlength=len(flows)) for which in (due, due & (packets.received_ns == 0))]
    copies = numpy.bincount(code[again], packets.copies[again].astype(float) - 1, len(flows))
    counts += [copies.astype(numpy.int64), numpy.bincount(code[late[due[late]]], minlength=len(flows))]
    numbers, session = numpy.unique(flows // 2, return_inverse=True)
    sums = [numpy.bincount(session, count, len(numbers)).astype(numpy.int64) for count in counts]
    sent, lost, duplicated, reordered = (each.tolist() for each in sums)
    return [
        Row(number, window, sent[place], lost[place], duplicated[place], reordered[place])
        for place, number in enumerate(numbers.tolist())
        if sent[place]
    ]


def _reordered(packets: Packets) -> Any:
    """The places of all packets that arrived after one of their flow with a higher number had arrived."""
    import numpy

    flows, code = packets.flows()
    narrow = numpy.uint16 if len(flows) < 2**16 else numpy.int64  # of 16 bits the sort is one pass
    order = numpy.argsort(code.astype(narrow), kind="stable")  # within a flow as on disk: as sent
    order = order[packets.received_ns[order] > 0]
    flow, number = code[order], packets.sequence[order]
    if ((numpy.diff(number) < 0) & (numpy.diff(flow) == 0)).any():
        resorted = numpy.lexsort((number, flow))
        order, flow = order[resorted], flow[resorted]
    # from behind: the earliest arrival of any later packet; flows are kept apart by lifting each above the one before
    arrived = packets.received_ns[order] - (packets.received_ns[order].min() if len(order) else 0)
    arrived = arrived + flow * (int(arrived.max(initial=0)) + 1)
    earliest = numpy.minimum.accumulate(arrived[::-1])[::-1]
    return order[:-1][earliest[1:] < arrived[:-1]]


def _note_silences(packets: Packets, span: Span, rows: dict[int, Row]) -> None:
    """Each silence in the window that holds its middle, as ``silences_by_session`` has it."""
    import numpy

    session, from_ns, to_ns = every_silence(packets)
    middle = from_ns + (to_ns - from_ns) // 2
    numbers = numpy.array(sorted(rows), dtype=numpy.int64)
    here = (middle >= span.from_ns) & (middle < span.to_ns) & numpy.isin(session, numbers)
    session, from_ns, to_ns = session[here], from_ns[here], to_ns[here]
    code, length = numpy.searchsorted(numbers, session), to_ns - from_ns
    longest = numpy.zeros(len(numbers), dtype=numpy.int64)
    numpy.maximum.at(longest, code, length)
    worst = numpy.flatnonzero(length == longest[code])
    for place in worst[::-1].tolist():  # of several that are equally long the first stays
        row = rows[int(session[place])]
        row.longest_ms, row.longest_from_ns, row.longest_to_ns = (
            int(length[place]) / 1e6, int(from_ns[place]), int(to_ns[place])
        )  # fmt: skip
    for place in numpy.flatnonzero(length >= SILENCES_MS[0] * 1_000_000).tolist():
        silences = rows[int(session[place])].silences
        for nth, least_ms in enumerate(SILENCES_MS):
            silences[nth] += int(length[place] >= least_ms * 1_000_000)


# -- what the session had to do ---------------------------------------------------------------------------------------


def _note_leases(record: Record, window: str, span: Span, rows: dict[int, Row]) -> None:
    """New leases that a session set out for in the window, those the drill told it to take apart from the others."""
    for event in record.named("session.released"):
        began_ns = int(event.get("began_ns", event.ns))
        if began_ns not in span:
            continue
        row = rows.setdefault(event["session"], Row(event["session"], window))
        row.told += event["cause"] == "told"
        row.unplanned += event["cause"] != "told"
        if not row.released_ns:
            row.released_ns, row.released_cause = began_ns, str(event["cause"])


def _note_signaling(record: Record, span: Span, rows: dict[int, Row]) -> None:
    """What became of the signaling of a session's two ends while it lived."""
    sessions = _Sessions(record)
    for event in record.named("signal.lost", "signal.rebound", "signal.refused"):
        row = rows.get(sessions.of(event)) if event.ns in span else None
        if row is None:
            continue
        if event.name == "signal.lost":
            row.signal_lost_ns = row.signal_lost_ns or event.ns
        elif event.name == "signal.rebound":
            row.rebound_ns = row.rebound_ns or event.ns
        if event.name == "signal.refused" or event.get("logged_in"):
            row.logged_in_ns = row.logged_in_ns or event.ns


class _Sessions:
    """Which session a pair had at which moment."""

    def __init__(self, record: Record) -> None:
        self._of: dict[str, list[tuple[int, int]]] = {}
        self._ended = {event["session"]: event.ns for event in reversed(record.named("session.ended"))}
        for event in record.named("session.setup"):
            if event["ok"]:
                self._of.setdefault(str(event.get("pair", "")), []).append((event["ended_ns"], event["session"]))
        for lived in self._of.values():
            lived.sort()

    def of(self, event: Event) -> int:
        """The session that an end's event fell into; -1 where it had none."""
        lived = self._of.get(str(event.get("pair") or str(event["end"])[:-1]), [])
        place = bisect_right(lived, (event.ns, 1 << 62)) - 1
        session = lived[place][1] if place >= 0 else -1
        return session if event.ns <= self._ended.get(session, 1 << 62) else -1


# -- indicators -------------------------------------------------------------------------------------------------------


def media_continuity(record: Record, span: Span, claim: Claim) -> Evidence:
    """Sessions of the window whose media went on: no silence of 250 ms, no new lease that nobody told them to take."""
    mine = _rows_of(record, span)
    frozen = sum(row.longest_ms >= FROZEN_MS + row.floor_ms for row in mine)
    moved = sum(bool(row.unplanned) for row in mine)
    says = f"{frozen} were silent for {FROZEN_MS:g} ms, {moved} needed a new lease"

    def hiding(ms: float) -> float:
        return sum(row.continuous and row.longest_ms + ms < FROZEN_MS + row.floor_ms for row in mine) / max(
            1, len(mine)
        )

    def forgiving(ms: float) -> float:
        asked = [bool(row.unplanned) and ms < ASKED_AGAIN_MS for row in mine]
        kept = sum(row.longest_ms - ms < FROZEN_MS + row.floor_ms and not one
                   for row, one in zip(mine, asked, strict=True))  # fmt: skip
        return kept / max(1, len(mine))

    return ratio(sum(row.continuous for row in mine), len(mine), says, hiding=hiding, forgiving=forgiving)


def _rows_of(record: Record, span: Span) -> list[Row]:
    window = next(name for name, one in record.windows.items() if one == span)
    return [row for row in ledger(record) if row.window == window and (row.sent or row.unplanned)]


@dataclass
class _Spell:
    """An end's signaling from its Bind until it hangs up; ``losses`` are (lost, bound again or 0, logged in anew)."""

    from_ns: int
    to_ns: int
    losses: list[tuple[int, int, bool]] = field(default_factory=list)

    def outcome(self, span: Span, known_until_ns: int, hidden_ns: int = 0) -> bool | None:
        """Whether it went on through the window; None where it hung up before that could be known.

        Whoever came into the window without a socket counts from its beginning. With ``hidden_ns`` every loss may have
        been so much earlier than it was noticed.
        """
        mine = [loss for loss in self.losses if loss[0] < span.to_ns and (not loss[1] or loss[1] > span.from_ns)]
        kept = [self._kept(loss, span, known_until_ns, hidden_ns) for loss in mine]
        return False if False in kept else None if None in kept else True

    def _kept(self, loss: tuple[int, int, bool], span: Span, known_until_ns: int, hidden_ns: int) -> bool | None:
        lost_ns, bound_ns, logged_in = loss
        from_ns = max(lost_ns, span.from_ns) - hidden_ns
        if bound_ns:
            return bound_ns - from_ns <= REBOUND_NS and not (logged_in and lost_ns in span)
        return False if min(self.to_ns, known_until_ns) - from_ns > REBOUND_NS else None


def signaling_continuity(record: Record, span: Span, claim: Claim) -> Evidence:
    """Signaling spells of the window that were not lost, or were soon bound again by the token that they had."""
    until_ns = record.events[-1].ns
    here = [spell for spell in _spells(record) if spell.from_ns < span.to_ns and spell.to_ns >= span.from_ns]
    outcomes = Counter(spell.outcome(span, until_ns) for spell in here)
    lost = sum(any(loss[0] in span for loss in spell.losses) for spell in here)
    says = f"{lost} lost their socket, {outcomes[False]} of them for more than {REBOUND_NS / 1e9:g} s or their token"
    if outcomes[None]:
        says += f"; {outcomes[None]} hung up before that could be known"

    def hiding(ms: float) -> float:
        worse = Counter(spell.outcome(span, until_ns, int(ms * 1e6)) for spell in here)
        return worse[True] / max(1, worse[True] + worse[False])

    return ratio(outcomes[True], outcomes[True] + outcomes[False], says, hiding=hiding)


def _spells(record: Record) -> list[_Spell]:
    """Every spell of the record; one that is still open ends with it."""
    spells: list[_Spell] = record.remembered("spells", lambda: _all_spells(record))
    return spells


def _all_spells(record: Record) -> list[_Spell]:
    spells: list[_Spell] = []
    open_now: dict[str, _Spell] = {}
    lost: dict[str, int] = {}
    for event in record.named("signal.bound", "signal.lost", "signal.rebound", "signal.released"):
        end = str(event["end"])
        spell = open_now.get(end)
        if event.name == "signal.released":
            open_now.pop(end, None)
            lost.pop(end, None)
            if spell is not None:
                spell.to_ns = event.ns
            continue
        if spell is None:
            spell = open_now[end] = _Spell(event.ns, record.events[-1].ns)
            spells.append(spell)
        if event.name == "signal.lost":
            lost[end] = int(event.get("lost_ns") or event.ns)
            spell.losses.append((lost[end], 0, False))
        elif end in lost:
            spell.losses[-1] = (lost.pop(end), int(event.get("bound_ns") or event.ns), bool(event.get("logged_in")))
    return spells


def auth_continuity(record: Record, span: Span, claim: Claim) -> Evidence:
    """Uses of a session token in the window that were accepted, of all that were answered."""
    used = [event for event in record.named("signal.bound", "signal.rebound", "signal.refused") if event.ns in span]
    refused = [event for event in used if event.name == "signal.refused"]
    # who was bound after a new login was refused first, and is counted by that
    accepted = [event for event in used if event.name != "signal.refused" and not event.get("logged_in")]
    ends = len({event["end"] for event in refused})
    says = f"{len(refused)} refused, of {ends} ends" if refused else ""
    return ratio(len(accepted), len(accepted) + len(refused), says)
