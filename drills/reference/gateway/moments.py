"""Points in time as they are stored, compared and shown: always UTC, one stored form (intended; D3).

Wavry stores two text forms and compares them as text, so a token of today never expires. Here rows of either form
(a drill may write one by SQL) are parsed before they are compared.
"""

from __future__ import annotations

from datetime import UTC, datetime


def stored(moment: datetime) -> str:
    """A moment as this gateway stores it: ``2026-11-23T12:26:09.170968+00:00``."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def parsed(text: str) -> datetime:
    """A stored moment of either form; text without an offset is UTC. ValueError when it is no time at all."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def passed(text: str, now: datetime) -> bool:
    """Whether the stored moment has come; one that cannot be read counts as passed."""
    try:
        return parsed(text) <= now
    except ValueError:
        return True


def shown(text: str | None) -> str | None:
    """A stored moment as JSON shows it, RFC 3339 with ``Z`` and 0, 3 or 6 digits (contract §2.1)."""
    if text is None:
        return None
    try:
        moment = parsed(text)
    except ValueError:
        return text
    return rfc3339(moment)


def rfc3339(moment: datetime) -> str:
    """A moment as RFC 3339 with ``Z``, with as many digits as it needs."""
    if moment.microsecond == 0:
        precision = "seconds"
    else:
        precision = "milliseconds" if moment.microsecond % 1000 == 0 else "microseconds"
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=precision) + "Z"
