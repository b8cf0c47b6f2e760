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

SLOW_S = 1.0  # of the defects slow_auth and database_stays_slow


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
    totp_key_lost: bool = False  # only for the defect restored_totp_key_lost
    newer_was_here: bool = False  # only for the defect database_stays_slow
    restarted: bool = False  # for the defects that show after a restart
    unrevoked: set[str] = field(default_factory=set)  # only for the defect gateway_revives_revoked
    shut_out: dict[str, float] = field(default_factory=dict)  # until when, for the defect gateway_drops_sockets

    def __post_init__(self) -> None:
        settings = self.settings
        self.log.hushed = self.defects.on("gateway_hides_database_trouble")
        self.limiters = Limiters(settings.rates)
        self.counters = AuthCounters()
        newer_forgotten = self.defects.on("gateway_forgets_newer_socket")
        self.switchboard = Switchboard(settings.sockets_max, settings.sockets_per_ip_max, newer_forgotten)
        ttl_s = self.timers.scaled(settings.relay_session_ttl_s)
        self.relay_sessions = RelaySessions(ttl_s, settings.relay_sessions_max)
        key_b64 = "" if self.totp_key_lost else settings.totp_key_b64
        self.vault = Vault(key_b64, settings.plain_totp_allowed, in_plain=self.defects.on("totp_secrets_in_plain"))
        self.started_s = self.clock.monotonic()
        self.health = DatabaseHealth(self.started_s)

    @property
    def login_held_s(self) -> float:
        """How long a login is held up: not at all, but for two defects."""
        stays_slow = self.newer_was_here and self.defects.on("database_stays_slow")
        return SLOW_S if stays_slow or self.defects.on("slow_auth") else 0.0

    @property
    def session_life(self) -> timedelta:
        """For how long a token is good."""
        return FORGOTTEN_AFTER if self.defects.on("gateway_forgets_tokens_early") else SESSION_LIFE


GATEWAY = web.AppKey("gateway", Gateway)
