"""The parts of a reference master that its tests put together, each with the defaults of a sound one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from drills.reference.defects import Defects
from drills.reference.master.clock import Moment
from drills.reference.master.master import Master
from drills.reference.master.memory import Memory
from drills.reference.master.registry import Registration, Registry
from drills.reference.master.settings import Listen, Origins, Settings, plain_origin
from drills.reference.master.signer import Signer
from drills.reference.master.states import State
from drills.reference.timers import Timers
from drills.wavry.lease import SigningKey

KEY = SigningKey(b"\x07" * 32)
WALL = datetime(2026, 1, 1, tzinfo=UTC)
ADMIN_TOKEN = "a" * 32


def at(steady_s: float) -> Moment:
    """The moment so many seconds into the test."""
    return Moment(steady_s, WALL + timedelta(seconds=steady_s))


def registry(*defects: str, memory: Memory | None = None, divisor: float = 1.0) -> Registry:
    """A registry that knows no relay yet."""
    return Registry(Timers(divisor), memory or Memory(), Defects.parse(defects))


def relay(relay_id: str, *endpoints: str, **said: Any) -> Registration:
    """A registration; without endpoints on a machine of its own."""
    return Registration(relay_id, endpoints or (f"{relay_id}.example:4000",), **said)


def state_of(known: Registry, relay_id: str) -> State | None:
    """The state in the list of relays, or None for a relay that is not in it."""
    return next((each.state for each in known.relays() if each.said.relay_id == relay_id), None)


def names(known: Registry, now_s: float) -> set[str]:
    """The relays that may be handed out."""
    return {candidate.relay_id for candidate in known.selectable(now_s)}


def signer(*, provisioned: bool = True) -> Signer:
    """The key of the contract's vectors."""
    return Signer(KEY, KEY.key_id, provisioned, timedelta(seconds=900))


def settings(**told: Any) -> Settings:
    """Settings as by default, with an admin token."""
    origins = Origins(frozenset({plain_origin("http://localhost:1420")}))
    return Settings(**{"listen": Listen("127.0.0.1", 0), "log_level": "info", "origins": origins, **told})


def master(*defects: str, memory: Memory | None = None, provisioned: bool = True, **told: Any) -> Master:
    """A whole master, its draws repeatable."""
    return Master.assembled(
        settings(**told),
        Timers(),
        signer(provisioned=provisioned),
        memory or Memory(),
        Defects.parse(defects),
        Random(7),
    )
