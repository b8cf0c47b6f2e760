"""The relay's four HTTP endpoints (contract §3.6): what an orchestrator, a scraper and a drill can see of it."""

from __future__ import annotations

import socket
import time
from dataclasses import asdict
from typing import Any

from aiohttp import web

from drills.reference.relay.membership import Membership
from drills.reference.relay.options import HostPort
from drills.reference.relay.pipeline import Pipeline

PROMETHEUS_TYPE = "text/plain; version=0.0.4"
CLOSING_S = 0.5  # what open connections are given when the relay ends


class Health:
    """The answers, without the server."""

    def __init__(self, relay_id: str, pipeline: Pipeline, membership: Membership, started_at: float) -> None:
        self._relay_id = relay_id
        self._pipeline = pipeline
        self._membership = membership
        self._started_at = started_at

    @property
    def is_ready(self) -> bool:
        """Whether new sessions are welcome: it has a key, the master knows it, and there is room."""
        return (
            self._pipeline.desk.keys is not None and self._membership.registered and not self._pipeline.pool.is_shedding
        )

    def health(self, now: float) -> dict[str, Any]:
        """The object of ``/health``."""
        pool = self._pipeline.pool
        return {
            "relay_id": self._relay_id,
            "status": "ok",
            "ready": self.is_ready,
            "has_master_key": self._pipeline.desk.keys is not None,
            "registered_with_master": self._membership.registered,
            "active_sessions": pool.active(now),
            "total_sessions": len(pool),
            "max_sessions": max(pool.sessions_max, 1),
            "uptime_secs": int(now - self._started_at),
            "metrics": self.metrics(),
        }

    def ready(self) -> dict[str, Any]:
        """The object of ``/ready``."""
        return {"relay_id": self._relay_id, "ready": self.is_ready}

    def metrics(self) -> dict[str, int]:
        """The object of ``/metrics``."""
        return asdict(self._pipeline.counters)

    def prometheus(self, now: float) -> str:
        """The text of ``/metrics/prometheus``: the counters, then two gauges."""
        gauges = {"active_sessions": self._pipeline.pool.active(now), "uptime_seconds": int(now - self._started_at)}
        lines = [self._series(name, value, "counter") for name, value in self.metrics().items()]
        lines += [self._series(name, value, "gauge") for name, value in gauges.items()]
        return "".join(lines)

    def _series(self, name: str, value: int, kind: str) -> str:
        metric = f"wavry_relay_{name}"
        words = name.replace("_", " ")
        return (
            f'# HELP {metric} Relay {words}.\n# TYPE {metric} {kind}\n{metric}{{relay_id="{self._relay_id}"}} {value}\n'
        )


def bound_tcp(address: HostPort) -> socket.socket:
    """A bound socket that does not listen yet: a taken port is found at start, yet connections are refused."""
    bound = socket.socket(socket.AF_INET6 if ":" in address.host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a restarted relay meets its own TIME_WAIT
        bound.bind((address.host, address.port))
    except OSError:
        bound.close()
        raise
    return bound


async def serving(health: Health, bound: socket.socket) -> web.AppRunner:
    """Start answering; the runner returned is what stops it."""

    async def answer_health(_: web.Request) -> web.Response:
        return web.json_response(health.health(time.monotonic()))

    async def answer_ready(_: web.Request) -> web.Response:
        return web.json_response(health.ready(), status=200 if health.is_ready else 503)

    async def answer_metrics(_: web.Request) -> web.Response:
        return web.json_response(health.metrics())

    async def answer_prometheus(_: web.Request) -> web.Response:
        body = health.prometheus(time.monotonic()).encode()
        return web.Response(body=body, headers={"Content-Type": PROMETHEUS_TYPE})

    application = web.Application()
    application.router.add_get("/health", answer_health)
    application.router.add_get("/ready", answer_ready)
    application.router.add_get("/metrics", answer_metrics)
    application.router.add_get("/metrics/prometheus", answer_prometheus)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=CLOSING_S)
    await runner.setup()
    await web.SockSite(runner, bound).start()
    return runner
