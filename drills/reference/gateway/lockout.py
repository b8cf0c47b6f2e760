"""When failed logins lock an account or an address (contract §3.3), with the time as an argument.

Five failures lock for 15 minutes after the last one. A count older than that starts again at one (intended; D24);
Wavry's never decays, so that a single later failure locks again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

FAILURES_MAX = 5
LOCKED_FOR = timedelta(minutes=15)


@dataclass(frozen=True)
class Failures:
    """The failed logins remembered for one e-mail address or one IP."""

    count: int
    last: datetime


def locked(failures: Failures | None, now: datetime) -> bool:
    """Whether attempts are refused without being looked at."""
    return failures is not None and failures.count >= FAILURES_MAX and not faded(failures, now)


def faded(failures: Failures, now: datetime) -> bool:
    """Whether the last failure is so long ago that none of them counts any more."""
    return now >= failures.last + LOCKED_FOR


def after_failure(failures: Failures | None, now: datetime) -> Failures:
    """What is remembered once one more attempt has failed."""
    if failures is None or faded(failures, now):
        return Failures(1, now)
    return Failures(failures.count + 1, now)
