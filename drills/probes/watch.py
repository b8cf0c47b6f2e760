"""The watchers: threads that look at the stage all the time and write what they see into the journal.

They look past the proxies, straight at the services, so that a fault on a path does not blind them. What they cannot
reach is an event too.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from drills.probes.machine import SLICE_S, MachineProbe
from drills.probes.master import EVERY_S, MasterLooks
from drills.probes.relays import current_relay_id, listed
from drills.record import Journal
from drills.stage.base import Stage
from drills.wavry.errors import WireError
from drills.wavry.gateway import GatewayHttp
from drills.wavry.master import MasterHttp
from drills.wavry.relay import RelayHttp

TIMEOUT_S = 1.5
STATES_EVERY_BEATS = 0.2  # five looks at the relay states per heartbeat
LOGS_EVERY_S = 0.05

_ANCHORS = {
    "relay": re.compile(r"relay re-registered with master|attempting relay re-registration|relay heartbeat|"
                        r"failed to connect to master|master registration failed|Registered successfully|"
                        r"\b(?:WARN|ERROR)\b"),
    "master": re.compile(r"relay registered: (?P<id>[0-9a-f-]{36})|Admin updated relay|Sybil check failed|rejected|"
                         r"\b(?:WARN|ERROR)\b"),
    "gateway": re.compile(r"\b(WARN|ERROR)\b"),
}  # fmt: skip
# a service that complains of every packet must not fill the journal: of lines alike one is noted in so long
_ALIKE = re.compile(r"\S*\d\S*")
ALIKE_EVERY_S = 0.5


@contextlib.contextmanager
def watched(stage: Stage, journal: Journal) -> Iterator[None]:
    """All watchers, for as long as the context lasts."""
    stop = threading.Event()
    states, master, machine = _RelayStates(stage, journal), MasterLooks(stage, journal), MachineProbe(stage, journal)
    relays = [_RelayHealth(stage, journal, name) for name in stage.relays()]
    gateways = [_Gateway(stage, journal)] if "gateway" in stage.services else []
    looks: list[tuple[float, Callable[[], object]]] = [
        (stage.heartbeat_s * STATES_EVERY_BEATS, states.look),
        (EVERY_S, master.look),
        (SLICE_S, machine.look),
        (0.5, _Standing(stage, journal).look),
        (LOGS_EVERY_S, _Logs(stage, journal).look),
    ]
    looks += [(0.5, relay.look) for relay in relays]
    looks += [(1.0, gateway.look) for gateway in gateways]
    ended_well = False
    threads = [threading.Thread(target=_repeat, args=(stop, journal, *look), daemon=True) for look in looks]
    for thread in threads:
        thread.start()
    try:
        yield
        ended_well = True
    finally:
        stop.set()
        for thread in threads:
            thread.join(TIMEOUT_S + 1.0)
        if ended_well:  # the last word of everybody whose counters are compared with what was sent
            for relay in relays:
                relay.look()
            machine.last_look()
        states.master.close()
        master.close()
        for relay in relays:
            relay.relay.close()
        for gateway in gateways:
            gateway.gateway.close()


def _repeat(stop: threading.Event, journal: Journal, every_s: float, look: Callable[[], object]) -> None:
    due = time.monotonic()
    try:
        while not stop.is_set():
            look()
            due = max(due + every_s, time.monotonic())
            stop.wait(max(0.0, due - time.monotonic()))
    finally:
        if not stop.is_set():  # an error of ours: what this watcher would have seen is missing from the record
            journal.write("watcher.died", watcher=getattr(look, "__qualname__", "?"))


class _RelayStates:
    """The master's list of relays, five times a heartbeat."""

    def __init__(self, stage: Stage, journal: Journal) -> None:
        self.journal = journal
        self.master = MasterHttp(stage.http("master"), timeout_s=TIMEOUT_S)

    def look(self) -> None:
        asked_ns = time.monotonic_ns()
        try:
            relays = self.master.relays()
        except WireError as error:
            self.journal.write("master.unreachable", reason=str(error))
            return
        self.journal.write("relays.seen", asked_ns=asked_ns, relays=listed(relays))


