"""The seven relay states, and which of them an operator's word holds in place."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Spelt exactly as on the wire (contract §2.6)."""

    NEW = "New"
    PROBATION = "Probation"
    ACTIVE = "Active"
    DEGRADED = "Degraded"
    DRAINING = "Draining"
    QUARANTINED = "Quarantined"
    BANNED = "Banned"


# Set by an operator, these stay until an operator sets another one (intended; D-03, D-04, D-44).
HELD = frozenset({State.DRAINING, State.QUARANTINED, State.BANNED})
# A relay in one of these gets no new lease (contract §2.8).
NOT_SELECTABLE = frozenset({State.DRAINING, State.QUARANTINED, State.BANNED})


def state_for_load(load_pct: float) -> State:
    """The state that a heartbeat with this load gives a relay that is not held (contract §2.7)."""
    if load_pct >= 95:
        return State.DEGRADED
    return State.PROBATION if load_pct >= 85 else State.ACTIVE
