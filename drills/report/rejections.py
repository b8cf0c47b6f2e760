"""What relays rejected and dropped in a run, by reason and window, as the series has it second by second."""

from __future__ import annotations

from dataclasses import dataclass

from drills.report.files import Row as Seconds
from drills.report.runs import Run
from drills.report.services import refusal_rows, rejection_rows

ELSEWHERE = "outside windows"


@dataclass(frozen=True)
class Rejection:
    """One reason, with how often it was seen in each window; ``total`` is of the whole run."""

    reason: str
    windows: tuple[tuple[str, int], ...]

    @property
    def total(self) -> int:
        """In all windows and outside them."""
        return sum(count for _, count in self.windows)


def rejections(run: Run) -> tuple[Rejection, ...]:
    """Leases that were rejected by the reason given, packets by the relays' own counters, and limits; most first."""
    if run.series is None:
        return ()
    rows = {**rejection_rows(run.series), **refusal_rows(run.series)}
    found = [Rejection(reason, _by_window(run, row)) for reason, row in rows.items()]
    return tuple(sorted((one for one in found if one.total), key=lambda one: -one.total))


def _by_window(run: Run, row: Seconds) -> tuple[tuple[str, int], ...]:
    assert run.series
    counts = dict.fromkeys([*run.series.windows, ELSEWHERE], 0.0)
    for second, count in enumerate(row):
        middle = second + 0.5
        name = next((name for name, one in run.series.windows.items() if one.from_s <= middle < one.to_s), ELSEWHERE)
        counts[name] += count or 0.0
    return tuple((name, round(count)) for name, count in counts.items())