class _Standing:
    """Whether every service that should run still does; what ends by itself is written down once."""

    def __init__(self, stage: Stage, journal: Journal) -> None:
        self.stage, self.journal = stage, journal
        self._said: set[tuple[str, str]] = set()

    def look(self) -> None:
        for name, reason in self.stage.unexpected().items():
            if (name, reason) not in self._said:
                self._said.add((name, reason))
                self.journal.write("stage.changed", service=name, change="ended", reason=reason)


class _RelayHealth:
    """One relay's own view: id, readiness, sessions and its 23 counters."""

    def __init__(self, stage: Stage, journal: Journal, name: str) -> None:
        self.stage, self.journal, self.name = stage, journal, name
        self.relay = RelayHttp(stage.http(name), timeout_s=TIMEOUT_S)

    def look(self) -> None:
        asked_ns = time.monotonic_ns()
        try:
            health = self.relay.health()
        except WireError as error:
            self.journal.write("relay.unreachable", service=self.name, reason=str(error))
            return
        self.journal.write("relay.health", service=self.name, asked_ns=asked_ns, **asdict(health))


class _Gateway:
    """The gateway's gauges and authentication counters."""

    def __init__(self, stage: Stage, journal: Journal) -> None:
        self.journal = journal
        self.gateway = GatewayHttp(stage.http("gateway"), timeout_s=TIMEOUT_S)

    def look(self) -> None:
        try:
            health, auth = self.gateway.health(), self.gateway.metrics_auth()
        except WireError as error:
            self.journal.write("gateway.unreachable", reason=str(error))
            return
        self.journal.write("gateway.health", **asdict(health), auth=auth)


class _Logs:
    """The services' log files: lines that mean something become events when they appear."""

    def __init__(self, stage: Stage, journal: Journal) -> None:
        self.stage, self.journal = stage, journal
        self.offsets: dict[Path, int] = {}
        self.unfinished: dict[Path, str] = {}
        self.noted: dict[tuple[str, str], float] = {}

    def look(self) -> None:
        for name, service in self.stage.services.items():
            if service.running and service.kind in _ANCHORS:
                for line in self._new_lines(service.running.log):
                    self._note(name, service.kind, line)

    def _new_lines(self, log: Path) -> list[str]:
        with log.open("rb") as lines:
            lines.seek(self.offsets.get(log, 0))
            added = lines.read()
        self.offsets[log] = self.offsets.get(log, 0) + len(added)
        *whole, self.unfinished[log] = (self.unfinished.get(log, "") + added.decode(errors="replace")).split("\n")
        return whole

    def _is_news(self, name: str, line: str) -> bool:
        """Whether nothing like it was noted a moment ago."""
        form, now = (name, _ALIKE.sub("#", line)), time.monotonic()
        if now - self.noted.get(form, -ALIKE_EVERY_S) < ALIKE_EVERY_S:
            return False
        self.noted[form] = now
        return True

    def _note(self, name: str, kind: str, line: str) -> None:
        if "falling back to" in line:  # Wavry answers a taken port by moving to another (D17, D-37)
            self.journal.write("stage.changed", service=name, change="moved", reason="it moved to another port")
        found = _ANCHORS[kind].search(line)
        if not found:
            return
        if self._is_news(name, line):
            self.journal.write("log", service=name, line=line[:300])
        if kind == "relay" and "relay re-registered with master" in line:
            with contextlib.suppress(WireError):  # without its id the line says nothing: whose registration was it?
                self.journal.write("relay.reregistered", service=name, relay_id=current_relay_id(self.stage, name))
        elif kind == "master" and found.group("id"):
            self.journal.write("master.registered", relay_id=found.group("id"))
