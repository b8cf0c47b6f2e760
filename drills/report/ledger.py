"""ledger.csv in a run's folder: one row a session and window, what its user met (drills/measures/continuity.py).

A judgement's ``rows`` names this file, the window and the columns that its figure is made of; ``id`` stays the same
however often a record is judged. Moments are seconds since the start of the run, as in series.json; empty: did not
happen.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from functools import partial
from pathlib import Path

from drills.measures.continuity import SILENCES_MS, Row, ledger
from drills.record import Record

NAME = "ledger.csv"
Cell = str | int | float


def _silences(nth: int, row: Row) -> int:
    return row.silences[nth]


_COUNTS: dict[str, Callable[[Row], Cell]] = {
    "id": lambda row: row.key,
    "session": lambda row: row.session,
    "window": lambda row: row.window,
    "packets_sent": lambda row: row.sent,
    "packets_lost": lambda row: row.lost,
    "packets_duplicated": lambda row: row.duplicated,
    "packets_reordered": lambda row: row.reordered,
    **{f"silences_{least}ms": partial(_silences, nth) for nth, least in enumerate(SILENCES_MS)},
    "longest_ms": lambda row: row.longest_ms,
    "continuous": lambda row: int(row.continuous),
    "cut_off": lambda row: "; ".join(row.cut),
    "leases_told": lambda row: row.told,
    "leases_unplanned": lambda row: row.unplanned,
    "lease_cause": lambda row: row.released_cause,
}
_MOMENTS: dict[str, Callable[[Row], int]] = {
    "longest_from_s": lambda row: row.longest_from_ns,
    "longest_to_s": lambda row: row.longest_to_ns,
    "lease_s": lambda row: row.released_ns,
    "signal_lost_s": lambda row: row.signal_lost_ns,
    "rebound_s": lambda row: row.rebound_ns,
    "login_s": lambda row: row.logged_in_ns,
}
COLUMNS = (*_COUNTS, *_MOMENTS)


def write_ledger(record: Record, folder: Path) -> Path:
    """ledger.csv of a record in ``folder``, replaced as a whole; without packets it has its head only."""
    path = folder / NAME
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    rows.writerows(_cells(row, record) for row in ledger(record))
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(text.getvalue(), encoding="utf-8")
    unfinished.rename(path)
    return path


def _cells(row: Row, record: Record) -> list[Cell]:
    moments = (moment(row) for moment in _MOMENTS.values())
    return [*(count(row) for count in _COUNTS.values()),
            *(round(record.seconds_at(ns), 6) if ns else "" for ns in moments)]  # fmt: skip
