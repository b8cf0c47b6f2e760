"""How a drill is to be run: the options of the command line and of pytest, in one frozen place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from drills.errors import BadInput

REPORTS = Path(__file__).resolve().parents[1] / "reports"
FAST_DIVISOR = 10.0  # design §6, Pace
REAL_HEARTBEAT_S = 5.0  # of a relay, contract-master-relay §6


@dataclass(frozen=True)
class Options:
    """How a drill is to be run; the command line's and pytest's options."""

    target: str = "reference"
    stage: str = "processes"
    stage_why: str = ""  # asked for, or why this one
    tier: str = "stage"
    pace: str = "real"
    seed: int = 1
    defects: tuple[str, ...] = ()
    out: Path = REPORTS
    command: str = ""
    suite: str = ""
    network: str = ""  # the named condition that every drill runs under, if any

    def check(self) -> None:
        """Raises BadInput where the options do not go together (design §6, Pace)."""
        if self.target == "wavry" and self.pace == "fast":
            raise BadInput("--pace: found fast with --target wavry, expected real: Wavry's timers cannot be set")
        if self.target == "wavry" and self.defects:
            raise BadInput(
                f"--defect: found {', '.join(self.defects)} with --target wavry, expected --target reference"
            )

    @property
    def divisor(self) -> float:
        """By how much the reference's own timers are divided."""
        return FAST_DIVISOR if self.pace == "fast" else 1.0

    @property
    def heartbeat_s(self) -> float:
        """How far apart a relay's heartbeats are, in s."""
        return REAL_HEARTBEAT_S / self.divisor
