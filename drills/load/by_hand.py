"""The same users for a person: what their sessions measure shows in Locust's web UI, visits come while a test runs.

Nothing here is judged and no record is written.
"""

from __future__ import annotations

import time
from typing import Any

import gevent

from drills.load.users import World

VISITS_PER_S = 2.0
ACCOUNTS_S = 8.0


def shown_in(environment: Any) -> None:
    """Let an environment of Locust's show what the world of this process measures, and start and stop its visits."""

    def measured(name: str, milliseconds: float, problem: str | None) -> None:
        environment.events.request.fire(
            request_type="session", name=name, response_time=milliseconds, response_length=0, context={},
            exception=RuntimeError(problem) if problem else None,
        )  # fmt: skip

    World.live.on_measured = measured
    environment.events.test_start.add_listener(_let_visit)
    environment.events.test_stop.add_listener(_end_visits)
    gevent.spawn(_show_media, measured)


def _let_visit(environment: Any, **_: Any) -> None:
    """Visits begin a while after the start button, when the visitors have their accounts."""
    World.visits.plan(VISITS_PER_S, ACCOUNTS_S)


def _end_visits(environment: Any, **_: Any) -> None:
    """No visits while nobody is there to make them."""
    World.visits.plan(0.0, 0.0)


def _show_media(measured: Any) -> None:
    """Once a second, the round of each live session: how long ago the quieter end last heard something."""
    while True:
        gevent.sleep(1.0)
        for session in list(World.live.sessions.values()):
            if session.media and session.media.heard_both_ways():
                heard = min(session.media.client.last_received_ns, session.media.host.last_received_ns)
                measured("silence now", (time.monotonic_ns() - heard) / 1e6, None)
