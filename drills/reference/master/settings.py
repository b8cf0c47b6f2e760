"""What the master was told by its command line and environment, read once at start (contract §2.1, §2.2).

Same words as wavry-master's, plus ours: ``DRILLS_MASTER_STATE_FILE``. Every refusal is one clear line and exit
code 1, also a bad key, where Wavry's master panics with 101.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

from drills.reference.master.log import LEVELS
from drills.reference.master.signer import Signer
from drills.wavry.lease import SigningKey

DEFAULT_ORIGINS = "http://localhost:1420,http://127.0.0.1:1420,tauri://localhost"
DEFAULT_TTL_S = 900
TTL_S_MIN, TTL_S_MAX = 60, 3600
ADMIN_TOKEN_BYTES_MIN = 32
STATE_FILE_VARIABLE = "DRILLS_MASTER_STATE_FILE"
_TRUE = frozenset({"1", "true", "yes", "on"})


class StartRefused(Exception):
    """The master does not start; the message is for the operator and holds no secret."""


@dataclass(frozen=True)
class Listen:
    """Where to listen; port 0 asks for any."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Origins:
    """Which web pages may call, and who may open a WebSocket (contract §2.10)."""

    allowed: frozenset[str]
    any_for_cors: bool = False
    required: bool = True
    missing_allowed: bool = False

    def may_open(self, origin: str | None) -> bool:
        """The upgrade rule: an Origin that is present must be on the list even where none is required."""
        if origin is None:
            return self.missing_allowed or not self.required
        return plain_origin(origin) in self.allowed


@dataclass(frozen=True)
class Settings:
    """Everything but the signing key."""

    listen: Listen
    log_level: str
    origins: Origins
    relay_token: str | None = field(default=None, repr=False)
    admin_token: str | None = field(default=None, repr=False)
    state_file: Path | None = None


def read(arguments: Sequence[str], environment: Mapping[str, str], *, in_container: bool) -> Settings:
    """The settings; raises StartRefused. A flag that is not understood ends the process with 2, as clap does."""
    flags = _parser().parse_args(arguments)
    listen = _listen(flags.listen)
    _check_bind(listen, environment, in_container)
    admin = environment.get("ADMIN_PANEL_TOKEN", "")
    state_file = environment.get(STATE_FILE_VARIABLE, "")
    return Settings(
        listen,
        _log_level(flags.log_level, environment.get("RUST_LOG", "")),
        _origins(environment),
        relay_token=environment.get("WAVRY_MASTER_RELAY_AUTH_TOKEN", "").strip() or None,
        admin_token=admin if len(admin.encode()) >= ADMIN_TOKEN_BYTES_MIN else None,
        state_file=Path(state_file) if state_file else None,
    )


def signer(environment: Mapping[str, str]) -> Signer:
    """The signing key and what goes with it; a random key, not provisioned, if none is given. Raises StartRefused."""
    text = _key_text(environment)
    try:
        key = SigningKey.generate() if text is None else SigningKey.from_hex(text)
    except ValueError as error:
        raise StartRefused(f"bad signing key: {error}") from None
    named = environment.get("WAVRY_MASTER_KEY_ID", "")
    return Signer(
        key,
        key_id=named if named.strip() else key.key_id,
        provisioned=text is not None,
        lease_ttl=timedelta(seconds=_ttl_s(environment.get("WAVRY_MASTER_LEASE_TTL_SECS", ""))),
    )


def plain_origin(origin: str) -> str:
    """An origin as the list compares it."""
    return origin.strip().rstrip("/").lower()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("wavry-master", description="The reference master.", allow_abbrev=False)
    parser.add_argument("--listen", default="127.0.0.1:8080", help="IP:port (127.0.0.1:8080)")
    parser.add_argument("--log-level", default="info", help="used unless RUST_LOG names a level (info)")
    parser.add_argument("--insecure-dev", action="store_true", help="accepted and without effect")
    return parser


def _listen(text: str) -> Listen:
    host, _, port = text.rpartition(":")
    if ":" in host:  # an IPv6 address has brackets
        host = host[1:-1] if host.startswith("[") and host.endswith("]") else ""
    try:
        listen = Listen(str(ip_address(host)), int(port))
    except ValueError:
        listen = Listen("", -1)
    if not 0 <= listen.port <= 65535 or not port.isascii() or not port.isdigit():
        raise StartRefused(f"invalid --listen address: expected IP:port, found {text!r}")
    return listen


def _check_bind(listen: Listen, environment: Mapping[str, str], in_container: bool) -> None:
    if ip_address(listen.host).is_loopback:
        return
    needed = ["WAVRY_MASTER_ALLOW_PUBLIC_BIND"] + ([] if in_container else ["WAVRY_MASTER_ALLOW_HOST_PROD_BIND"])
    for variable in needed:
        if not _flag(environment, variable, default=False):
            raise StartRefused(f"refusing non-loopback master bind without {variable}=1")


def _flag(environment: Mapping[str, str], variable: str, *, default: bool) -> bool:
    """Contract §2.2: any set value that does not mean yes means no, also an empty one."""
    value = environment.get(variable)
    return default if value is None else value.strip().lower() in _TRUE


def _origins(environment: Mapping[str, str]) -> Origins:
    listed = environment.get("WAVRY_MASTER_ALLOWED_ORIGINS", DEFAULT_ORIGINS).split(",")
    allowed = frozenset(plain_origin(entry) for entry in listed if entry.strip())
    if "*" in allowed:
        raise StartRefused("WAVRY_MASTER_ALLOWED_ORIGINS cannot hold *; see WAVRY_MASTER_CORS_ALLOW_ANY")
    return Origins(
        allowed,
        any_for_cors=_flag(environment, "WAVRY_MASTER_CORS_ALLOW_ANY", default=False),
        required=_flag(environment, "WAVRY_MASTER_WS_REQUIRE_ORIGIN", default=True),
        missing_allowed=_flag(environment, "WAVRY_MASTER_WS_ALLOW_MISSING_ORIGIN", default=False),
    )


def _key_text(environment: Mapping[str, str]) -> str | None:
    """The variable wins over the file and is not trimmed: an empty one is a bad key, not an absent one."""
    if "WAVRY_MASTER_SIGNING_KEY" in environment:
        return environment["WAVRY_MASTER_SIGNING_KEY"]
    if "WAVRY_MASTER_KEY_FILE" not in environment:
        return None
    path = Path(environment["WAVRY_MASTER_KEY_FILE"])
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise StartRefused(f"cannot read the key file {path}: {type(error).__name__}") from None


def _ttl_s(text: str) -> int:
    plain = text.isascii() and text.isdigit() and len(text) < 20
    return min(max(int(text), TTL_S_MIN), TTL_S_MAX) if plain else DEFAULT_TTL_S


def _log_level(flag: str, rust_log: str) -> str:
    """RUST_LOG beats the flag where it is one plain level; its filter language is not read."""
    return next((word for word in (rust_log.strip().lower(), flag.lower()) if word in LEVELS), "info")
