"""What has happened in a run so far, by its journal alone: windows, faults, sessions, relays, as they are now."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from drills.probes.follower import Follower
from drills.scenario.models import WINDOWS

SILENT = ("relay.unreachable", "gateway.unreachable", "master.unreachable")


class Seen(Follower):
    """One run, kept up to date by ``catch_up``; nothing of it is written anywhere. All times are monotonic ns."""

    def __init__(self, journal: Path) -> None:
        super().__init__(journal)
        self.folder = journal.parent
        self.started: dict[str, Any] = {}  # run.started: drill, run, target, tier, and how long each window is planned
        self.began_ns = 0
        self.opened: dict[str, int] = {}
        self.closed: dict[str, int] = {}
        self.faults: dict[tuple[str, str], int] = {}  # fault and subject -> since when
        self.step = ""
        self.relays: dict[str, str] = {}  # relay id -> service
        self.states: dict[str, str] = {}  # relay id -> as the master lists it
        self.unready: set[str] = set()  # services that are not ready, or do not answer
        self.rate_limited = 0  # what the gateway has refused for being too much
        self.handshakes_failed = 0
        self.lowering = self.over = self.held = False

    @property
    def drill(self) -> str:
        """Its name."""
        return str(self.started.get("drill", self.folder.parent.name))

    def planned_s(self, window: str) -> float:
        """How long a window is to last; the fault window at least."""
        return float(self.started.get("planned_s", {}).get(window, 0.0))

    def lasted_s(self, window: str, now_ns: int) -> float:
        """How long a window has been open."""
        return (self.closed.get(window, now_ns) - self.opened.get(window, now_ns)) / 1e9

    def left_s(self, now_ns: int) -> float:
        """How long the windows last from now on, at the very least."""
        return sum(
            0.0 if window in self.closed else max(0.0, self.planned_s(window) - self.lasted_s(window, now_ns))
            for window in WINDOWS
        )

    def by_relay(self) -> list[tuple[str, str, int, bool]]:
        """(service, state, sessions, ready) of each relay; a state of nothing where the master lists it no more."""
        newest = {service: relay_id for relay_id, service in self.relays.items()}
        on = Counter(relay for session, relay in self.sessions.items() if session in self.established)
        return [(service, self.states.get(relay_id, ""), on[relay_id], service not in self.unready)
                for service, relay_id in sorted(newest.items())]  # fmt: skip

    def _note(self, name: str, event: dict[str, Any]) -> None:
        super()._note(name, event)
        ns = int(event.get("ns", 0))
        match name:
            case "run.started":
                self.started, self.began_ns = event, ns
            case "window.opened":
                self.opened[event["window"]] = ns
            case "window.closed":
                self.closed[event["window"]] = ns
            case "fault.injected":
                self.faults[event["fault"], event["subject"]] = ns
            case "fault.receipt":
                self.faults.pop((event["fault"], event["subject"]), None)
            case "step.begun":
                self.step = event["step"]
            case "step.done":
                self.step = ""
            case "handshake":
                self.handshakes_failed += event["outcome"] != "ack"
            case "generator.finished":
                self.lowering = True
            case "stage.held":
                self.held = True
            case "stage.lowered" | "run.ended":
                self.held, self.over = False, name == "run.ended"
            case _:
                self._note_service(name, event)

    def _note_service(self, name: str, event: dict[str, Any]) -> None:
        """What the watchers saw of the services."""
        service = str(event.get("service", name.split(".")[0]))
        if name in SILENT:
            self.unready.add(service)
        elif name == "relays.seen":
            self.states = {relay["relay_id"]: relay["state"] for relay in event["relays"]}
            self.unready.discard("master")
        elif name == "relay.known":
            self.relays[event["relay_id"]] = service
        elif name == "relay.health":
            self.relays[event["relay_id"]] = service
            (self.unready.discard if event["ready"] else self.unready.add)(service)
        elif name == "gateway.health":
            self.unready.discard("gateway")
            self.rate_limited = int(event["auth"].get("rate_limited", 0))
