"""A relay from start to end: the order of contract §3.2, and an end of its own on SIGTERM and SIGINT (D-06)."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from uuid import uuid4

from drills.reference.defects import Defects
from drills.reference.relay.health import Health, bound_tcp, serving
from drills.reference.relay.log import log
from drills.reference.relay.master_link import MasterLink
from drills.reference.relay.membership import ForeignMaster, Membership
from drills.reference.relay.options import HostPort, Options
from drills.reference.relay.pipeline import Pipeline
from drills.reference.relay.udp import UdpPort, bound_udp
from drills.reference.timers import Timers

VERSION = "reference-1"
LATE_HEARTBEATS = 16  # of the defect relay_returns_late


class CannotServe(Exception):
    """The relay cannot start or go on; the message is for the operator."""


@dataclass(frozen=True)
class Sockets:
    """Both ports of a relay, bound."""

    udp: socket.socket
    health: socket.socket

    def close(self) -> None:
        """Close both sockets."""
        self.udp.close()
        self.health.close()


async def run(options: Options, timers: Timers, defects: Defects) -> None:
    """Serve until SIGTERM or SIGINT; CannotServe where that is not possible."""
    log.info("Starting wavry-relay v%s", VERSION)
    sockets = _bound(options)
    relaying = asyncio.create_task(_relay(options, timers, defects, sockets))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _end, relaying, number.name)
    try:
        await relaying
    except asyncio.CancelledError:
        log.info("Shutdown complete")
    except ForeignMaster as foreign:
        raise CannotServe(str(foreign)) from foreign
    except OSError as broken:
        raise CannotServe(f"the UDP socket failed: {broken}") from broken
    finally:
        sockets.close()


def _end(relaying: asyncio.Task[None], signal_name: str) -> None:
    log.info("Received %s, initiating graceful shutdown...", signal_name)
    relaying.cancel()


def _bound(options: Options) -> Sockets:
    try:
        udp = bound_udp(options.listen)
    except OSError as taken:
        raise CannotServe(f"cannot listen on UDP {options.listen}: {taken.strerror}") from taken
    try:
        return Sockets(udp, bound_tcp(options.health_listen))
    except OSError as taken:
        udp.close()
        raise CannotServe(f"cannot listen on TCP {options.health_listen}: {taken.strerror}") from taken


async def _relay(options: Options, timers: Timers, defects: Defects, sockets: Sockets) -> None:
    """The life of a relay: register, then answer for health, beat, and carry datagrams."""
    listening = HostPort(*sockets.udp.getsockname()[:2])
    relay_id = str(uuid4())
    log.info("Relay listening on %s", listening)
    log.info("Relay ID: %s", relay_id)
    pipeline = Pipeline(relay_id, options.limits, defects)
    membership = Membership(defects)
    on_drain = pipeline.forget_all_sessions if defects.on("drain_cuts_sessions") else _keep_serving
    link = MasterLink(relay_id, options, timers, pipeline, membership, on_drain, defects)
    try:
        if defects.on("relay_returns_late"):
            await asyncio.sleep(LATE_HEARTBEATS * timers.heartbeat_s)
        log.info("Registering with Master at %s", options.master_url)
        await link.join(listening)
        log.info("Registered successfully. Heartbeat interval: %dms", link.interval_ms)
        health = Health(relay_id, pipeline, membership, time.monotonic())
        async with _answering(health, sockets.health), _carrying(sockets.udp, pipeline, defects) as port:
            await _together(
                port.until_broken(),
                link.beat_for_ever(listening),
                _every(options.cleanup_s, lambda: pipeline.sweep(time.monotonic())),
                _every(options.stats_s, lambda: log.info("relay stats: %s", _as_text(pipeline))),
            )
    finally:
        await link.close()
        log.info("final counters: %s", _as_text(pipeline))


def _keep_serving() -> None:
    """A drained relay keeps the sessions it has; it is only given no new ones."""


@asynccontextmanager
async def _answering(health: Health, bound: socket.socket) -> AsyncIterator[None]:
    """The health endpoints, up while the context lasts."""
    runner = await serving(health, bound)
    log.info("relay health endpoint listening on http://%s", HostPort(*bound.getsockname()[:2]))
    try:
        yield
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _carrying(bound: socket.socket, pipeline: Pipeline, defects: Defects) -> AsyncIterator[UdpPort]:
    """The data plane, up while the context lasts."""
    port = UdpPort(bound, pipeline, holds_forwards=defects.on("relay_adds_40ms"))
    gc.freeze()  # what start-up made stays anyway; looking through it again would hold up datagrams
    port.open()
    try:
        yield port
    finally:
        port.close()


async def _together(*endless: Coroutine[None, None, None]) -> None:
    """Run all of them until the first breaks or we are cancelled; none is left behind."""
    tasks = [asyncio.create_task(one) for one in endless]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


async def _every(seconds: float, act: Callable[[], None]) -> None:
    """Now and then again and again."""
    while True:
        act()
        await asyncio.sleep(seconds)


def _as_text(pipeline: Pipeline) -> str:
    moved = {name: value for name, value in asdict(pipeline.counters).items() if value}
    return ", ".join(f"{name}={value}" for name, value in moved.items()) or "all zero"
