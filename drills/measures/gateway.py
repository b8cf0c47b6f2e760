"""What a restart of the gateway left of its users: when it was back, tokens, locks, signals, and who had to come again.

What must never be and was seen is broken however little else is known. What was never tried is no evidence: a token
that nobody presented, a lock that was not there before, a call that could not be made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from drills.measures.evidence import Evidence
from drills.objectives import Claim
from drills.record import Event, Record, Span

LASTING = ("kill", "stop")
RESTARTS = ("restart", "crash", *LASTING)
GATEWAY = "gateway"


def _restart(record: Record) -> Event | None:
    """The receipt of the first time the gateway was taken down and started again."""
    return next((event for event in record.named("fault.receipt")
                 if event["fault"] in RESTARTS and event["subject"] == GATEWAY), None)  # fmt: skip


def _no_restart(record: Record) -> Evidence:
    stopped = next((event["reason"] for event in record.named("story.stopped")), "the gateway was not restarted")
    return Evidence(0, None, missing=str(stopped))


def _not_landed(restart: Event) -> str:
    return "" if restart["landed"] else f"the gateway was not seen to stop: {restart['measured_on']}"


def _wanted_ns(restart: Event) -> int:
    """From when on it should be on its way back: what is taken down for a while is wanted once it is mended."""
    return int(restart["mending_ns"] if restart["fault"] in LASTING else restart["asked_ns"])


def _back_ns(record: Record, restart: Event) -> int:
    """When its health was good again; 0 where it never was, or nobody looked."""
    return next((int(event["back_ns"]) for event in record.named("gateway.back")
                 if event["service"] == restart["subject"] and event["back_ns"] >= _wanted_ns(restart)), 0)  # fmt: skip


def seconds_until_healthy(record: Record, span: Span, claim: Claim) -> Evidence:
    """From when the restart was asked for (the start, where it was down for a while) until /health was good again."""
    restart = _restart(record)
    if restart is None:
        return _no_restart(record)
    if unknown := _not_landed(restart):
        return Evidence(0, None, missing=unknown)
    if back_ns := _back_ns(record, restart):
        return Evidence(1, (back_ns - _wanted_ns(restart)) / 1e9, says="until /health said 200")
    unmet = next((event for event in record.named("step.unmet") if event["step"] == "await_gateway"), None)
    if unmet is None:
        return Evidence(0, None, missing="nobody waited for the gateway's health")
    return Evidence(1, (unmet.ns - _wanted_ns(restart)) / 1e9, says=str(unmet["reason"]), past=True)


# -- the accounts of know_accounts and check_accounts -----------------------------------------------------------------


def _looks(record: Record, look: str, when: str, kind: str = "") -> list[Event]:
    """Looks of one name before or after the fault, at accounts of one kind, that got an answer."""
    return [event for event in record.named("account.look")
            if event["look"] == look and event["when"] == when and event["outcome"] != "unanswered"
            and kind in ("", event["kind"])]  # fmt: skip


def _counted(looks: list[Event], wrong: Callable[[Event], bool], words: str) -> Evidence:
    """How many of the looks came out wrong; none at all is no evidence."""
    if not looks:
        return Evidence(0, None, missing=f"{words}: nobody was seen to be answered after the restart")
    bad = [event for event in looks if wrong(event)]
    reasons = Counter(str(event["reason"] or event["outcome"]) for event in bad)
    said = "; ".join(f"{count} × {reason}" for reason, count in reasons.most_common(3))
    says = f"{len(bad)} of {len(looks)}" + (f": {said}" if said else "")
    return Evidence(len(looks), float(len(bad)), hits=len(bad), says=says)


def old_tokens_refused(record: Record, span: Span, claim: Claim) -> Evidence:
    """Tokens that were bound before the restart and are refused after it."""
    if (restart := _restart(record)) is None:
        return _no_restart(record)
    live = {event["account"] for event in _looks(record, "bind", "before", "known") if event["outcome"] == "bound"}
    looks = [event for event in _looks(record, "bind", "after", "known")
             if event["account"] in live and event.ns > restart["asked_ns"]]  # fmt: skip
    return _counted(looks, lambda event: event["outcome"] != "bound", "tokens of before")


def revoked_tokens_accepted(record: Record, span: Span, claim: Claim) -> Evidence:
    """Tokens that were logged out before the restart and bind after it."""
    if (restart := _restart(record)) is None:
        return _no_restart(record)
    revoked = {event["account"] for event in record.named("probe.revoked") if event["revoked"]}
    looks = [event for event in _looks(record, "bind", "after", "revoked")
             if event["account"] in revoked and event.ns > restart["asked_ns"]]  # fmt: skip
    return _counted(looks, lambda event: event["outcome"] == "bound", "revoked tokens")


def locked_ones_admitted(record: Record, span: Span, claim: Claim) -> Evidence:
    """Logins with the right password that were locked before the restart, by account or by address, and are let in."""
    if (restart := _restart(record)) is None:
        return _no_restart(record)
    looks = []
    for name in ("locked_account", "locked_address"):
        before = _looks(record, name, "before")
        if before and all(event["outcome"] == "locked" for event in before):
            looks += [event for event in _looks(record, name, "after") if event.ns > restart["asked_ns"]]
    return _counted(looks, lambda event: event["outcome"] == "in", "locks of before")


def known_accounts_refused(record: Record, span: Span, claim: Claim) -> Evidence:
    """Accounts made before the restart whose own password does not let them in after it."""
    if (restart := _restart(record)) is None:
        return _no_restart(record)
    looks = [event for event in _looks(record, "login", "after", "known") if event.ns > restart["asked_ns"]]
    return _counted(looks, lambda event: event["outcome"] != "in", "known accounts")


def signals_lost(record: Record, span: Span, claim: Claim) -> Evidence:
    """Offers and answers between accounts bound again that did not arrive under the sender's name."""
    if (restart := _restart(record)) is None:
        return _no_restart(record)
    tried = [event for event in record.named("probe.signal")
             if event["why"] == "re-bound" and event.ns > restart["asked_ns"]]  # fmt: skip
    if not tried:
        return Evidence(0, None, missing="no two accounts were bound again to signal to each other")
    lost = Counter(f"{event['kind']} {event['outcome']}" for event in tried if event["outcome"] != "received")
    says = "; ".join(f"{count} × {what}" for what, count in lost.most_common(4)) or "all arrived, both ways"
    return Evidence(len(tried), float(lost.total()), hits=lost.total(), says=says)


