"""Whether a gateway whose volume is lost or refuses says so: by its health, its counter of database errors, its log."""

from __future__ import annotations

import re
from collections.abc import Iterator

from drills.measures.evidence import Evidence
from drills.objectives import Claim
from drills.record import Event, Record, Span

FAULTS = ("volume_lost", "volume_read_only")
GRACE_NS = 3_000_000_000  # what a gateway may take to notice: a check a second, and two seconds without an answer
ANSWERED = re.compile(r"\d{3}\b")  # a look that was answered, with a status that is not 200
ABOUT_STORAGE = re.compile(r"database|read-?only|volume|sqlite|sqlx", re.IGNORECASE)


def _fault(record: Record) -> Event | None:
    return next((event for event in record.named("fault.injected") if event["fault"] in FAULTS), None)


def _over_ns(record: Record, fault: Event) -> int:
    """When the fault began to be mended, or the record ends."""
    receipts = [event for event in record.named("fault.receipt") if event["asked_ns"] == fault["asked_ns"]]
    return min((int(event["mending_ns"]) for event in receipts), default=record.events[-1].ns)


def _missing(fault: Event | None) -> str:
    if fault is None:
        return "no volume was lost or made read-only"
    return "" if fault["landed"] else f"{fault['fault']} was not seen to land: {fault['measured_on']}"


def seconds_until_seen(record: Record, span: Span, claim: Claim) -> Evidence:
    """From the fault's start to the first sign of it that an operator could see."""
    fault = _fault(record)
    if (missing := _missing(fault)) or fault is None:
        return Evidence(0, None, missing=missing)
    over_ns = _over_ns(record, fault)
    signs = sorted((ns, what) for ns, what in _signs(record, fault) if fault["asked_ns"] <= ns < over_ns)
    looks = [event for event in record.named("storage.looked") if fault["asked_ns"] <= event["asked_ns"] < over_ns]
    if not looks:
        return Evidence(0, None, missing="nobody looked at the gateway while its volume was in trouble")
    if signs:
        ns, what = signs[0]
        return Evidence(len(looks), (ns - fault["asked_ns"]) / 1e9, says=what)
    return Evidence(len(looks), (over_ns - fault["asked_ns"]) / 1e9, says=f"no sign at all; {_shown(looks)}", past=True)


def _signs(record: Record, fault: Event) -> Iterator[tuple[int, str]]:
    """Every explicit sign of trouble with storage: (when, what)."""
    for event in record.named("storage.looked"):
        if not event["health_ok"] and ANSWERED.match(event["health"]):
            yield event["asked_ns"], f"/health: {event['health']}"
        if event["db_errors"] and event["db_errors"] > _errors_before(record, fault):
            yield event.ns, f"db_errors: {event['db_errors']}"
    for event in record.named("log"):
        if event["service"] == fault["subject"] and ABOUT_STORAGE.search(event["line"]):
            yield event.ns, f"its log: {event['line']}"
    for event in record.named("stage.changed"):
        if event["service"] == fault["subject"]:
            yield event.ns, event["reason"]


def _errors_before(record: Record, fault: Event) -> int:
    """The counter of database errors before the fault; a restarted gateway counts from nothing."""
    if fault["fault"] == "volume_lost":
        return 0
    before = [event for event in record.named("gateway.health") if event.ns < fault["asked_ns"]]
    return int(before[-1]["auth"].get("db_errors", 0)) if before else 0


def _shown(looks: list[Event]) -> str:
    green = sum(event["health_ok"] for event in looks)
    last = looks[-1]
    return f"/health was green in {green} of {len(looks)} looks; a known login: {last['login']}; " \
           f"a registration: {last['write']}"  # fmt: skip


def green_looks(record: Record, span: Span, claim: Claim) -> Evidence:
    """Looks at `/health` that found it green while the volume was in trouble, beyond the time it may take to notice."""
    fault = _fault(record)
    if (missing := _missing(fault)) or fault is None:
        return Evidence(0, None, missing=missing)
    trouble = Span(fault["from_ns"] + GRACE_NS, _over_ns(record, fault))
    looks = [event for event in record.named("storage.looked") if event["asked_ns"] in trouble]
    green = sum(event["health_ok"] for event in looks)
    if not looks:
        return Evidence(0, None, missing="nobody looked at /health for long enough while the volume was in trouble")
    return Evidence(len(looks), float(green), hits=green, says=_shown(looks))
