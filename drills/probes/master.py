"""The master as it says it is: healthy, ready, which key it signs with, which relays it lists; one look is one event.

The list is read just before and just after ``/ready``, so that what changed in between can excuse neither answer.
"""

from __future__ import annotations

import time

from drills.probes.relays import listed
from drills.record import Journal
from drills.stage.base import Stage
from drills.wavry.errors import WireError
from drills.wavry.master import MasterHttp

EVERY_S = 0.25
TIMEOUT_S = 1.5


class MasterLooks:
    """Somebody who looks at the master, past the proxies; not shared between threads."""

    def __init__(self, stage: Stage, journal: Journal) -> None:
        self.journal = journal
        self.master = MasterHttp(stage.http("master"), timeout_s=TIMEOUT_S)

    def look(self) -> dict[str, int] | None:
        """One look: ``master.seen``, or ``master.silent`` with the reason; the age in ms of every relay it lists."""
        asked_ns = time.monotonic_ns()
        try:
            health, before = self.master.health(), self.master.relays()
            ready, after, identity = self.master.ready(), self.master.relays(), self.master.identity()
        except WireError as error:
            self.journal.write("master.silent", asked_ns=asked_ns, reason=str(error))
            return None
        self.journal.write(
            "master.seen", asked_ns=asked_ns, status=health.status, uptime_s=health.uptime_s, ready=ready.ready,
            relays_assignable=ready.relays_assignable, before=listed(before), after=listed(after),
            key_id=identity.key_id, public_key=identity.public_key.hex(),
        )  # fmt: skip
        return {relay.relay_id: relay.last_seen_ms_ago for relay in after} if health.status == "ok" else None

    def close(self) -> None:
        """Hang up."""
        self.master.close()
