"""A scene for the faults, with every way to a real service replaced by the stage of the fakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes import FakeScene
from tests.udp_fakes import fake_look


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeScene:
    """A fresh scene; faults and probes reach the fake relays, master and paths."""
    scene = FakeScene(tmp_path)
    stage = scene.stage
    monkeypatch.setattr("drills.probes.relays.RelayHttp", stage.relay_http)
    monkeypatch.setattr("drills.wavry.relay.RelayHttp", stage.relay_http)
    monkeypatch.setattr("drills.wavry.master.MasterHttp", stage.master_http)
    for module in ("canary", "black_hole", "down", "timeout", "reset_peer"):
        monkeypatch.setattr(f"drills.faults.{module}.through", stage.through)
    for module in ("bulk_proof", "limit_data"):
        monkeypatch.setattr(f"drills.faults.{module}.bulk", stage.bulk)
    monkeypatch.setattr("drills.faults.slow_close.closed_after_ms", stage.closed_after_ms)
    monkeypatch.setattr("drills.paths.canaries.hatched", lambda stage, server, door, listen, stack: door)
    monkeypatch.setattr("drills.faults.direct_blocked.flown", stage.flown)
    for module in ("impaired", "udp_rebind"):
        monkeypatch.setattr(f"drills.faults.{module}.look", fake_look)
    return scene
