"""What a command that ran drills prints at its end, for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path

from drills.ending import Row, as_json, as_text
from drills.errors import Exit
from drills.weighing import Outcome

AGAIN = Row("relay_loss", Outcome.HELD, "reports/2026-11/relay_loss/b", Exit.HELD, attempt=2)
ROWS = [Row("calm", Outcome.HELD, "reports/2026-11/calm/a", Exit.HELD), Row("relay_drain", None, "no engine")]
OVERDUE = ("overdue since 2026-11-20: reference.calm.x (minor, new, owner nobody)",)


def test_people_get_the_table_the_report_and_what_is_overdue() -> None:
    """In this order, under an empty line."""
    lines = as_text(ROWS, ["rollback"], Path("reports/2026-11/report.html"), OVERDUE, Exit.CANNOT_RUN).splitlines()
    assert lines[0] == "" and lines[1].startswith("drill")
    assert [line.split()[0] for line in lines[2:5]] == ["calm", "relay_drain", "rollback"]
    assert lines[5:] == ["report: reports/2026-11/report.html", *OVERDUE]


def test_programs_get_the_same() -> None:
    """One object; a drill without a verdict has no folder, and one that was not begun has a problem, too."""
    told = json.loads(as_json(ROWS, ["rollback"], None, OVERDUE, Exit.CANNOT_RUN))
    assert told["exit_code"] == 3 and told["report"] is None and told["overdue"] == [*OVERDUE]
    assert told["drills"] == [
        {"drill": "calm", "verdict": "held", "exit_code": 0, "folder": "reports/2026-11/calm/a", "problem": None,
         "attempt": 1},
        {"drill": "relay_drain", "verdict": None, "exit_code": 3, "folder": None, "problem": "no engine",
         "attempt": 1},
        {"drill": "rollback", "verdict": None, "exit_code": 2, "folder": None,
         "problem": "the command was interrupted"},
    ]  # fmt: skip


def test_an_attempt_after_the_first_is_said() -> None:
    """The folder is that of the last one."""
    assert as_text([AGAIN], [], None, (), Exit.HELD).endswith("reports/2026-11/relay_loss/b (attempt 2)")
    (told,) = json.loads(as_json([AGAIN], [], None, (), Exit.HELD))["drills"]
    assert (told["folder"], told["attempt"]) == ("reports/2026-11/relay_loss/b", 2)
