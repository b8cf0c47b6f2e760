"""What a command that ran drills prints at its end: the table of verdicts, or the same for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from drills.errors import Exit
from drills.report.terminal import table_of
from drills.weighing import Outcome


@dataclass(frozen=True)
class Row:
    """What became of one drill of a suite; without words it was not begun."""

    name: str
    verdict: Outcome | None = None
    words: str = ""  # the folder of its record, or why it has no verdict
    code: Exit = Exit.CANNOT_RUN
    attempt: int = 1  # this is what the last one came to; those before it were inconclusive

    @property
    def evidence(self) -> str:
        """The words for people."""
        return f"{self.words} (attempt {self.attempt})" if self.attempt > 1 else self.words


def as_text(
    rows: list[Row], not_run: list[str], report: Path | None, overdue: Sequence[str], code: Exit
) -> str:  # fmt: skip
    """The table under an empty line, where the report is, and what is overdue."""
    table = table_of([(row.name, row.verdict, row.evidence) for row in rows], not_run)
    return "\n".join(["", *table, *([f"report: {report}"] if report else []), *overdue])


def as_json(
    rows: list[Row], not_run: list[str], report: Path | None, overdue: Sequence[str], code: Exit
) -> str:  # fmt: skip
    """What a command has come to, for programs; the folder of a drill that has no verdict is null."""
    drills = [{"drill": row.name, "verdict": row.verdict and str(row.verdict), "exit_code": int(row.code),
               "folder": row.words if row.verdict else None, "problem": None if row.verdict else row.words,
               "attempt": row.attempt}
              for row in rows]  # fmt: skip
    left = [{"drill": name, "verdict": None, "exit_code": int(Exit.INCONCLUSIVE), "folder": None,
             "problem": "the command was interrupted"} for name in not_run]  # fmt: skip
    whole = {"exit_code": int(code), "drills": drills + left, "report": str(report) if report else None,
             "overdue": [*overdue]}  # fmt: skip
    return json.dumps(whole, indent=2)
