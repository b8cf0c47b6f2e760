"""Log lines on stdout in the form of Wavry's: UTC time, level, program, text; flushed line by line.

``2026-11-23T12:28:18.196288Z  INFO wavry_master: relay registered: ID``. What callers send (relay ids, names) may
be in a line, so control characters are escaped: one event is always one line. Tokens, keys and leases never are.
"""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime

LEVELS = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "off": logging.CRITICAL + 1,
}
log = logging.getLogger("wavry_master")


class WavryFormatter(logging.Formatter):
    """One line for each event; a traceback, should there ever be one, follows on lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        when = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        level = "WARN" if record.levelno == logging.WARNING else record.levelname
        text = "".join(char if char.isprintable() else repr(char)[1:-1] for char in record.getMessage())
        trace = "\n" + self.formatException(record.exc_info) if record.exc_info else ""
        return f"{when} {level:>5} {record.name.replace('.', '::')}: {text}{trace}"


def start(level: str) -> None:
    """Send this program's events to stdout, and of the libraries' only warnings and worse."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(WavryFormatter())
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    log.setLevel(LEVELS[level])
