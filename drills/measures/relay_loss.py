"""What became of a relay that crashed: how long leases went on naming it, and what it cost those who were on it.

That its sessions fall silent is the drill itself and no promise. What is promised is how soon that is over, and that
whoever is on another relay notices nothing. A session is on the relay that its newest lease named when the relay died;
times begin at the moment from which the process was certainly gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from drills.measures.evidence import Evidence
from drills.measures.media import over_sessions, silences_by_session
from drills.measures.packets import FRAME
from drills.objectives import Claim
from drills.record import Event, Record, Span

LUCK_MAX = 0.01  # how likely, at most, leases that could still name the dead relay would all have missed it by chance
FADING = 0.5  # Wavry's selection halves the share of a relay that has been silent for long (observed.md D-08)
# What our client needs to be served again, at worst, on a control plane as intended: two seconds of silence and three
# silent RENEWs from each end, then PRESENTs of three seconds to the dead relay for as long as it is named, three
# missed beats (docs/contract.md). Whoever was to leave sooner had no time to show whether it would have been.
SERVED_S, SERVED_BEATS = 8.0, 3.0
TAIL_NS = 1_000_000_000  # a session that hears nothing for the last second of its life was not served to its end


@dataclass(frozen=True)
class Loss:
    """A relay that was killed: under which id, from when it was certainly gone, and until we began to bring it back."""

    service: str
    relay_id: str
    gone: Span
    unproven: str

    def seconds_after(self, ns: int) -> float:
        """How long after the relay was gone something was."""
        return (ns - self.gone.from_ns) / 1e9


def _loss(record: Record) -> Loss | None:
    """The first relay that was killed."""
    killed = next((event for event in record.named("fault.injected")
                   if event["fault"] == "kill" and event.get("relay_id")), None)  # fmt: skip
    if killed is None:
        return None
    ends = [event["mending_ns"] for event in record.named("fault.receipt")
            if event["fault"] == "kill" and event["subject"] == killed["subject"]]  # fmt: skip
    unproven = "" if killed["landed"] else f"the relay was not seen to die: {killed['measured_on']}"
    gone = Span(killed["from_ns"], min(ends, default=record.events[-1].ns))
    return Loss(killed["subject"], killed["relay_id"], gone, unproven)


def _missing(loss: Loss | None) -> Evidence | None:
    if loss is None:
        return Evidence(0, None, missing="no relay was killed")
    return Evidence(0, None, missing=loss.unproven) if loss.unproven else None


def seconds_named(record: Record, span: Span, claim: Claim) -> Evidence:
    """How long after its death the last lease named the dead relay; forgotten only if those after it prove that."""
    loss = _loss(record)
    if loss is None or loss.unproven:
        return _missing(loss) or Evidence(0, None)
    leases = {(event["session"], event["asked_ns"]): event for event in record.named("lease.given")}  # each once
    mine = [event for event in leases.values() if event["asked_ns"] in loss.gone]
    wrong = [event for event in mine if event["relay_id"] == loss.relay_id]
    last_ns = max((event["asked_ns"] for event in wrong), default=loss.gone.from_ns)
    after = sum(event["asked_ns"] > last_ns for event in mine)
    before = [event for event in leases.values() if event["given_ns"] < loss.gone.from_ns]
    share = sum(event["relay_id"] == loss.relay_id for event in before) / len(before) if before else 0.0
    proven = (1 - FADING * share) ** after <= LUCK_MAX
    clients = sum(event["session"] is not None for event in wrong)
    says = f"{len(wrong)} of {len(mine)} leases named the dead {loss.service}, {clients} of them sessions'; " \
           f"after the last none of {after}"  # fmt: skip
    return Evidence(len(mine), loss.seconds_after(last_ns) if mine else None, says=says, past=not proven)


@dataclass(frozen=True)
class SessionLoss:
    """One session that lost its relay, step by step (monotonic ns; 0 is never)."""

    session: int
    silent_ns: int  # its first silence began: the quieter direction was heard last
    noticed_ns: int  # our client gave its relay up and asked for another
    dead_leases: int  # how many of the leases that it was given then named the dead relay again
    leased_ns: int  # it was given the lease that was accepted
    heard_ns: int  # the first packet came after that, in the direction that had to wait longer for it
    stopped_ns: int
    planned: bool  # whether it went on until its planned end
    heard_until_ns: int  # when it was last heard, in the direction that fell silent first

    def survived(self, sooner_ms: float = 0.0) -> bool:
        """Whether it found another relay and went on until its planned end, had it last been heard so much sooner."""
        to_the_end = self.heard_until_ns - sooner_ms * 1e6 > self.stopped_ns - TAIL_NS
        return self.planned and bool(self.heard_ns) and to_the_end


def losses_of(record: Record) -> tuple[SessionLoss, ...]:
    """The sessions that were on the relay when it died, as far as they lived long enough to be served again."""
    loss = _loss(record)
    if loss is None:
        return ()
    found: tuple[SessionLoss, ...] = record.packets.remembered("relay_loss", lambda: _losses_of(record, loss))
    return found


def _losses_of(record: Record, loss: Loss) -> tuple[SessionLoss, ...]:
    up = {event["session"]: event["ended_ns"] for event in record.named("session.setup") if event["ok"]}
    ended: dict[int, Event] = {}
    for event in record.named("session.ended"):
        ended.setdefault(event["session"], event)
    on: dict[int, str] = {}
    for event in record.named("lease.given"):
        if event["session"] is not None and event["given_ns"] < loss.gone.from_ns:
            on[event["session"]] = event["relay_id"]
    heartbeat_s = float(record.provenance["heartbeat_s"])
    served_ns = loss.gone.from_ns + int((SERVED_S + SERVED_BEATS * heartbeat_s) * 1e9)
    return tuple(
        _session_loss(record, loss, ended[session])
        for session, relay_id in sorted(on.items())
        if relay_id == loss.relay_id and up.get(session, loss.gone.to_ns) < loss.gone.from_ns and session in ended
        and (ended[session]["stopped_ns"] >= served_ns
             or (not ended[session]["planned"] and ended[session]["stopped_ns"] > loss.gone.from_ns))
    )  # fmt: skip


def _session_loss(record: Record, loss: Loss, ended: Event) -> SessionLoss:
    session, gone_ns = ended["session"], loss.gone.from_ns
    moves = [event for event in record.named("session.released")
             if event["session"] == session and event["began_ns"] > gone_ns]  # fmt: skip
    leases = [event for event in record.named("lease.given")
              if event["session"] == session and event["asked_ns"] > gone_ns]  # fmt: skip
    landed = next((move for move in moves if move["ok"]), None)
    leased_ns = max((lease["given_ns"] for lease in leases if landed and lease["given_ns"] <= landed.ns), default=0)
    heard = _heard_by_direction(record, session)
    silent_ns = min(_last(arrivals, gone_ns) or gone_ns for arrivals in heard.values())
    ends = [_last(arrivals, ended["stopped_ns"] + TAIL_NS) for arrivals in heard.values()]
    return SessionLoss(
        session, silent_ns, moves[0]["began_ns"] if moves else 0,
        sum(lease["relay_id"] == loss.relay_id for lease in leases), leased_ns,
        _served_ns(heard, leased_ns) if leased_ns and FRAME in heard else 0, ended["stopped_ns"],
        bool(ended["planned"]), min(ends, default=0),
    )  # fmt: skip


def _served_ns(heard: Mapping[int, Any], since_ns: int) -> int:
    """When both directions had been heard from again: who sees frames and cannot steer is not served; 0 is never."""
    firsts = [_first(arrivals, since_ns) for arrivals in heard.values()]
    return max(firsts) if all(firsts) else 0


def _heard_by_direction(record: Record, session: int) -> Mapping[int, Any]:
    """When packets of a session were heard, in order, for each direction in which any was sent."""
    import numpy

    packets = record.packets
    mine = packets.where((packets.session == session) & (packets.sent_ns > 0))
    found = {}
    for direction in numpy.unique(mine.direction).tolist():
        arrivals = mine.received_ns[(mine.direction == direction) & (mine.received_ns > 0)]
        found[direction] = numpy.sort(arrivals)
    return found or {FRAME: numpy.zeros(0, dtype=numpy.int64)}


def _last(arrivals: Any, until_ns: int) -> int:
    count = int(arrivals.searchsorted(until_ns, side="right"))
    return int(arrivals[count - 1]) if count else 0


def _first(arrivals: Any, from_ns: int) -> int:
    count = int(arrivals.searchsorted(from_ns, side="right"))
    return int(arrivals[count]) if count < len(arrivals) else 0


def seconds_until_served(record: Record, span: Span, claim: Claim) -> Evidence:
    """From a session's first silence until both its ends are heard from by way of its new relay; the slowest."""
    missing = _missing(_loss(record))
    if missing:
        return missing
    sessions = losses_of(record)
    if not sessions:
        return Evidence(0, None)
    served = [((one.heard_ns or one.stopped_ns) - one.silent_ns) / 1e9 for one in sessions]
    never = sum(not one.heard_ns for one in sessions)
    says = "; ".join(part for part in (_steps(sessions), f"{never} were never served again" * bool(never)) if part)
    return Evidence(len(sessions), max(served), says=says, past=bool(never))


