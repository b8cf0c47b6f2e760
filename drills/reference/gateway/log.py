"""Log lines on stdout in Wavry's shape (contract §1.6), each flushed as it is written.

Tokens, passwords and keys are never given to it, and neither are e-mail addresses: audit lines name users by id
(Wavry's name the address).
"""

from __future__ import annotations

import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import TextIO

TARGET = "wavry_gateway"


class Log:
    """Writes lines such as ``2026-11-23T12:26:06.732959Z  INFO wavry_gateway: connected to gateway database``."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self.hushed = False  # only for the defect gateway_hides_database_trouble

    def tell(self, message: str, *, part: str = "", **fields: str) -> None:
        """Something as expected."""
        self._write("INFO", message, part, fields)

    def warn(self, message: str, *, part: str = "", **fields: str) -> None:
        """Something that somebody should perhaps look at."""
        if not self.hushed:
            self._write("WARN", message, part, fields)

    def fail(self, message: str, *, part: str = "", **fields: str) -> None:
        """Something that went wrong here."""
        if not self.hushed:
            self._write("ERROR", message, part, fields)

    def audit(self, message: str, event: str, ip: str, *, good: bool = True, **fields: str) -> None:
        """An audit line."""
        shown = "".join(f' {name}="{value}"' for name, value in fields.items())
        level = "INFO" if good else "WARN"
        self._write(level, f'{message} event="{event}" client_ip=Some({ip}){shown}', "audit", {})

    def _write(self, level: str, message: str, part: str, fields: dict[str, str]) -> None:
        moment = datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
        target = f"{TARGET}::{part}" if part else TARGET
        shown = "".join(f" {name}={value}" for name, value in fields.items())
        # a full disk or a reader that has gone must not turn into failed requests
        with suppress(OSError):
            print(f"{moment}Z {level:>5} {target}: {message}{shown}", file=self._stream, flush=True)
