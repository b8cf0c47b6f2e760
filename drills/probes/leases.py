"""Leases asked for by nobody's session: which relay would a newcomer get now?

Ten leases a minute and name is the master's limit (contract-master-relay §6), so the sampler takes a fresh name every
few leases. The lease itself is thrown away; only the relay that it names is kept.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Generator
from dataclasses import dataclass

from drills.record import Journal
from drills.stage.base import Stage
from drills.wavry.errors import WireError
from drills.wavry.master import MasterSocket, RelayCredentials

LEASES_A_NAME = 5  # half the quota of one name
ANSWER_S = 1.0


@dataclass(frozen=True)
class GivenPair:
    """Both sides' credentials of one lease."""

    host: RelayCredentials
    client: RelayCredentials
    asked_ns: int


def given_leases(stage: Stage, journal: Journal, why: str) -> Generator[GivenPair | None, None, None]:
    """Endless leases, each with both sides' credentials; None where the master gave none. Each is an event."""
    url = f"ws://{stage.proxied('ends_to_master')}/ws"
    while True:
        try:
            with (
                MasterSocket.connect(url, timeout_s=ANSWER_S) as host,
                MasterSocket.connect(url, timeout_s=ANSWER_S) as client,
            ):
                yield from _with_names(host, client, journal, why)
        except WireError as error:
            journal.write("lease.none", why=why, reason=str(error))
            yield None


def _with_names(
    host: MasterSocket, client: MasterSocket, journal: Journal, why: str
) -> Generator[GivenPair | None, None, None]:
    host.bind(secrets.token_hex(16))
    name = client.bind(secrets.token_hex(16))
    client.send_candidate(name, "bound")  # comes back once the name is known: BIND itself has no answer (§2.10)
    client.receive(ANSWER_S)
    for _ in range(LEASES_A_NAME):
        asked_ns = time.monotonic_ns()
        host.request_relay(name)
        ours = host.receive(ANSWER_S)
        theirs = client.receive(ANSWER_S) if isinstance(ours, RelayCredentials) else None  # a refusal has one answer
        if not isinstance(ours, RelayCredentials) or not isinstance(theirs, RelayCredentials):
            journal.write("lease.none", why=why, reason=f"answered {type(ours).__name__}")
            yield None
            return
        journal.write("lease.given", session=None, relay_id=ours.relay_id, cause=why, asked_ns=asked_ns,
                      given_ns=time.monotonic_ns())  # fmt: skip
        yield GivenPair(ours, theirs, asked_ns)
