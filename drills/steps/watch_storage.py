"""watch_storage: what a gateway whose volume is in trouble shows of it: health, its error counter, a login, a write.

Each look asks `/health`, then tries a registration and a login, then reads the counter of database errors; what its log
says is written down by the watcher of logs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drills.faults.base import Arguments
from drills.faults.volumes import witnesses_of
from drills.scenario.durations import Duration
from drills.steps.base import StepKind

if TYPE_CHECKING:
    from drills.probes.witnesses import Witnesses
    from drills.scene import Scene

EVERY_S = 0.25


class WatchStorageArguments(Arguments):
    """At which gateway, and for how long."""

    service: str
    lasts: Duration


def _perform(scene: Scene, arguments: WatchStorageArguments) -> None:
    witnesses = witnesses_of(scene)
    until_ns = scene.now_ns() + int(arguments.lasts.in_s(scene.heartbeat_s) * 1e9)
    while scene.now_ns() < until_ns:
        scene.journal.write("storage.looked", service=arguments.service, **_looked(witnesses))
        scene.pause(EVERY_S)


def _looked(witnesses: Witnesses) -> dict[str, Any]:
    from drills.probes.witnesses import attempt

    assert witnesses.known
    with witnesses.client() as http:
        health = attempt(http.health)
        _, written = witnesses.register()
        login = witnesses.log_in(witnesses.known)
        counters: dict[str, int] = {}
        told = attempt(lambda: counters.update(http.metrics_auth()))
    return {
        "asked_ns": health.asked_ns, "health_ok": health.ok, "health": str(health), "write": str(written),
        "login": str(login), "db_errors": counters.get("db_errors") if told.ok else None,
    }  # fmt: skip


STEP = StepKind(
    "watch_storage", WatchStorageArguments, _perform,
    "looks at a gateway's health, error counter, a login and a registration while its volume is in trouble",
    frozenset({"gateway"}),
)  # fmt: skip
