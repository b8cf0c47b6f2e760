"""What the runs of a command mean for the ledger of findings, said and counted at its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from drills.errors import BadInput, CannotRun, Exit
from drills.findings.folding import fold
from drills.findings.listing import overdue_lines
from drills.findings.reading import FOLDER, read_findings
from drills.report.runs import run_of


@dataclass(frozen=True)
class After:
    """A line for each finding of the target that is overdue, and the problem where the ledger could not be kept."""

    overdue: tuple[str, ...] = ()
    problem: Exit | None = None

    def codes(self, *, fail_overdue: bool) -> list[Exit]:
        """The exit codes to combine with those of the drills."""
        late = [Exit.BROKEN] if self.overdue and fail_overdue else []
        return [*late, *([self.problem] if self.problem else [])]


def folded_in(out: Path, target: str, folders: Sequence[str], say: Callable[[str], None]) -> After:
    """Fold these runs into the ledger under ``out`` and say every finding whose state has changed.

    The runs are judged and stay so, whatever is wrong with the ledger: a problem is said, and is an exit code.
    """
    today = datetime.now(UTC).date()
    try:
        before = {one.id: one.state for one in read_findings(out / FOLDER)}
        findings = fold(out, [run_of(Path(folder)) for folder in folders], today)
    except (BadInput, CannotRun) as error:
        for line in str(error).splitlines():
            say(f"findings: not kept: {line}")
        return After(problem=error.exit_code)
    except OSError as error:
        say(f"findings: not kept: {out / FOLDER}: {error.strerror}")
        return After(problem=Exit.CANNOT_RUN)
    for one in findings:
        if before.get(one.id) != one.state:
            say(f"finding {one.id}: {one.state}")
    return After(tuple(overdue_lines(findings, target, today)))
