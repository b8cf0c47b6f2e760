"""Looks and findings made by hand."""

from __future__ import annotations

from typing import Any

from drills.findings.finding import Act, Finding, Look, Outcome, Seen

PLACE = {"stage": "processes", "tier": "stage", "pace": "real"}


def look(day: int, outcome: Outcome, **more: Any) -> Look:
    """A look on a day of November 2026."""
    fields = {"run": f"2026-11/relay_drain/202611{day:02d}T140000-aaaa", "at": f"2026-11-{day:02d}T14:00:00Z",
              "outcome": outcome, "says": "fault: 3 leases, limit 0", **PLACE, **more}  # fmt: skip
    return Look.model_validate(fields)


def act(day: int, what: str) -> Act:
    """What somebody decided in the evening of a day of November 2026."""
    return Act.model_validate({"at": f"2026-11-{day:02d}T18:00:00Z", "act": what, "because": "so it is"})


def finding(*looks: Look, **more: Any) -> Finding:
    """A finding with this evidence."""
    fields = {"id": "wavry.relay_drain.leases", "drill": "relay_drain", "objective": "leases", "target": "wavry",
              "severity": "major", "state": "new", "evidence": looks, **more}  # fmt: skip
    return Finding.model_validate(fields)


def seen(one: Look, **more: Any) -> Seen:
    """A look before it is anybody's finding."""
    fields = {"drill": "relay_drain", "objective": "leases", "target": "wavry", "severity": "major", "look": one}
    return Seen.model_validate({**fields, **more})
