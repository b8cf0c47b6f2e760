"""await_master_whole, await_fresh_lease and try_leases: what counts, what does not, and that they end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from drills.scenario.durations import Duration
from drills.steps import await_fresh_lease, await_master_whole, try_leases
from drills.wavry.packets import Reject
from tests.fakes import FakeScene, FakeWire
from tests.steps.conftest import FakeLeases

WHOLE = await_master_whole.AwaitMasterWholeArguments(within=Duration(heartbeats=2.0))
FRESH = await_fresh_lease.AwaitFreshLeaseArguments(within=Duration(heartbeats=2.0))


@dataclass
class FakeLooks:
    """What the master lists, by relay id; None while it does not answer."""

    ages_ms: dict[str, int] | None
    looked: int = 0
    closed: bool = False
    on_look: Callable[[], None] = field(default=lambda: None)

    def look(self) -> dict[str, int] | None:
        self.looked += 1
        return self.ages_ms

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def looks(scene: FakeScene, monkeypatch: pytest.MonkeyPatch) -> FakeLooks:
    """A master that lists both relays."""
    looks = FakeLooks({service.own_id: 100 for service in scene.stage.services.values() if service.own_id})
    monkeypatch.setattr("drills.probes.master.MasterLooks", lambda stage, journal: looks)
    return looks


@pytest.fixture
def relay_a(scene: FakeScene) -> str:
    """The id that relay_a runs under."""
    return scene.stage.services["relay_a"].own_id


def test_a_master_that_lists_everybody_is_whole(scene: FakeScene, looks: FakeLooks) -> None:
    """At the first look; and we hang up."""
    await_master_whole.STEP.perform(scene, WHOLE)
    assert len(scene.journal.named("master.whole")) == 1
    assert (looks.looked, looks.closed) == (1, True)


def test_a_relay_that_comes_back_later_is_waited_for(scene: FakeScene, looks: FakeLooks, relay_a: str) -> None:
    """Whole is whole from then on."""
    assert looks.ages_ms
    age_ms = looks.ages_ms.pop(relay_a)
    scene.at = [(4.0, lambda: looks.ages_ms.update({relay_a: age_ms}))]  # type: ignore[union-attr]
    await_master_whole.STEP.perform(scene, WHOLE)
    assert scene.now_s == pytest.approx(4.0, abs=0.1)
    assert scene.journal.named("step.unmet") == []


@pytest.mark.parametrize(
    ("ages", "reason"),
    [
        (lambda ids: None, "the master is not healthy"),
        (lambda ids: {}, "not listed, or silent: relay_a, relay_b"),
        (lambda ids: {ids["relay_a"]: 100, ids["relay_b"]: 15_001}, "not listed, or silent: relay_b"),
        (lambda ids: {ids["relay_a"]: 100, "somebody else": 100}, "not listed, or silent: relay_b"),
    ],
)
def test_a_master_that_lacks_somebody_is_not_whole(
    scene: FakeScene, looks: FakeLooks, ages: Callable[[dict[str, str]], dict[str, int] | None], reason: str
) -> None:
    """Silent itself, or without a relay, or with one that has been silent for more than three heartbeats."""
    looks.ages_ms = ages({name: scene.stage.services[name].own_id for name in scene.stage.relays()})
    await_master_whole.STEP.perform(scene, WHOLE)
    assert scene.journal.named("master.whole") == []
    assert scene.journal.named("step.unmet")[0]["reason"] == reason
    assert scene.now_s == pytest.approx(10.0, abs=0.1)


def test_a_lease_that_works_is_accepted(scene: FakeScene, leases: FakeLeases, wire: FakeWire, relay_a: str) -> None:
    """What was given and could not be used before does not count."""
    leases.relays = [None, relay_a]
    await_fresh_lease.STEP.perform(scene, FRESH)
    (tried,), (accepted,) = scene.journal.named("lease.tried"), scene.journal.named("lease.accepted")
    assert (tried["outcome"], tried["service"], tried["restarted"]) == ("accepted", "relay_a", False)
    assert (tried["ready_before"], tried["ready_after"]) == (True, True)
    assert accepted["service"] == "relay_a"
    assert accepted["began_ns"] < accepted["accepted_ns"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [(Reject.INVALID_SIGNATURE, "server end: reject invalid_signature"), (None, "server end: silence")],
)
def test_a_lease_that_a_relay_refuses_is_not_accepted(
    scene: FakeScene, leases: FakeLeases, wire: FakeWire, relay_a: str, answer: object, words: str
) -> None:
    """However often it is tried; why is the witness."""
    leases.relays = [relay_a] * 1000
    wire.answers["server"] = answer
    await_fresh_lease.STEP.perform(scene, FRESH)
    assert scene.journal.named("lease.accepted") == []
    assert scene.journal.named("step.unmet")[0]["reason"] == f"relay_a: {words}"


def test_without_any_lease_the_wait_ends(scene: FakeScene, leases: FakeLeases, wire: FakeWire) -> None:
    """At its limit."""
    await_fresh_lease.STEP.perform(scene, FRESH)
    assert scene.journal.named("step.unmet")[0]["reason"] == "no lease was given"
    assert scene.now_s == pytest.approx(10.0, abs=0.1)
    assert leases.closed == 1


@pytest.mark.parametrize("also_restarted", [False, True])
def test_a_relay_that_was_restarted_counts_only_where_it_is_said(
    scene: FakeScene, leases: FakeLeases, wire: FakeWire, also_restarted: bool
) -> None:
    """A new process learns everything anew; it shows nothing about those that went through it."""
    scene.stage.stop("relay_a")
    scene.stage.start("relay_a")
    leases.relays = [scene.stage.services["relay_a"].own_id] * 1000
    arguments = await_fresh_lease.AwaitFreshLeaseArguments(
        within=Duration(heartbeats=2.0), also_restarted=also_restarted
    )
    await_fresh_lease.STEP.perform(scene, arguments)
    assert bool(scene.journal.named("lease.accepted")) is also_restarted
    assert bool(scene.journal.named("step.unmet")) is not also_restarted


def test_every_lease_that_is_given_is_tried(scene: FakeScene, leases: FakeLeases, wire: FakeWire, relay_a: str) -> None:
    """Those that are not given count as asked for; a relay that nobody knows is tried all the same."""
    leases.relays = [relay_a, None, "a ghost", relay_a]
    try_leases.STEP.perform(scene, try_leases.TryLeasesArguments(leases=4))
    tried = scene.journal.named("lease.tried")
    assert [one["service"] for one in tried] == ["relay_a", "", "relay_a"]
    assert [one["ready_before"] for one in tried] == [True, None, True]
    assert (leases.asked, leases.closed) == (4, 1)


def test_no_token_is_written_down(scene: FakeScene, leases: FakeLeases, wire: FakeWire, relay_a: str) -> None:
    """A lease is a credential."""
    leases.relays = [relay_a]
    try_leases.STEP.perform(scene, try_leases.TryLeasesArguments(leases=1))
    assert "a token" not in str(scene.journal.events)
