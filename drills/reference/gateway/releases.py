"""Which release of the gateway this is, and which have run on its data before: only defects want to know the second.

A release is told its tag by ``DRILLS_RELEASE`` (baked into images, given by the process stage); without one it is the
known-good one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from drills.reference.defects import Defects
from drills.reference.gateway.database import MEMORY, located

VARIABLE = "DRILLS_RELEASE"
KNOWN_GOOD = "known-good"
NOTE = "newest-release"  # beside the database
ASKING = ("gateway_runs_the_newest", "database_stays_slow")


def running(environment: Mapping[str, str] = os.environ) -> str:
    """The tag of the release that this process is."""
    return environment.get(VARIABLE) or KNOWN_GOOD


def newest_here(defects: Defects, database_url: str) -> str:
    """The newer release that has run on this data before a known-good one came back; empty where none has.

    Looked for, and noted, only where one of the defects asks: a sound gateway leaves no such note.
    """
    path, _ = located(database_url)
    if path == MEMORY or not any(map(defects.on, ASKING)):
        return ""
    note = Path(path).with_name(NOTE)
    if running() != KNOWN_GOOD:
        note.write_text(running(), encoding="utf-8")
        return ""
    return note.read_text(encoding="utf-8") if note.exists() else ""


def become(tag: str) -> None:
    """Go on as another release, under the same process id: the defect ``gateway_runs_the_newest``."""
    os.execve(sys.executable, sys.orig_argv, {**os.environ, VARIABLE: tag})
