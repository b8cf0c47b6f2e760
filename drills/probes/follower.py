"""Reads the journal while it is being written, so that the runner knows what the load workers know.

Which session is on which relay, how many live, who has registered again: derived from the same events that the verdict
will read, never from a second source.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from drills.errors import CannotRun
from drills.measures.generator import REACTION_MS
from drills.record import Appended

EVERY_S = 0.03


class Visit(NamedTuple):
    """One set-up of a visit: when it was due, whether it came up, how long its login took."""

    intended_ns: int
    ok: bool
    login_ms: float | None


class Handshake(NamedTuple):
    """One LEASE_PRESENT: when it was sent, to which relay, whether it was acknowledged."""

    sent_ns: int
    relay_id: str
    ok: bool


class Follower:
    """A thread that keeps a few counts up to date with the journal."""

    def __init__(self, journal: Path) -> None:
        self._path = journal
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._appended = Appended()
        self.sessions: dict[int, str] = {}  # session -> relay id of its newest lease
        self.established: set[int] = set()  # of these, the ones whose set-up succeeded
        self.accounts: Counter[str] = Counter()  # kind -> made
        self.setups: Counter[bool] = Counter()  # ok -> how many
        self.reregistered: set[str] = set()
        self.visits: list[Visit] = []
        self.handshakes: list[Handshake] = []
        self.errors: list[str] = []
        self.first_packet_seen = False
        self.long_stop_ended_ns = 0  # the newest stop of our load that is long enough for its sessions to act on it

    def __enter__(self) -> Follower:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(2.0)

    def check_alive(self) -> None:
        """Raises CannotRun where the thread has died: what it knows would be out of date for ever."""
        if not self._thread.is_alive():
            raise CannotRun("the follower of the journal has died; its counts cannot be believed")

    def _run(self) -> None:
        while not self._stop.wait(EVERY_S):
            self.catch_up()

    def catch_up(self) -> None:
        """Read what has been appended since the last time."""
        for line in self._appended.lines(self._path):
            try:
                event = json.loads(line)
            except ValueError:
                continue
            self._note(event.get("event", ""), event)

    def _note(self, name: str, event: dict[str, Any]) -> None:
        match name:
            case "lease.given" if event["session"] is not None:
                self.sessions[event["session"]] = event["relay_id"]
            case "handshake":
                self.handshakes.append(Handshake(event["sent_ns"], event["relay_id"], event["outcome"] == "ack"))
            case "session.setup":
                self.setups[event["ok"]] += 1
                if event["kind"] == "visit":
                    self.visits.append(Visit(event["intended_ns"], event["ok"], event["login_ms"]))
                if event["ok"]:
                    self.established.add(event["session"])
                    self.first_packet_seen = True
                else:
                    self.sessions.pop(event["session"], None)
            case "session.ended":
                self.sessions.pop(event["session"], None)
                self.established.discard(event["session"])
            case "account.made":
                self.accounts[event["kind"]] += 1
            case "account.failed":
                self.errors.append(f"account {event['pair']}: {event['reason']}")
            case "load.error":
                self.errors.append(event["error"])
            case "generator.gap" if event["to_ns"] - event["from_ns"] >= REACTION_MS * 1e6:
                self.long_stop_ended_ns = max(self.long_stop_ended_ns, event["to_ns"])
            case "relay.reregistered":
                self.reregistered.add(event["relay_id"])