# -- the load's own ends ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Return:
    """One end of the load that lost its socket with the gateway."""

    end: str
    bound_ns: int  # when it was bound again; 0 for never
    refused: bool  # whether its token was


def _returns(record: Record, restart: Event) -> list[_Return]:
    """Every end that was bound when the restart began, lost its socket by it and did not hang up meanwhile.

    One that was bound again before the gateway was back, by the process that was going, was lost once more.
    """
    back_ns = _back_ns(record, restart)
    bound: set[str] = set()
    refused: set[str] = set()
    again: dict[str, int] = {}  # end -> when it was bound again, 0 for not yet
    for event in record.named("signal.bound", "signal.rebound", "signal.lost", "signal.released", "signal.refused"):
        end, early = str(event["end"]), event.ns < restart["asked_ns"]
        match event.name:
            case "signal.bound" | "signal.rebound" if early:
                bound.add(end)
            case "signal.lost" | "signal.released" if early:
                bound.discard(end)
            case "signal.lost" if end in bound and (end not in again or event.ns < back_ns):
                again[end] = 0
            case "signal.released" if not again.get(end):
                bound.discard(end)
                again.pop(end, None)
            case "signal.refused" if again.get(end) == 0:
                refused.add(end)
            case "signal.rebound" if again.get(end) == 0:
                again[end] = int(event["bound_ns"])
    return [_Return(end, bound_ns, end in refused) for end, bound_ns in again.items()]


def seconds_until_all_bound(record: Record, span: Span, claim: Claim) -> Evidence:
    """From when the gateway's health was good again until every end of the load that it had lost was bound again."""
    restart = _restart(record)
    if restart is None:
        return _no_restart(record)
    if unknown := _not_landed(restart):
        return Evidence(0, None, missing=unknown)
    back_ns = _back_ns(record, restart)
    if not back_ns:
        return Evidence(0, None, missing="the gateway's health was not seen to be good again")
    returns = _returns(record, restart)
    if not returns:
        return Evidence(0, None, missing="no end of the load was seen to lose its socket")
    never = [one for one in returns if not one.bound_ns]
    if never:
        until_ns = max([span.to_ns, *(window.to_ns for window in record.windows.values())])
        says = f"{len(never)} of {len(returns)} ends were never bound again"
        return Evidence(len(returns), (until_ns - back_ns) / 1e9, says=says, past=True)
    last = max(one.bound_ns for one in returns)
    return Evidence(len(returns), max(0, last - back_ns) / 1e9, says=f"{len(returns)} ends, the last one")


def new_logins(record: Record, span: Span, claim: Claim) -> Evidence:
    """Ends of the load that lost their socket with the gateway and whose old token was then refused."""
    restart = _restart(record)
    if restart is None:
        return _no_restart(record)
    tried = [one for one in _returns(record, restart) if one.bound_ns or one.refused]
    if not tried:
        return Evidence(0, None, missing="no end of the load was seen to bind again")
    again = sum(one.refused for one in tried)
    return Evidence(len(tried), float(again), hits=again, says=f"{again} of {len(tried)} ends that bound again")


# -- half-open --------------------------------------------------------------------------------------------------------


def newer_sockets_lost(record: Record, span: Span, claim: Claim) -> Evidence:
    """Rounds in which the newer of two sockets was reached until the older one ended, and not afterwards."""
    rounds = [event for event in record.named("halfopen.round") if event["before"]]
    if not rounds:
        return Evidence(0, None, missing="no newer socket was reached even while the older one was there")
    lost = sum(not event["after"] for event in rounds)
    says = f"unreachable once the older one had ended in {lost} of {len(rounds)} rounds"
    return Evidence(len(rounds), float(lost), hits=lost, says=says)