def _steps(sessions: tuple[SessionLoss, ...]) -> str:
    """The way of the sessions in words: noticed, leased, heard, each after the first silence, at the median."""
    parts = []
    for words, field in (("noticed", "noticed_ns"), ("another lease", "leased_ns"), ("heard both ways", "heard_ns")):
        times = sorted((getattr(one, field) - one.silent_ns) / 1e9 for one in sessions if getattr(one, field))
        if times:
            parts.append(f"{words} after {times[len(times) // 2]:.1f} s (slowest {times[-1]:.1f} s)")
    again = sum(one.dead_leases for one in sessions)
    return ", ".join([*parts, f"{again} of their new leases named the dead relay"])


def sessions_lost(record: Record, span: Span, claim: Claim) -> Evidence:
    """Sessions that lost their relay and did not find another, or did not go on there until their planned end."""
    missing = _missing(_loss(record))
    if missing:
        return missing
    sessions = losses_of(record)
    lost = [one.session for one in sessions if not one.survived()]
    says = f"{len(lost)} of {len(sessions)} sessions" + (f": {', '.join(map(str, lost[:5]))}" if lost else "")

    def hiding(ms: float) -> float:
        return float(sum(not one.survived(ms) for one in sessions))

    return Evidence(len(sessions), float(len(lost)) if sessions else None, hits=len(lost), says=says, hiding=hiding)


def bystanders_silences(record: Record, span: Span, claim: Claim) -> Evidence:
    """The longest silence of each session that was never given a lease on the relay that died."""
    loss = _loss(record)
    if loss is None or loss.unproven:
        return _missing(loss) or Evidence(0, None)
    touched = {event["session"] for event in record.named("lease.given") if event["relay_id"] == loss.relay_id}
    longest = {session: ms for session, ms in silences_by_session(record, span).items() if session not in touched}
    return over_sessions(longest, claim)
