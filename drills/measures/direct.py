"""The direct path: how many sessions take it, and how soon a relay serves those that lose it.

The load tells of both: ``session.setup`` has the path that a session came up by, ``path.fell_back`` when one that was
on the direct path heard nothing any more, and since when a relay served it.
"""

from __future__ import annotations

from drills.measures.evidence import Evidence, ratio
from drills.objectives import Claim
from drills.record import Event, Record, Span

BLOCKED = "direct_blocked"


def direct_share(record: Record, span: Span, claim: Claim) -> Evidence:
    """Sessions asked for in the window that came up by the direct path, of all that came up."""
    up = [event for event in record.named("session.setup")
          if event["intended_ns"] in span and event["ok"] and event.get("path")]  # fmt: skip
    direct = sum(event["path"] == "direct" for event in up)
    tried = [event for event in record.named("path.tried") if event["began_ns"] in span and not event["ok"]]
    says = f"{direct} direct, {len(up) - direct} by a relay" + (f"; {tried[0]['reason']}" if tried else "")
    return ratio(direct, len(up), says)


def seconds_until_served(record: Record, span: Span, claim: Claim) -> Evidence:
    """From when the direct path was closed to when each session on it was served by a relay; the slowest.

    A session that heard something later counts from then: what was on its way arrived.
    """
    blocked = next((event for event in record.named("fault.receipt") if event["fault"] == BLOCKED), None)
    if blocked is None:
        return Evidence(0, None, missing="the direct path was not closed")
    if not blocked["landed"]:
        return Evidence(0, None, missing=f"the direct path was not seen to close: {blocked['measured_on']}")
    force = Span(blocked["asked_ns"], blocked["to_ns"])
    fell = [event for event in record.named("path.fell_back") if event["began_ns"] in force]
    if not fell:
        return Evidence(0, None, missing="no session lost its direct path")
    lost = [event for event in fell if not event["ok"]]
    slowest = max(_took_s(event, blocked) for event in fell)
    says = f"{len(fell)} sessions" + (f", {len(lost)} found no relay: {lost[0]['reason']}" if lost else "")
    return Evidence(len(fell), slowest, says=says, past=bool(lost))


def _took_s(event: Event, blocked: Event) -> float:
    return float(event["served_ns"] - max(event["heard_ns"], blocked["asked_ns"])) / 1e9
