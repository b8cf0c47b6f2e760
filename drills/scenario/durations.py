"""Durations as scenarios write them: seconds, or multiples of the target's own timers.

``6 heartbeats + 5 s`` is 35 s on a control plane that beats every 5 s and 8 s on one that beats ten times
faster. A scenario therefore means the same rehearsal at either pace.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

_TERM = r"[0-9]{1,6}(?:\.[0-9]{1,6})? *(?:ms|s|min|heartbeats?)"
PATTERN = rf"^{_TERM}(?: *\+ *{_TERM}){{0,3}}$"
_UNITS_S = {"ms": 0.001, "s": 1.0, "min": 60.0}
EXPECTED = "a duration such as '500 ms', '10 s' or '6 heartbeats + 5 s'"
JSON_SCHEMA = {"type": "string", "pattern": PATTERN, "examples": ["10 s", "6 heartbeats + 5 s"]}
SECONDS_MAX = 3600.0  # no rehearsal of ours takes an hour; a larger number is a slip of the pen


@dataclass(frozen=True)
class Duration:
    """A length of time: seconds plus heartbeats of the target."""

    seconds: float = 0.0
    heartbeats: float = 0.0

    @classmethod
    def parse(cls, text: Any) -> Duration:
        """Read the grammar above; anything else raises ValueError, a length of nothing too."""
        if not isinstance(text, str) or not re.fullmatch(PATTERN, text):
            raise ValueError(f"expected {EXPECTED}")
        seconds = heartbeats = 0.0
        for number, unit in re.findall(r"([0-9.]+) *([a-z]+)", text):
            if unit.startswith("heartbeat"):
                heartbeats += float(number)
            else:
                seconds += float(number) * _UNITS_S[unit]
        if seconds > SECONDS_MAX or heartbeats > SECONDS_MAX:
            raise ValueError(f"expected at most {SECONDS_MAX:.0f} seconds or heartbeats")
        if not seconds + heartbeats > 0:
            raise ValueError("expected a duration above zero")
        return cls(seconds, heartbeats)

    def in_s(self, heartbeat_s: float) -> float:
        """Seconds on a target whose relays beat every ``heartbeat_s``."""
        return self.seconds + self.heartbeats * heartbeat_s

    def __str__(self) -> str:
        terms = []
        if self.heartbeats:
            terms.append(f"{self.heartbeats:g} heartbeat{'s' if self.heartbeats != 1 else ''}")
        if self.seconds or not terms:
            terms.append(f"{self.seconds:g} s")
        return " + ".join(terms)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            lambda value: value if isinstance(value, cls) else cls.parse(value),
            serialization=core_schema.to_string_ser_schema(),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return dict(JSON_SCHEMA)
