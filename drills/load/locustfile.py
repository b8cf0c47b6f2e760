"""The same users under Locust's own web UI: ``DRILLS_LOAD='…' locust -f drills/load/locustfile.py``.

`drills stand NAME` raises a stage and prints the whole line. What the sessions measure shows as Locust's statistics;
nothing here is judged and no record is written.
"""

from __future__ import annotations

import time
from typing import Any

import gevent
from locust import events

from drills.load.settings import LoadSettings
from drills.load.users import ResidentPair, VisitingPair, World
from drills.load.worker import made_world

VISITS_PER_S = 2.0
ACCOUNTS_S = 8.0

__all__ = ["ResidentPair", "VisitingPair"]


@events.init.add_listener  # type: ignore[untyped-decorator]  # Locust has no types
def begin(environment: Any, **_: Any) -> None:
    """Fill the world of this process and show what it measures in the web UI."""
    made_world(LoadSettings.from_environment(), 0)

    def measured(name: str, milliseconds: float, problem: str | None) -> None:
        environment.events.request.fire(
            request_type="session", name=name, response_time=milliseconds, response_length=0, context={},
            exception=RuntimeError(problem) if problem else None,
        )  # fmt: skip

    World.live.on_measured = measured
    gevent.spawn(_show_media, measured)


@events.test_start.add_listener  # type: ignore[untyped-decorator]  # Locust has no types
def let_visit(environment: Any, **_: Any) -> None:
    """Visits begin a while after the start button, when the visitors have their accounts."""
    World.visits.plan(VISITS_PER_S, ACCOUNTS_S)


@events.test_stop.add_listener  # type: ignore[untyped-decorator]  # Locust has no types
def end_visits(environment: Any, **_: Any) -> None:
    """No visits while nobody is there to make them."""
    World.visits.plan(0.0, 0.0)


def _show_media(measured: Any) -> None:
    """Once a second, the round of each live session: how long ago the quieter end last heard something."""
    while True:
        gevent.sleep(1.0)
        for session in list(World.live.sessions.values()):
            if session.media and session.media.heard_both_ways():
                heard = min(session.media.client.last_received_ns, session.media.host.last_received_ns)
                measured("silence now", _since_ms(heard), None)


def _since_ms(ns: int) -> float:
    return (time.monotonic_ns() - ns) / 1e6
