"""Whether the machine can carry two runs at once: what both their load generators say while they run.

Reads the journals as they grow. A generator that stood still for longer than its scenario allows, while two ran, makes
its own row doubtful at the least; the next rows then run one at a time.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drills.record import Appended
from drills.scenario.models import WINDOWS

NAMES = (b'"generator.second"', b'"window.', b'"run.stopped_early"', b'"run.ended"')


@dataclass
class GeneratorWatch:
    """The longest time for which one run's load generator stood still in its windows, in ms, and whether it is done."""

    limit_ms: float
    _appended: Appended = field(default_factory=Appended)
    _open: bool = False
    longest_ms: float = 0.0
    done: bool = False  # nothing more is measured: the run only ends, is lowered and judged

    @property
    def over(self) -> bool:
        """Whether that was longer than is allowed."""
        return self.longest_ms > self.limit_ms

    def look(self, journal: Path) -> None:
        """Read what has been appended since the last look; a journal that is not there yet says nothing."""
        for line in self._appended.lines(journal):
            if any(name in line for name in NAMES):
                self._note(json.loads(line))

    def _note(self, event: dict[str, Any]) -> None:
        match event["event"]:
            case "window.opened":
                self._open = True
            case "window.closed":
                self._open = False
                self.done = self.done or event["window"] == WINDOWS[-1]
            case "run.stopped_early" | "run.ended":
                self.done = True
            case "generator.second" if self._open:
                self.longest_ms = max(self.longest_ms, float(event["gap_ms"]))
