"""Wavry's log lines on stdout: an RFC 3339 time, a level, a text that scrapers anchor on (observed.md)."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime

log = logging.getLogger("wavry_relay")


class _Line(logging.Formatter):
    """`2026-01-01T00:00:00.000000Z  INFO wavry_relay: Relay ID: …`."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        level = "WARN" if record.levelno == logging.WARNING else record.levelname
        return f"{moment} {level:>5} {record.name}: {record.getMessage()}"


def begin_log(level: int) -> None:
    """Write from now on; every line is flushed, because a drill kills relays and reads what they said last."""
    lines = logging.StreamHandler(sys.stdout)
    lines.setFormatter(_Line())
    log.addHandler(lines)
    log.setLevel(level)
    log.propagate = False
