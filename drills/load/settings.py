"""What the load needs to know, carried to its processes as one JSON text in the environment."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from drills.errors import BadInput

VARIABLE = "DRILLS_LOAD"


@dataclass(frozen=True)
class LoadSettings:
    """Addresses in host:port form; lengths of time in seconds."""

    gateway: str
    master: str
    ends_prefix: str  # the first two bytes of the ends' own addresses, e.g. "127.20"
    control_port: int  # Locust's master listens here
    control_host: str
    resident: int
    visitors: int
    workers: int
    resident_length_s: tuple[float, float]
    visit_length_s: float
    renew_every_s: float
    inputs_per_s: int
    frames_per_s: int
    seed: int
    run_folder: str | None = None

    def to_json(self) -> str:
        """The text for the environment."""
        return json.dumps(asdict(self))

    @classmethod
    def from_environment(cls) -> LoadSettings:
        """What ``DRILLS_LOAD`` holds; `drills stand` prints the line for a load started by hand."""
        text = os.environ.get(VARIABLE)
        if not text:
            raise BadInput(f"{VARIABLE}: found nothing, expected the settings that `drills stand` prints")
        try:
            raw = json.loads(text)
            return cls(**{**raw, "resident_length_s": tuple(raw["resident_length_s"])})
        except (ValueError, TypeError, KeyError) as error:
            raise BadInput(f"{VARIABLE}: found {text[:80]!r} ({error}), expected what `drills stand` prints") from None

    @property
    def population(self) -> int:
        """How many pairs there are in all."""
        return self.resident + self.visitors

    @property
    def folder(self) -> Path | None:
        """Where journal and samples go; None for a load started by hand."""
        return Path(self.run_folder) if self.run_folder else None
