"""How far a run on a seat has come, as its journal tells while it grows.

Who runs several drills on one machine asks it what is being measured, and when the next may be got ready or have its
turn (drills/side_by_side.py, drills/teeth/matrix.py).
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drills.record import Appended
from drills.scenario.models import WINDOWS

NAMES = (b'"window.', b'"generator.', b'"run.ready"', b'"run.stopped_early"', b'"run.ended"')


@dataclass
class Progress:
    """What one run's journal has said so far."""

    ready: bool = False  # everything stands and flows: it can be measured
    opened: set[str] = field(default_factory=set)  # the windows that have been opened
    closed_at: float = math.inf  # when the last window was seen to be closed, by the clock of whoever looks
    stopped_early: bool = False  # whatever comes is not what the run is after
    over: bool = False  # its load has written its last: nothing more is measured
    longest_gap_ms: float = 0.0  # for which its load generator stood still in a window
    _in_window: bool = False
    _appended: Appended = field(default_factory=Appended)

    def look(self, folder: Path | None, now: float) -> None:
        """Read what the journal has grown by; a run without a folder, or a journal, has said nothing yet."""
        if folder:
            for line in self._appended.lines(folder / "journal.jsonl"):
                if any(name in line for name in NAMES):
                    self._note(json.loads(line), now)

    def _note(self, event: dict[str, Any], now: float) -> None:
        match event["event"]:
            case "run.ready":
                self.ready = True
            case "window.opened":
                self.opened.add(event["window"])
                self._in_window = True
            case "window.closed":
                self._in_window = False
                if event["window"] == WINDOWS[-1]:
                    self.closed_at = now
            case "generator.second" if self._in_window:
                self.longest_gap_ms = max(self.longest_gap_ms, float(event["gap_ms"]))
            case "run.stopped_early":
                self.stopped_early = True
            case "generator.finished" | "run.ended":
                self.over = True
