"""Relays as the master lists them and as they tell of themselves."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

from drills.stage.base import Stage
from drills.wavry.errors import WireError
from drills.wavry.master import MasterHttp, RelayRecord
from drills.wavry.relay import RelayHttp

PROBE_TIMEOUT_S = 2.0


def current_relay_id(stage: Stage, service: str) -> str:
    """The id of the relay process that runs now, from its own /health; remembered for as long as it runs.

    Raises WireError while the relay has no health port (contract-master-relay §3.2).
    """
    held = stage.services[service]
    if not held.relay_id:
        with RelayHttp(stage.http(service), timeout_s=PROBE_TIMEOUT_S) as relay:
            held.relay_id = relay.health().relay_id
    return held.relay_id


def state_of(master: MasterHttp, relay_id: str) -> str | None:
    """The state in which the master lists a relay; None where it does not know it, or did not answer."""
    try:
        found = [record.state for record in master.relays() if record.relay_id == relay_id]
    except WireError:
        return None
    return str(found[0]) if found else None


def listed(relays: Iterable[RelayRecord]) -> list[dict[str, Any]]:
    """The master's list of relays as it stands in the journal."""
    return [{"relay_id": relay.relay_id, "state": str(relay.state), "age_ms": relay.last_seen_ms_ago,
             "load_pct": relay.load_percent} for relay in relays]  # fmt: skip


def service_of(stage: Stage, relay_id: str) -> str:
    """The service whose running relay has this id; empty where none of those that tell their id does."""
    for name in stage.relays():
        with contextlib.suppress(WireError):
            if current_relay_id(stage, name) == relay_id:
                return name
    return ""


def says_ready(stage: Stage, service: str) -> bool | None:
    """What the relay's own /ready says; None where it does not answer."""
    try:
        with RelayHttp(stage.http(service), timeout_s=PROBE_TIMEOUT_S) as relay:
            return relay.ready().ready
    except WireError:
        return None
