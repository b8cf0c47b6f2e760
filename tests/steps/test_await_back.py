"""await_back: a relay is back when it is ready, named by a lease and forwards both ways, and not before."""

from __future__ import annotations

import pytest

from drills.scenario.durations import Duration
from drills.steps.await_back import STEP, AwaitBackArguments
from drills.wavry.errors import Unreachable
from tests.fakes import FakeScene, FakeWire
from tests.steps.conftest import FakeLeases

TEN_SECONDS = AwaitBackArguments(service="relay_a", within=Duration(seconds=10.0))


@pytest.fixture
def relay_a(scene: FakeScene) -> str:
    """The id that relay_a runs under."""
    return scene.stage.services["relay_a"].own_id


def test_all_three_make_it_back(scene: FakeScene, leases: FakeLeases, wire: FakeWire, relay_a: str) -> None:
    """Each has its own moment, in this order."""
    leases.relays = ["another", relay_a]
    STEP.perform(scene, TEN_SECONDS)
    (ready,), (back,) = scene.journal.named("relay.ready"), scene.journal.named("relay.back")
    assert ready["relay_id"] == back["relay_id"] == relay_a
    assert back["named_ns"] <= back["forwarded_ns"]
    assert scene.journal.named("step.unmet") == []
    assert leases.closed == 1


@pytest.mark.parametrize("sources", [("127.20.2.1", "127.20.2.2"), (None, None)])
def test_the_canaries_are_sent_from_where_the_stage_says(
    scene: FakeScene, leases: FakeLeases, wire: FakeWire, relay_a: str, sources: tuple[str | None, str | None]
) -> None:
    """Two addresses of a block of loopback ones; in a network of containers the kernel chooses."""
    scene.stage.sources = sources
    leases.relays = [relay_a]
    STEP.perform(scene, TEN_SECONDS)
    assert tuple(wire.sources) == sources
    assert len(scene.journal.named("relay.back")) == 1


def test_a_relay_that_is_not_ready_is_not_back(
    scene: FakeScene, leases: FakeLeases, wire: FakeWire, relay_a: str
) -> None:
    """Leases are not even asked for."""
    scene.stage.services["relay_a"].ready = False
    STEP.perform(scene, TEN_SECONDS)
    assert scene.journal.named("step.unmet")[0]["reason"] == "not ready"
    assert leases.asked == 0
    assert scene.now_s == pytest.approx(10.0, abs=0.1)


def test_a_relay_that_is_gone_is_not_back(scene: FakeScene, leases: FakeLeases, wire: FakeWire) -> None:
    """What does not answer is waited for, to the limit, and no error."""
    scene.stage.kill("relay_a")
    STEP.perform(scene, TEN_SECONDS)
    assert scene.journal.named("step.unmet")[0]["reason"] == "not ready"


def test_a_relay_that_no_lease_names_is_not_back(scene: FakeScene, leases: FakeLeases, wire: FakeWire) -> None:
    """Leases for others, and leases that are not given, do not count."""
    leases.relays = ["another", None] * 1000
    STEP.perform(scene, TEN_SECONDS)
    assert scene.journal.named("step.unmet")[0]["reason"] == "not named by a lease"
    assert scene.journal.named("relay.back") == []
    assert scene.now_s == pytest.approx(10.0, abs=0.1)


@pytest.mark.parametrize("carries", [set(), {"client"}, {"server"}])
def test_a_relay_that_carries_one_way_is_not_back(
    scene: FakeScene, leases: FakeLeases, wire: FakeWire, relay_a: str, carries: set[str]
) -> None:
    """Both ways, or it does not serve."""
    leases.relays = [relay_a] * 1000
    wire.carries = carries
    STEP.perform(scene, TEN_SECONDS)
    assert scene.journal.named("step.unmet")[0]["reason"] == "not forwarding both ways"


def test_a_relay_that_refuses_an_end_is_not_back(
    scene: FakeScene, leases: FakeLeases, wire: FakeWire, relay_a: str
) -> None:
    """An end without an acknowledgement sends nothing."""
    leases.relays = [relay_a] * 1000
    wire.answers["client"] = None
    STEP.perform(scene, TEN_SECONDS)
    assert scene.journal.named("step.unmet")[0]["reason"] == "not forwarding both ways"


def test_a_relay_that_forwards_a_little_later_is_back_then(
    scene: FakeScene, leases: FakeLeases, wire: FakeWire, relay_a: str
) -> None:
    """One lost canary does not decide it; when the relay was first named is kept."""
    leases.relays = [relay_a] * 1000
    wire.carries = set()
    scene.at = [(3.0, lambda: wire.carries.update({"client", "server"}))]
    STEP.perform(scene, TEN_SECONDS)
    (back,) = scene.journal.named("relay.back")
    assert (back["forwarded_ns"] - back["named_ns"]) / 1e9 == pytest.approx(3.0, abs=0.1)


def test_an_address_that_cannot_be_taken_is_evidence_and_no_error(
    scene: FakeScene, leases: FakeLeases, monkeypatch: pytest.MonkeyPatch, relay_a: str
) -> None:
    """What the canary met is written down."""

    def taken(*_: object, **__: object) -> None:
        raise Unreachable("udp from 127.20.2.2: Cannot assign requested address")

    monkeypatch.setattr("drills.wavry.relay.RelayPeer", taken)
    leases.relays = [relay_a] * 1000
    STEP.perform(scene, TEN_SECONDS)
    assert "Cannot assign" in scene.journal.named("relay.canary")[0]["reason"]
    assert scene.journal.named("relay.back") == []
