"""One running gateway: everything its routes, sockets and upkeep share."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from aiohttp import web

from drills.reference.defects import Defects
from drills.reference.gateway.accounts import FORGOTTEN_AFTER, SESSION_LIFE
from drills.reference.gateway.database import Database
from drills.reference.gateway.health import DatabaseHealth
from drills.reference.gateway.limiter import Limiter
from drills.reference.gateway.log import Log
from drills.reference.gateway.passwords import Passwords
from drills.reference.gateway.refusal import AuthCounters
from drills.reference.gateway.relay_sessions import RelaySessions
from drills.reference.gateway.settings import Rates, Settings
from drills.reference.gateway.switchboard import Switchboard
from drills.reference.gateway.totp import Vault
from drills.reference.timers import Timers


def _utc() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Clock:
    """Where the time comes from: the wall for what is stored, the monotonic clock for everything in memory."""

    utc: Callable[[], datetime] = _utc
    monotonic: Callable[[], float] = time.monotonic


@dataclass(frozen=True)
class SocketTimes:
    """The times of one WebSocket in seconds; the bind deadline is Wavry's, the ping is intended (D15)."""

    bind_s: float = 10.0
    ping_s: float = 30.0
    pong_s: float = 10.0

    @classmethod
    def paced(cls, timers: Timers) -> SocketTimes:
        """These times at a pace; the bind deadline never changes."""
        return cls(cls.bind_s, timers.scaled(cls.ping_s), timers.scaled(cls.pong_s))


class Limiters:
    """The five limiters of contract §2.5."""

    def __init__(self, rates: Rates) -> None:
        self.auth = Limiter(rates.auth)
        self.post_auth = Limiter(rates.post_auth)
        self.webrtc = Limiter(rates.webrtc)
        self.ws_bind = Limiter(rates.ws_bind)
        self.everything = Limiter(rates.everything)


@dataclass
class Gateway:
    """The parts of one gateway."""

    settings: Settings
    database: Database
    passwords: Passwords = field(default_factory=Passwords)
    defects: Defects = field(default_factory=Defects)
    timers: Timers = field(default_factory=Timers)
    clock: Clock = field(default_factory=Clock)
    log: Log = field(default_factory=Log)
    socket_times: SocketTimes = field(default_factory=SocketTimes)
    signaling_url: str = ""
    offers_seen: int = 0  # only for the defect gateway_loses_one_offer_in_ten
    shut_out: dict[str, float] = field(default_factory=dict)  # until when, for the defect gateway_drops_sockets

    def __post_init__(self) -> None:
        settings = self.settings
        self.limiters = Limiters(settings.rates)
        self.counters = AuthCounters()
        self.switchboard = Switchboard(settings.sockets_max, settings.sockets_per_ip_max)
        ttl_s = self.timers.scaled(settings.relay_session_ttl_s)
        self.relay_sessions = RelaySessions(ttl_s, settings.relay_sessions_max)
        self.vault = Vault(settings.totp_key_b64, settings.plain_totp_allowed)
        self.health = DatabaseHealth(self.clock.monotonic())

    @property
    def session_life(self) -> timedelta:
        """For how long a token is good."""
        return FORGOTTEN_AFTER if self.defects.on("gateway_forgets_tokens_early") else SESSION_LIFE


GATEWAY = web.AppKey("gateway", Gateway)
