"""What the gateway was told by its environment, read once at start (contract §1.2).

Wavry reads many of these anew on every request; here a change takes a restart, so that a run's settings are those
written in its provenance. ``.env`` files, ``RUST_LOG`` and the UDP relay's variables are not read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

DEFAULT_ORIGINS = (
    "http://localhost:1420",
    "http://127.0.0.1:1420",
    "http://localhost:3000",
    "http://127.0.0.1:3000",
    "tauri://localhost",
)
ADMIN_TOKEN_BYTES_MIN = 32


@dataclass(frozen=True)
class Rate:
    """One fixed-window limiter: so many requests in a window, for so many keys at once."""

    limit: int
    window_s: float
    keys_max: int


@dataclass(frozen=True)
class Rates:
    """The five limiters with the defaults of contract §2.5."""

    auth: Rate = Rate(20, 60, 10_000)
    post_auth: Rate = Rate(60, 60, 50_000)
    webrtc: Rate = Rate(120, 60, 50_000)
    ws_bind: Rate = Rate(10, 60, 50_000)
    everything: Rate = Rate(600, 60, 200_000)  # WAVRY_GLOBAL_RATE_*

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Rates:
        """The limiters as set by ``WAVRY_{AUTH,POST_AUTH,WEBRTC,WS_BIND,GLOBAL}_RATE_*``."""

        def rate(name: str, default: Rate) -> Rate:
            return Rate(
                integer(environment, f"WAVRY_{name}_RATE_LIMIT", default.limit),
                integer(environment, f"WAVRY_{name}_RATE_WINDOW_SECS", int(default.window_s)),
                integer(environment, f"WAVRY_{name}_RATE_MAX_KEYS", default.keys_max),
            )

        return cls(
            rate("AUTH", cls.auth),
            rate("POST_AUTH", cls.post_auth),
            rate("WEBRTC", cls.webrtc),
            rate("WS_BIND", cls.ws_bind),
            rate("GLOBAL", cls.everything),
        )


@dataclass(frozen=True)
class Settings:
    """The gateway's settings; the defaults are Wavry's."""

    database_url: str = "sqlite:gateway.db"
    bind_addr: str = "127.0.0.1:3000"
    public_bind: bool = False
    host_prod_bind: bool = False
    in_container: bool = False
    relay_public_addr: str = "127.0.0.1:3478"
    relay_session_ttl_s: float = 300.0
    relay_sessions_max: int = 4096
    signaling_url: str = ""
    origins: tuple[str, ...] = DEFAULT_ORIGINS
    cors_any: bool = False
    origin_required: bool = True
    origin_may_be_missing: bool = False
    sockets_max: int = 4096
    sockets_per_ip_max: int = 16
    trust_proxy: bool = False
    rates: Rates = field(default_factory=Rates)
    admin_token: str = field(default="", repr=False)
    totp_key_b64: str = field(default="", repr=False)
    plain_totp_allowed: bool = False

    @property
    def admin_enabled(self) -> bool:
        """Whether the admin API answers at all: its token has 32 bytes or more."""
        return len(self.admin_token.encode()) >= ADMIN_TOKEN_BYTES_MIN

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """The settings of this process; an unreadable number is its default, as in Wavry."""
        production = (
            boolean(environment, "WAVRY_ENVIRONMENT_PRODUCTION") or environment.get("WAVRY_ENVIRONMENT") == "production"
        )
        return cls(
            database_url=environment.get("DATABASE_URL", cls.database_url),
            bind_addr=environment.get("WAVRY_GATEWAY_BIND_ADDR", cls.bind_addr),
            public_bind=boolean(environment, "WAVRY_ALLOW_PUBLIC_BIND"),
            host_prod_bind=boolean(environment, "WAVRY_GATEWAY_ALLOW_HOST_PROD_BIND"),
            in_container=in_container(environment),
            relay_public_addr=environment.get("WAVRY_RELAY_PUBLIC_ADDR", cls.relay_public_addr),
            relay_session_ttl_s=max(30, integer(environment, "WAVRY_RELAY_SESSION_TTL_SECS", 300)),
            relay_sessions_max=integer(environment, "WAVRY_RELAY_SESSION_LIMIT", cls.relay_sessions_max),
            signaling_url=environment.get("WS_SIGNALING_URL", ""),
            origins=origins(environment.get("WAVRY_ALLOWED_ORIGINS", "")),
            cors_any=boolean(environment, "WAVRY_CORS_ALLOW_ANY"),
            origin_required=boolean(environment, "WAVRY_WS_REQUIRE_ORIGIN", True),
            origin_may_be_missing=boolean(environment, "WAVRY_WS_ALLOW_MISSING_ORIGIN"),
            sockets_max=integer(environment, "WAVRY_WS_MAX_CONNECTIONS", cls.sockets_max),
            sockets_per_ip_max=integer(environment, "WAVRY_WS_MAX_PER_IP", cls.sockets_per_ip_max),
            trust_proxy=boolean(environment, "WAVRY_TRUST_PROXY_HEADERS"),
            rates=Rates.from_environment(environment),
            admin_token=environment.get("ADMIN_PANEL_TOKEN", ""),
            totp_key_b64=environment.get("WAVRY_TOTP_KEY_B64", ""),
            plain_totp_allowed=boolean(environment, "WAVRY_ALLOW_INSECURE_TOTP") and not production,
        )


def boolean(environment: Mapping[str, str], name: str, default: bool = False) -> bool:
    """A boolean variable: ``1|true|yes|on`` in any case is true, anything else that is set is false."""
    value = environment.get(name)
    return default if value is None else value.strip().lower() in {"1", "true", "yes", "on"}


def integer(environment: Mapping[str, str], name: str, default: int) -> int:
    """A non-negative integer variable: plain decimal, untrimmed; anything else is the default."""
    value = environment.get(name, "")
    return int(value) if re.fullmatch(r"[0-9]{1,18}", value) else default


def origins(listed: str) -> tuple[str, ...]:
    """The allowed origins of a comma list, normalised; an empty list means the defaults."""
    return tuple(origin for origin in map(origin_form, listed.split(",")) if origin) or DEFAULT_ORIGINS


def origin_form(origin: str) -> str:
    """An Origin as it is compared: trimmed, without a trailing slash, lower-case (contract §5.1)."""
    return origin.strip().removesuffix("/").lower()


def in_container(environment: Mapping[str, str]) -> bool:
    """Whether this process runs in a container, by the three marks of contract §1.4."""
    return "container" in environment or Path("/.dockerenv").exists() or Path("/run/.containerenv").exists()
