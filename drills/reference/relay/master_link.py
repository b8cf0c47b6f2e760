"""The calls a relay makes to its master: registering until it works, then a heartbeat every few seconds.

Every call is bounded by two heartbeats, so a stopped master is a failed heartbeat and not a hung relay (D-24). Beats
that were missed meanwhile are not made up for. The data plane never waits for any of this.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from drills.reference.defects import Defects
from drills.reference.relay.admission import Keys
from drills.reference.relay.log import log
from drills.reference.relay.membership import (
    DrainWatch,
    ForeignMaster,
    Membership,
    Registration,
    back_off_s,
    parse_registration,
    trusted,
)
from drills.reference.relay.options import HostPort, Options
from drills.reference.relay.pipeline import Pipeline
from drills.reference.timers import Timers
from drills.wavry.lease import SigningKey

IMPATIENT_S = 0.4  # of the defect relay_times_out_early
# of the defect relay_stops_without_master: whether a beat meets a master that is away for less than one is chance
MUTE_BEATS = 3


class CallFailed(Exception):
    """A call brought no answer that could be read; says why."""


class MasterLink:
    """One relay's line to its master."""

    def __init__(
        self,
        relay_id: str,
        options: Options,
        timers: Timers,
        pipeline: Pipeline,
        membership: Membership,
        on_drain: Callable[[], None],
        defects: Defects,
    ) -> None:
        self._relay_id = relay_id
        self._options = options
        self._timers = timers
        self._pipeline = pipeline
        self._membership = membership
        self._on_drain = on_drain
        self._defects = defects
        self._drain = DrainWatch()
        self._mute_until = 0.0  # of the event loop's clock; only ever by the defect relay_stops_without_master
        self._interval_s = timers.heartbeat_s
        headers = {"Authorization": f"Bearer {token}"} if (token := options.master_auth_token) else {}
        # trust_env stays off: a proxy of the environment must never see these calls
        self._http = aiohttp.ClientSession(
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=_patience_s(timers, defects)),
        )

    async def close(self) -> None:
        """Let go of the connection."""
        await self._http.close()

    async def join(self, listening: HostPort) -> None:
        """Register, trying for ever (contract §3.4).

        A master that signs with another key than the explicit one raises ForeignMaster if this is the first
        registration; later, there are sessions to keep, so it is logged and retried like any failure.
        """
        attempt = 0
        while True:
            try:
                await self._check_identity()
                registration = await self._register(listening)
                self._pipeline.desk.keys = self._keys_after(registration)
            except ForeignMaster as foreign:
                if self._pipeline.desk.keys is None:
                    raise
                log.error("%s; this relay stays unready", foreign)
            except CallFailed as failed:
                log.error("%s", failed)
            else:
                self._interval_s = registration.interval_s(self._timers)
                self._membership.joined()
                self._mute()
                return
            await asyncio.sleep(back_off_s(attempt, self._timers, random.random()))
            attempt += 1

    async def _check_identity(self) -> None:
        """A master that signs with another key than the explicit one must not even list this relay (D-05).

        Every lease that names it would be refused here, and the master would think it had a relay to lend. One that
        does not tell its key is taken at its registration answer.
        """
        expected = self._options.master_public_key
        if expected is None or self._keeps_old_key:
            return
        status, text = await self._reached("GET", "/.well-known/wavry-id")
        answer = _json_or_none(text) if status == HTTPStatus.OK else None
        told = answer.get("public_key") if isinstance(answer, dict) else None
        if isinstance(told, str) and told.lower() != expected.hex():
            raise ForeignMaster("the master's public key is not the one given with --master-public-key")

    @property
    def _keeps_old_key(self) -> bool:
        return self._pipeline.desk.keys is not None and self._defects.on("relay_ignores_new_key")

    def _keys_after(self, registration: Registration) -> Keys:
        """What leases are checked with from now on; other keys than the trusted ones only by a defect."""
        before = self._pipeline.desk.keys
        if before is not None and self._defects.on("relay_ignores_new_key"):
            return before
        if before is not None and self._defects.on("relay_refuses_leases_after_rejoining"):
            return Keys(SigningKey.generate().public_key)
        return trusted(registration, self._options.master_public_key)

    def _mute(self) -> None:
        if not self._defects.on("relay_stops_without_master"):
            return
        loop = asyncio.get_running_loop()
        if not self._membership.registered:
            self._mute_until = loop.time() + MUTE_BEATS * self._interval_s
        self._pipeline.mute = loop.time() < self._mute_until

    @property
    def interval_ms(self) -> int:
        """The period of heartbeats now in force."""
        return round(self._interval_s * 1000)

    async def beat_for_ever(self, listening: HostPort) -> None:
        """Heartbeats, the first one at once; registers again where contract §3.5 says so."""
        loop = asyncio.get_running_loop()
        joined_at = loop.time() - self._interval_s
        while not self._membership.silent:
            begun = loop.time()
            status = await self._beat()
            rejoins = self._membership.must_rejoin_after(status)
            self._mute()
            if rejoins:
                _log_rejoin(status, self._membership.failures)
                # at once, but not in a tight loop where a master forgets whom it has just registered
                await asyncio.sleep(joined_at + self._interval_s - loop.time())
                await self.join(listening)
                joined_at = loop.time()
                log.info("relay re-registered with master; heartbeat interval now %dms", self.interval_ms)
            else:
                await asyncio.sleep(begun + self._interval_s - loop.time())

    async def _beat(self) -> int | None:
        """One heartbeat; its status, or None when there was no answer."""
        body = {"relay_id": self._relay_id, "load_pct": float(self._pipeline.pool.load_percent)}
        try:
            status, text = await self._post("/v1/relays/heartbeat", body)
        except CallFailed as failed:
            log.warning("relay heartbeat request failed: %s", failed)
            return None
        if not 200 <= status < 300:
            log.warning("relay heartbeat failed with status %s", _status_line(status))
        elif self._drain.begins(_json_or_none(text)):
            log.info("the master is draining this relay")
            self._on_drain()
        return status

    async def _register(self, listening: HostPort) -> Registration:
        """One try to register; anything but a readable yes raises CallFailed."""
        body = {
            "relay_id": self._relay_id,
            "endpoints": [str(await reachable(listening, self._options.master_url))],
            "region": self._options.region,
            "asn": self._options.asn,
            "max_sessions": self._options.limits.sessions_max,
            "max_bitrate_kbps": self._options.max_bitrate_kbps,
            "features": ["ipv4"],
        }
        status, text = await self._reached("POST", "/v1/relays/register", body)
        if not 200 <= status < 300:
            raise CallFailed(f"master registration failed with status: {_status_line(status)}")
        try:
            return parse_registration(_json_or_none(text))
        except ValueError as unreadable:
            raise CallFailed(f"master registration failed: {unreadable}") from unreadable

    async def _reached(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, str]:
        """A call on the way to being registered."""
        try:
            return await self._call(method, path, body)
        except CallFailed as failed:
            raise CallFailed(f"failed to connect to master: {failed}") from failed

    async def _post(self, path: str, body: dict[str, Any]) -> tuple[int, str]:
        return await self._call("POST", path, body)

    async def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, str]:
        """Status and text of one call; no answer within two heartbeats raises CallFailed."""
        url = self._options.master_url + path
        try:
            async with self._http.request(method, url, json=body, allow_redirects=False) as answer:
                return answer.status, await answer.text(errors="replace")
        except TimeoutError as late:
            raise CallFailed(f"no answer within {self._timers.heartbeat_timeout_s:g} s") from late
        except (aiohttp.ClientError, OSError) as broken:
            raise CallFailed(str(broken) or type(broken).__name__) from broken


