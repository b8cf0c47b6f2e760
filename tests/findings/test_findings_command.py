"""Each state of a finding, reached by commands alone; what they print, and what they exit with."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from drills import __main__
from drills.errors import Exit
from drills.findings.after import folded_in
from drills.findings.reading import FOLDER, read_findings
from tests.report.made_month import MONTH, add_run, provenance_file

ID = "reference.relay_drain.session_drop_ratio"
NOW = datetime.now(UTC)


class Desk:
    """A reports folder, and somebody who types commands."""

    def __init__(self, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.out, self.capsys = out, capsys

    def types(self, *words: str) -> tuple[int, str]:
        """The exit code of a command and what it printed."""
        code = __main__.main([*words, "--out", str(self.out)])
        printed = self.capsys.readouterr()
        return code, printed.out + printed.err

    def runs(self, days_ago: float, verdict: str) -> None:
        """A drill came to this so long ago, and its month was reported."""
        at = NOW - timedelta(days=days_ago)
        facts = provenance_file(started_at=at.isoformat(timespec="milliseconds"))
        add_run(self.out, "relay_drain", f"{at:%Y%m%dT%H%M%S}-aaaa", verdict=verdict, provenance=facts)
        assert self.types("report", MONTH)[0] == 0

    @property
    def state(self) -> str:
        """What `drills findings --json` says of the only finding."""
        code, printed = self.types("findings", "--json")
        (row,) = json.loads(printed)
        assert code == 0 and row["id"] == ID
        return str(row["state"])


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    """A new one."""
    return Desk(tmp_path, capsys)


def test_every_state_is_reached_by_commands_alone(desk: Desk) -> None:
    """New, ongoing, resolved, regressed, resolved by hand, reopened, stale."""
    desk.runs(9, "broken")
    assert desk.state == "new"
    desk.runs(8, "broken")
    assert desk.state == "ongoing"
    desk.runs(7, "inconclusive")
    assert desk.state == "ongoing"
    desk.runs(6, "held")
    assert desk.state == "resolved"
    desk.runs(5, "broken")
    assert desk.state == "regressed"
    desk.types("findings", "close", "session_drop", "--because", "mended in 0.0.6")
    assert desk.state == "resolved" and "resolved by hand" in desk.types("findings")[1]
    desk.types("findings", "reopen", ID, "--because", "not in every region")
    assert desk.state == "ongoing"
    yesterday = (NOW - timedelta(days=1)).date().isoformat()
    desk.types("findings", "assign", ID, "--retest", yesterday)
    assert desk.state == "stale"


def test_one_that_nobody_runs_again_is_stale(desk: Desk) -> None:
    """After five weeks, without any command but the listing."""
    desk.runs(40, "broken")
    assert desk.state == "stale"


def test_who_fixes_it_until_when(desk: Desk) -> None:
    """Assigned, overdue and closed; the listing has an exit code for a pipeline."""
    desk.runs(9, "broken")
    assert desk.types("findings", "list", "--overdue") == (0, "no finding is overdue\n")
    due = (NOW - timedelta(days=2)).date().isoformat()
    code, printed = desk.types("findings", "assign", ID, "--owner", "Ada", "--due", due, "--severity", "critical")
    assert code == 0 and f"owner Ada, due {due}, OVERDUE" in printed
    code, printed = desk.types("findings", "list", "--overdue")
    assert code == Exit.BROKEN and "OVERDUE" in printed and "Ada" in printed
    assert desk.types("findings")[0] == 0
    assert desk.types("findings", "close", ID, "--because", "mended")[0] == 0
    assert desk.types("findings", "list", "--overdue")[0] == 0


def test_the_incident_is_written_down(desk: Desk) -> None:
    """Root cause and a precise timeline, in the order of time, and still there after the next run."""
    desk.runs(9, "broken")
    desk.types("findings", "note", ID, "rolled out to all", "--at", "2026-11-01T09:00:00+01:00")
    desk.types("findings", "cause", ID, "the drain is forgotten at re-registration")
    desk.runs(8, "broken")
    _, printed = desk.types("findings", "show", ID)
    assert "root cause: the drain is forgotten" in printed
    lines = [line for line in printed.splitlines() if "Z  " in line]
    assert lines == sorted(lines, key=lambda line: line[:26])
    assert "  2026-11-01T08:00:00.000Z  rolled out to all" in lines
    assert json.loads(desk.types("findings", "show", ID, "--json")[1])[0]["root_cause"]


MISTAKES = {
    "day": (["assign", ID, "--due", "soon"], "--due: found 'soon', expected a day such as 2026-12-24"),
    "nothing": (["assign", ID], "found nothing to assign, expected --owner"),
    "moment": (["note", ID, "x", "--at", "teatime"], "--at: found 'teatime', expected a moment"),
    "unknown": (["close", "storm", "--because", "x"], f"ID: found 'storm', expected one of {ID}"),
    "silent": (["close", ID, "--because", " "], "--because: found ' ', expected a text"),
    "open": (["reopen", ID, "--because", "x"], "which is new, expected one that is resolved"),
    "severity": (["assign", ID, "--severity", "bad"], "--severity: found 'bad', expected one of 'critical'"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_changes_nothing(desk: Desk, case: str) -> None:
    """Exit code 4 and one line."""
    desk.runs(9, "broken")
    (path,) = (desk.out / FOLDER).glob("*.yaml")
    before = path.read_text()
    words, fragment = MISTAKES[case]
    code, printed = desk.types("findings", *words)
    assert code == Exit.BAD_INPUT and fragment in printed and len(printed.splitlines()) == 1
    assert path.read_text() == before


def test_update_makes_the_ledger_again_from_disk(desk: Desk) -> None:
    """The same findings as were there, but for what people wrote."""
    for days, verdict in ((9, "broken"), (8, "held"), (7, "broken")):
        desk.runs(days, verdict)
    before = read_findings(desk.out / FOLDER)
    for path in (desk.out / FOLDER).glob("*.yaml"):
        path.unlink()
    assert "regressed" in desk.types("findings", "update")[1]
    assert read_findings(desk.out / FOLDER) == before


def test_a_command_says_what_its_runs_have_changed(desk: Desk) -> None:
    """And which findings of its target are overdue, which can be an exit code."""
    desk.runs(9, "broken")
    (path,) = (desk.out / FOLDER).glob("*.yaml")
    path.unlink()
    folders = [str(folder) for folder in (desk.out / MONTH / "relay_drain").iterdir()]
    said: list[str] = []
    assert folded_in(desk.out, "reference", folders, said.append).overdue == ()
    assert said == [f"finding {ID}: new"]
    desk.types("findings", "assign", ID, "--due", "2026-11-01")
    after = folded_in(desk.out, "reference", folders, said.append)
    assert after.overdue == (f"overdue since 2026-11-01: {ID} (major, new, owner nobody)",)
    assert after.codes(fail_overdue=True) == [Exit.BROKEN] and after.codes(fail_overdue=False) == []
    assert folded_in(desk.out, "wavry", folders, said.append).overdue == ()


def test_a_ledger_that_was_spoilt_meanwhile_takes_no_verdict_away(desk: Desk) -> None:
    """It is said, and is an exit code of its own."""
    desk.runs(9, "broken")
    (path,) = (desk.out / FOLDER).glob("*.yaml")
    path.write_text("nonsense")
    said: list[Any] = []
    after = folded_in(desk.out, "reference", [], said.append)
    assert after.problem is Exit.BAD_INPUT and "findings: not kept: " in said[0]
    assert desk.types("run", "calm")[0] == Exit.BAD_INPUT  # and nothing is begun with it
