"""The same users under Locust's own web UI: ``DRILLS_LOAD='…' locust -f drills/load/locustfile.py``.

`drills stand NAME` raises a stage and prints the whole line. What the sessions measure shows as Locust's statistics;
nothing here is judged and no record is written.
"""

from __future__ import annotations

from typing import Any

from locust import events

from drills.load.by_hand import shown_in
from drills.load.settings import LoadSettings
from drills.load.users import ResidentPair, VisitingPair
from drills.load.worker import made_world

__all__ = ["ResidentPair", "VisitingPair"]


@events.init.add_listener  # type: ignore[untyped-decorator]  # Locust has no types
def begin(environment: Any, **_: Any) -> None:
    """Fill the world of this process and show what it measures in the web UI."""
    made_world(LoadSettings.from_environment(), 0)
    shown_in(environment)