def _patience_s(timers: Timers, defects: Defects) -> float | None:
    """How long an answer is waited for; None for ever, which only a defect does."""
    if defects.on("relay_waits_for_ever"):
        return None
    return IMPATIENT_S if defects.on("relay_times_out_early") else timers.heartbeat_timeout_s


async def reachable(listening: HostPort, master_url: str) -> HostPort:
    """The bound address; for a wildcard, the one this machine has on the way to the master (D-07)."""
    if not listening.is_wildcard:
        return listening
    master = urlsplit(master_url)
    family = socket.AF_INET6 if ":" in listening.host else socket.AF_INET
    try:
        found = await asyncio.get_running_loop().getaddrinfo(master.hostname, master.port or 80, family=family)
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect(found[0][4])  # sends nothing; it only makes the kernel choose an address
            return HostPort(probe.getsockname()[0], listening.port)
    except OSError:
        return listening


def _log_rejoin(status: int | None, failures: int) -> None:
    if status is None:
        log.warning("attempting relay re-registration after heartbeat transport errors (failures=%d)", failures)
    else:
        log.warning(
            "attempting relay re-registration after heartbeat failure (status=%s, failures=%d)",
            _status_line(status),
            failures,
        )


def _status_line(status: int) -> str:
    """`404 Not Found`; a number without a name stands alone."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _json_or_none(text: str) -> object:
    try:
        parsed: object = json.loads(text)
    except ValueError:
        return None
    return parsed
