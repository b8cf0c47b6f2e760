"""What people do to a finding: each act reads the ledger, changes one file of it, and writes that file whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from drills.errors import BadInput
from drills.findings.finding import TEXT_MAX, Act, Finding, Moment
from drills.findings.reading import FOLDER, locked, plain, read_findings, write_finding
from drills.findings.states import as_of
from drills.scenario.problems import one_of, shown


def change(out: Path, name: str, today: date, changed: Callable[[Finding], Finding]) -> Finding:
    """Change one finding and return it as of today; raises BadInput for a name that is none or several."""
    folder = out / FOLDER
    if not folder.is_dir():
        raise BadInput(f"{folder}: found no finding, expected one called {shown(name)}")
    with locked(folder):
        finding = as_of(changed(named(read_findings(folder, today), name)), today)
        write_finding(folder, finding)
    return finding


def named(findings: Sequence[Finding], name: str) -> Finding:
    """The finding with this id, or the only one whose id has this text in it."""
    exactly = [one for one in findings if one.id == name]
    found = exactly or [one for one in findings if name and name in one.id]
    if len(found) == 1:
        return found[0]
    ids = [one.id for one in found or findings]
    expected = f"one of {one_of(ids, name)}" if ids else "a finding, of which there is none"
    raise BadInput(f"command line: ID: found {shown(name)}, expected {expected}")


def assigned(finding: Finding, **fields: Any) -> Finding:
    """With an owner, a day, or whatever else of people's keys is given."""
    return finding.model_copy(update={key: value for key, value in fields.items() if value is not None})


def acted(finding: Finding, act: str, because: str, now: str) -> Finding:
    """Closed or reopened by hand; raises BadInput where it is so already, or where no reason is given."""
    if finding.open != (act == "closed"):
        raise BadInput(f"command line: ID: found {finding.id}, which is {finding.state}, expected one that is "
                       f"{'open' if act == 'closed' else 'resolved'}")  # fmt: skip
    one = Act.model_validate({"at": now, "act": act, "because": sentence(because, "--because")})
    return finding.model_copy(update={"acts": (*finding.acts, one)})


def noted(finding: Finding, text: str, at: str) -> Finding:
    """With one more line in its timeline, in the order of time."""
    line = Moment(at=at, text=sentence(text, "TEXT"))
    return finding.model_copy(update={"timeline": tuple(sorted((*finding.timeline, line), key=lambda one: one.at))})


def sentence(text: str, argument: str) -> str:
    """What somebody wrote, as a finding keeps it; raises BadInput where nothing is left of it, or too much is there."""
    words = plain(text)
    if not words or len(text) > TEXT_MAX:
        found = shown(text) if not words else f"{len(text)} characters"
        raise BadInput(f"command line: {argument}: found {found}, expected a text of 1 to {TEXT_MAX} characters")
    return words
