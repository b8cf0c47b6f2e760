"""The command line and environment of a relay: Wavry's own (contract §3.1), so that either program fits a stage.

Differences, all in docs/contract.md: booleans take the usual eight words (D-22), an empty variable counts as unset,
and a key is read before anything is bound, so that a bad one leaves no ghost at the master (D-21).
"""

from __future__ import annotations

import argparse
import ipaddress
import logging
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from drills.reference.relay.pipeline import Limits
from drills.reference.timers import Timers

TRUE_WORDS = frozenset({"1", "true", "yes", "on"})
FALSE_WORDS = frozenset({"0", "false", "no", "off"})
INSECURE_VARIABLE = "WAVRY_RELAY_ALLOW_INSECURE_DEV"
LOG_LEVELS = {"trace": 5, "debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}


@dataclass(frozen=True)
class HostPort:
    """A numeric address to listen on; names are refused, as Wavry refuses them."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return ipaddress.ip_address(self.host).is_loopback

    @property
    def is_wildcard(self) -> bool:
        """Whether it means every address of the machine, and so is no address to be reached at."""
        return ipaddress.ip_address(self.host).is_unspecified


@dataclass(frozen=True)
class Options:
    """What a relay was started with."""

    listen: HostPort
    health_listen: HostPort
    master_url: str
    limits: Limits
    cleanup_s: float
    stats_s: float
    max_bitrate_kbps: int
    log_level: int
    region: str | None = None
    asn: int | None = None
    master_public_key: bytes | None = None
    master_auth_token: str | None = field(default=None, repr=False)


def parse_options(arguments: Sequence[str], environment: Mapping[str, str], timers: Timers) -> Options:
    """The options; anything not understood is told on stderr and exits 2, as Wavry's parser does."""
    parser = _parser(environment)
    parsed = parser.parse_args(arguments)
    insecure = environment.get(INSECURE_VARIABLE) or "0"
    if insecure.strip().lower() not in TRUE_WORDS | FALSE_WORDS:
        parser.error(f"{INSECURE_VARIABLE}: expected 0/1/true/false/yes/no/on/off, found {insecure!r}")
    limits = Limits(
        sessions_max=parsed.max_sessions,
        shed_percent=parsed.load_shed_threshold_pct,
        lease_s=timers.scaled(max(parsed.lease_duration_secs, 1)),
        idle_s=timers.scaled(parsed.idle_timeout),
        address_pps=max(parsed.ip_rate_limit_pps, 1),
        identity_pps=max(parsed.identity_rate_limit_pps, 1),
        queue_capacity=max(parsed.packet_queue_capacity, 64),
    )
    return Options(
        listen=parsed.listen,
        health_listen=parsed.health_listen,
        master_url=parsed.master_url.rstrip("/"),
        limits=limits,
        cleanup_s=timers.scaled(max(parsed.cleanup_interval_secs, 1)),
        stats_s=float(max(parsed.stats_log_interval_secs, 5)),
        max_bitrate_kbps=parsed.max_bitrate_kbps,
        log_level=parsed.log_level,
        region=parsed.region,
        asn=parsed.asn,
        master_public_key=parsed.master_public_key,
        master_auth_token=parsed.master_auth_token,
    )


def bind_refusal(options: Options, environment: Mapping[str, str] = os.environ) -> str | None:
    """Why these addresses may not be bound, or None (contract §3.1): off loopback, permission must be given."""
    if options.listen.is_loopback and options.health_listen.is_loopback:
        return None
    if not _is_true(environment, "WAVRY_RELAY_ALLOW_PUBLIC_BIND"):
        return "binding an address that is not loopback needs WAVRY_RELAY_ALLOW_PUBLIC_BIND=1"
    if not _in_container(environment) and not _is_true(environment, "WAVRY_RELAY_ALLOW_HOST_PROD_BIND"):
        return "outside a container, binding a public address also needs WAVRY_RELAY_ALLOW_HOST_PROD_BIND=1"
    return None


def _is_true(environment: Mapping[str, str], variable: str) -> bool:
    return environment.get(variable, "").strip().lower() in TRUE_WORDS


def _in_container(environment: Mapping[str, str]) -> bool:
    marks = (Path("/.dockerenv"), Path("/run/.containerenv"))
    return "container" in environment or any(mark.exists() for mark in marks)


def _parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m drills.reference.relay", description="The reference relay.", allow_abbrev=False
    )

    def option(flag: str, read: Callable[[str], object], default: str | None, variable: str = "") -> None:
        """One flag with its environment twin; argparse reads a default that is text as if it had been typed."""
        parser.add_argument(flag, type=read, default=environment.get(variable) or default, help=variable or None)

    option("--listen", _address, "0.0.0.0:4000", "WAVRY_RELAY_LISTEN")
    option("--master-url", str, "http://localhost:8080", "WAVRY_MASTER_URL")
    option("--max-sessions", _number, "100")
    option("--idle-timeout", _number, "60")
    option("--master-public-key", _public_key, None, "WAVRY_RELAY_MASTER_PUBLIC_KEY")
    option("--master-auth-token", _token, None, "WAVRY_RELAY_MASTER_TOKEN")
    option("--log-level", _log_level, "info")
    option("--ip-rate-limit-pps", _number, "1000", "WAVRY_RELAY_IP_RATE_LIMIT_PPS")
    option("--identity-rate-limit-pps", _number, "200", "WAVRY_RELAY_IDENTITY_RATE_LIMIT_PPS")
    option("--packet-queue-capacity", _number, "2048", "WAVRY_RELAY_PACKET_QUEUE_CAPACITY")
    option("--cleanup-interval-secs", _number, "10")
    option("--lease-duration-secs", _number, "300")
    option("--stats-log-interval-secs", _number, "30")
    option("--load-shed-threshold-pct", _number, "95")
    option("--health-listen", _address, "127.0.0.1:9091", "WAVRY_RELAY_HEALTH_LISTEN")
    option("--region", str, None, "WAVRY_RELAY_REGION")
    option("--asn", _number, None, "WAVRY_RELAY_ASN")
    option("--max-bitrate-kbps", _number, "20000", "WAVRY_RELAY_MAX_BITRATE")
    # without effect, as in Wavry (D-23): leases are always checked
    parser.add_argument("--allow-insecure-dev", action="store_true", help=INSECURE_VARIABLE)
    return parser


def _address(text: str) -> HostPort:
    host, colon, port = text.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        version = ipaddress.ip_address(bare).version
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a numeric IP:port, found {text!r}") from None
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535 or (version == 6) == (bare == host):
        raise argparse.ArgumentTypeError(f"expected a numeric IP:port, found {text!r}")
    return HostPort(bare, int(port))


def _number(text: str) -> int:
    """A u32, as Wavry's options are."""
    if not text.isascii() or not text.isdigit() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"expected a whole number below 2^32, found {text!r}")
    return int(text)


def _public_key(text: str) -> bytes:
    if not re.fullmatch(r"[0-9a-fA-F]{64}", text.strip()):
        raise argparse.ArgumentTypeError("expected a public key of 64 hex characters")
    return bytes.fromhex(text.strip())


def _token(text: str) -> str | None:
    """A bearer token; one that no header can carry is refused without being shown."""
    if not text.isascii() or not text.isprintable():
        raise argparse.ArgumentTypeError("expected a token of printable ASCII")
    return text.strip() or None


def _log_level(text: str) -> int:
    if text.lower() not in LOG_LEVELS:
        raise argparse.ArgumentTypeError(f"expected one of {', '.join(LOG_LEVELS)}, found {text!r}")
    return LOG_LEVELS[text.lower()]
