"""What a session does when its relay is gone: it asks for another, and asks no relay twice that did not answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest

from drills.load import session as session_module
from drills.load.pair import SetupFailed
from drills.load.session import RELEASES_MAX, RETRY_S, Live, Session

MS = 1_000_000


@dataclass
class FakeTime:
    """A clock that moves when somebody sleeps."""

    ns: int = 1_000 * MS

    def monotonic_ns(self) -> int:
        """In ns."""
        return self.ns

    def monotonic(self) -> float:
        """In s."""
        return self.ns / 1e9

    def sleep(self, seconds: float) -> None:
        """In place of gevent's."""
        self.ns += round(seconds * 1e9)


@dataclass
class FakePair:
    """Is given the leases that a test has for it; ``dead``: no PRESENT to these relays is answered."""

    clock: FakeTime
    given: list[str]
    dead: set[str]
    lease: Any = None
    renewed: int = 0
    settings: Any = field(default_factory=lambda: SimpleNamespace(renew_every_s=1000.0, path_s=0.0))
    name = "v1"
    stranger: bool = False  # whether the relay does not know where a RENEW came from
    presented: int = 0

    def join_master(self) -> None:
        """At once."""

    def leave_master(self) -> None:
        """At once."""

    def renew(self, pump: Any, end: Any) -> str:
        """Three tries of half a second."""
        self.renewed += 1
        self.clock.sleep(1.5)
        return "silence"

    def present_again(self, pump: Any, end: Any) -> bool:
        """Acknowledged at once; the end hears its peer from then on."""
        self.presented += 1
        self.stranger = False
        end.last_received_ns = self.clock.ns + 10**15
        return True

    def take_lease(self, pump: Any, media: Any) -> int:
        """A lease on the next relay, presented for three seconds where that one is dead."""
        if not self.given:
            raise SetupFailed("lease", "refused: no relay")
        self.lease = SimpleNamespace(relay_id=self.given.pop(0), asked_ns=self.clock.ns, given_ns=self.clock.ns)
        if self.lease.relay_id in self.dead:
            self.clock.sleep(3.0)
            raise SetupFailed("handshake", "server end: silence")
        media.client.last_received_ns = media.host.last_received_ns = self.clock.ns + 10**15  # heard for good
        return self.clock.ns


class Lost:
    """A session on a relay that has just died, with the leases that it will be given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, given: list[str]) -> None:
        self.clock = FakeTime()
        self.events: list[tuple[str, dict[str, Any]]] = []
        monkeypatch.setattr(session_module, "time", self.clock)
        monkeypatch.setattr(session_module, "gevent", SimpleNamespace(sleep=self.clock.sleep))
        journal = SimpleNamespace(write=lambda event, **facts: self.events.append((event, facts)))
        pump = SimpleNamespace(remove=lambda end: None)
        self.pair = FakePair(self.clock, given, {"dead"}, SimpleNamespace(relay_id="dead"))
        live = Live(pump, journal, 0)  # type: ignore[arg-type]
        self.session = Session(live, self.pair, "resident", 0)  # type: ignore[arg-type]
        end = SimpleNamespace(last_received_ns=self.clock.ns, sequence=0)
        other = SimpleNamespace(last_received_ns=self.clock.ns, sequence=0)
        self.session.media = SimpleNamespace(client=end, host=other, flowing=True)  # type: ignore[assignment]

    def lasts(self, seconds: float) -> list[dict[str, Any]]:
        """Let it last so long; every new lease that it tried to take."""
        self.session.last(seconds)
        return [facts for event, facts in self.events if event == "session.released"]


def test_it_notices_after_two_seconds_and_three_renewals_of_each_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """And then takes the lease that it is given."""
    lost = Lost(monkeypatch, ["other"])
    (one,) = lost.lasts(20.0)
    assert (one["ok"], one["relay_id"], one["left"], one["cause"]) == (True, "other", "dead", "silence")
    assert one["began_ns"] == pytest.approx(6_000 * MS, abs=100 * MS)


def test_a_lease_for_the_dead_relay_costs_it_one_present_and_no_renewal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three seconds of PRESENTs and a pause: it does not fall silent all over again."""
    lost = Lost(monkeypatch, ["dead", "dead", "other"])
    tried = lost.lasts(30.0)
    assert [one["ok"] for one in tried] == [False, False, True]
    gaps = [(after["began_ns"] - before["began_ns"]) / 1e9 for before, after in pairwise(tried)]
    assert gaps == pytest.approx([3.0 + RETRY_S] * 2, abs=0.1)
    assert lost.pair.renewed == 2


def test_it_gives_up_after_too_many_leases_that_were_of_no_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its end is written down as not planned."""
    lost = Lost(monkeypatch, ["dead"] * 20)
    assert len(lost.lasts(100.0)) == RELEASES_MAX + 1
    (end,) = (facts for event, facts in lost.events if event == "session.ended")
    assert (end["planned"], end["reason"]) == (False, "too many new leases")


def test_a_master_that_gives_none_is_asked_until_the_planned_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal is no lease of no use: whoever waits for the master is served once it lends again."""
    lost = Lost(monkeypatch, [])
    tried = lost.lasts(20.0)
    assert len(tried) > 2 * RELEASES_MAX
    assert all(one["left"] == "dead" and not one["ok"] for one in tried)
    assert lost.events[-1][1]["planned"] is True


def test_a_relay_that_is_heard_again_is_not_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was given up for silence, no other lease could be had, and now it serves again."""
    lost = Lost(monkeypatch, [])
    serves_again = 8_000 * MS
    passes = lost.clock.sleep

    def slept(seconds: float) -> None:
        passes(seconds)
        if lost.clock.ns > serves_again:
            media = lost.session.media
            assert media
            media.client.last_received_ns = media.host.last_received_ns = lost.clock.ns

    lost.clock.sleep = slept  # type: ignore[method-assign]
    monkeypatch.setattr(session_module, "gevent", SimpleNamespace(sleep=slept))
    tried = lost.lasts(30.0)
    assert max(one["began_ns"] for one in tried) < serves_again + 1_000 * MS
    assert lost.pair.lease.relay_id == "dead"


def test_an_end_that_a_relay_no_longer_knows_presents_its_lease_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a new port of its NAT it needs no other lease (contract-master-relay §4.7, §4.9)."""
    lost = Lost(monkeypatch, ["other"])
    lost.pair.renew = lambda pump, end: "ack" if lost.pair.presented else "reject"  # type: ignore[method-assign]
    lost.pair.stranger = True
    media = lost.session.media
    assert media
    media.host.last_received_ns = lost.clock.ns + 10**15
    assert lost.lasts(10.0) == []
    assert lost.pair.presented == 1


def test_an_end_that_hears_its_peer_asks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where only inputs are lost, it is the host that asks, and its answer is what counts."""
    lost = Lost(monkeypatch, ["other"])
    media = lost.session.media
    assert media
    media.client.last_received_ns = lost.clock.ns + 10**15
    asked: list[Any] = []
    lost.pair.renew = lambda pump, end: asked.append(end) or "ack"  # type: ignore[method-assign,func-returns-value]
    assert lost.lasts(7.0) == []
    assert asked and all(end is media.host for end in asked)
