"""A scene for the steps, with leases and relays that a test decides on."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from drills.wavry.packets import Ack
from tests.fakes import FakeScene, FakeWire

SESSION = UUID(int=7)
ACK = Ack(SESSION, 0, 0, 0)


@dataclass
class FakeLeases:
    """Leases that name these relays, one after another; None is a lease that was not given; then none for ever."""

    relays: list[str | None] = field(default_factory=list)
    asked: int = 0
    closed: int = 0

    def given(self, stage: Any, journal: Any, why: str) -> Generator[SimpleNamespace | None, None, None]:
        """In place of given_leases."""
        try:
            while True:
                self.asked += 1
                yield self._pair(self.relays.pop(0) if self.relays else None)
        finally:
            self.closed += 1

    @staticmethod
    def _pair(relay_id: str | None) -> SimpleNamespace | None:
        if relay_id is None:
            return None
        one = SimpleNamespace(relay_id=relay_id, address="127.20.1.101:4000", session=SESSION, token="a token")
        return SimpleNamespace(host=one, client=one, asked_ns=1)


@pytest.fixture
def leases(monkeypatch: pytest.MonkeyPatch) -> FakeLeases:
    """What the master gives to those who ask."""
    leases = FakeLeases()
    monkeypatch.setattr("drills.probes.leases.given_leases", leases.given)
    return leases


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> FakeWire:
    """A relay that accepts both ends and carries both ways."""
    wire = FakeWire({"client": ACK, "server": ACK}, {"client", "server"})
    monkeypatch.setattr("drills.wavry.relay.RelayPeer", wire.peer)
    return wire


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeScene:
    """A fresh scene whose relays answer from memory."""
    scene = FakeScene(tmp_path)
    monkeypatch.setattr("drills.probes.relays.RelayHttp", scene.stage.relay_http)
    monkeypatch.setattr("drills.wavry.relay.RelayHttp", scene.stage.relay_http)
    return scene
