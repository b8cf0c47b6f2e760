"""Whether the database can still be written, known without asking it (intended; D19).

A check writes once a second in the background, so ``/health`` answers at once even while the database hangs. It is
degraded as soon as a check fails, and when none has come back for two seconds. Time is an argument.
"""

from __future__ import annotations

from dataclasses import dataclass

CHECK_EVERY_S = 1.0
SILENT_MAX_S = CHECK_EVERY_S + 1.0


@dataclass
class DatabaseHealth:
    """What the checks have found so far; times are monotonic seconds."""

    answered_at: float
    problem: str | None = None

    def good(self, now: float) -> None:
        """A check has written."""
        self.answered_at = now
        self.problem = None

    def bad(self, now: float, problem: str) -> None:
        """A check has failed."""
        self.answered_at = now
        self.problem = problem

    def degraded(self, now: float) -> str | None:
        """What is wrong, or None."""
        if self.problem is not None:
            return f"database: {self.problem}"
        silent_s = now - self.answered_at
        return f"database: no answer for {silent_s:.1f} s" if silent_s > SILENT_MAX_S else None
