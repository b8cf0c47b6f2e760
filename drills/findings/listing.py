"""Findings for a terminal: a table of them, one of them whole, and what a command says about overdue ones."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from drills.findings.finding import SEVERITIES, STATES, Act, Finding, Look, Moment


def in_order(findings: Sequence[Finding], today: date) -> list[Finding]:
    """The overdue first, the longest overdue at the top; then by state and severity."""
    return sorted(findings, key=lambda one: (
        not one.overdue(today), one.due or date.max if one.overdue(today) else date.max, STATES.index(one.state),
        SEVERITIES.index(one.severity), one.id,
    ))  # fmt: skip


def table(findings: Sequence[Finding], today: date) -> list[str]:
    """One line a finding, under a heading."""
    rows = [("state", "severity", "owner", "due", "re-test", "finding")]
    for one in in_order(findings, today):
        due = f"{one.due or '-'}" + (" OVERDUE" if one.overdue(today) else "")
        state = "resolved by hand" if one.by_hand else one.state
        rows.append((state, one.severity, one.owner or "-", due, f"{one.retest or '-'}", one.id))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return ["  ".join([*map(str.ljust, row[:5], widths), row[5]]) for row in rows]


def whole(finding: Finding, today: date) -> list[str]:
    """Everything about one finding, its history in the order of time."""
    due = f"{finding.due or 'never'}{', OVERDUE' if finding.overdue(today) else ''}"
    lines = [
        finding.id,
        f"  {finding.state}{' by hand, not seen to hold since' if finding.by_hand else ''}, {finding.severity}; "
        f"owner {finding.owner or 'nobody'}, due {due}, re-test {finding.retest or 'unset'}",
        f"  root cause: {finding.root_cause or 'not written down'}",
    ]
    events: list[Moment | Look | Act] = [*finding.timeline, *finding.evidence, *finding.acts]
    return lines + [f"  {one.at}  {_words(one)}" for one in sorted(events, key=lambda one: one.at)]


def _words(one: Moment | Look | Act) -> str:
    if isinstance(one, Moment):
        return one.text
    if isinstance(one, Look):
        return f"{one.outcome} in {one.run} ({one.where}): {one.says}"
    return f"{one.act} by hand: {one.because}"


def as_data(findings: Sequence[Finding], today: date) -> list[dict[str, Any]]:
    """The same for programs: the keys of the file, and what follows from them today."""
    return [{**one.model_dump(), "overdue": one.overdue(today), "by_hand": one.by_hand}
            for one in in_order(findings, today)]  # fmt: skip


def overdue_lines(findings: Sequence[Finding], target: str, today: date) -> list[str]:
    """One line for each finding about a target that should have been fixed by now."""
    return [
        f"overdue since {one.due}: {one.id} ({one.severity}, {one.state}, owner {one.owner or 'nobody'})"
        for one in in_order(findings, today)
        if one.target == target and one.overdue(today)
    ]
