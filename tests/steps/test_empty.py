"""empty: sessions leave by themselves, late ones are told to, and the story stops when some remain."""

from __future__ import annotations

import pytest

from drills.scenario.durations import Duration
from drills.scene import StoryStopped
from drills.steps.empty import STEP, EmptyArguments
from tests.fakes import FakeScene

TEN_SECONDS = EmptyArguments(service="relay_a", within=Duration(seconds=10.0))


def settle(scene: FakeScene, *sessions: int) -> None:
    """Put sessions on relay_a, and one on relay_b that is nobody's business here."""
    relay_a, relay_b = (scene.stage.services[name].own_id for name in ("relay_a", "relay_b"))
    scene.follower.sessions.update(dict.fromkeys(sessions, relay_a) | {99: relay_b})


def test_a_relay_without_sessions_is_empty_at_once(scene: FakeScene) -> None:
    """Nobody is told anything, and sessions elsewhere do not count."""
    settle(scene)
    STEP.perform(scene, TEN_SECONDS)
    (emptied,) = scene.journal.named("relay.emptied")
    assert (emptied["left"], emptied["told"], emptied["took_s"], emptied["relay_says"]) == (0, False, 0.0, 0)


def test_sessions_that_end_by_themselves_are_not_told(scene: FakeScene) -> None:
    """Waiting is enough."""
    settle(scene, 1, 2)
    scene.at = [(2.0, lambda: scene.follower.sessions.pop(1)), (5.0, lambda: scene.follower.sessions.pop(2))]
    STEP.perform(scene, TEN_SECONDS)
    assert scene.journal.named("sessions.told") == []
    assert scene.journal.named("relay.emptied")[0]["took_s"] == pytest.approx(5.0, abs=0.1)


def test_late_sessions_are_told_once_and_in_time(scene: FakeScene) -> None:
    """After six tenths of the limit; afterwards the load is told that the relay may be used again."""
    settle(scene, 1, 2, 3)
    relay_a = scene.stage.services["relay_a"].own_id
    told_at: list[float] = []

    def leave(relay_ids: list[str]) -> None:
        if relay_ids:
            told_at.append(scene.now_s)
            scene.at = [(8.0, scene.follower.sessions.clear)]

    scene.load.on_leave = leave
    STEP.perform(scene, TEN_SECONDS)
    assert told_at == [pytest.approx(6.0, abs=0.1)]
    assert scene.load.told == [[relay_a], []]
    assert scene.journal.named("sessions.told")[0]["sessions"] == 3
    assert scene.journal.named("relay.emptied")[0]["told"]


def test_the_story_stops_when_sessions_remain(scene: FakeScene) -> None:
    """The next step would restart a relay that carries somebody; how many is said, and the load is let go."""
    settle(scene, 1, 2)
    with pytest.raises(StoryStopped, match="2 sessions were still on relay_a after 10 s"):
        STEP.perform(scene, TEN_SECONDS)
    assert scene.load.told[-1] == []
    assert scene.journal.named("relay.emptied")[0]["left"] == 2
    assert scene.now_s == pytest.approx(10.0, abs=0.1)


def test_a_relay_that_does_not_say_who_it_is_is_not_called_empty(scene: FakeScene) -> None:
    """Without its id nobody knows who is on it."""
    settle(scene, 1)
    scene.stage.kill("relay_a")
    with pytest.raises(StoryStopped, match="nobody knows who is on it"):
        STEP.perform(scene, TEN_SECONDS)


def test_a_relay_that_dies_meanwhile_is_evidence_and_no_error(scene: FakeScene) -> None:
    """Its own count is then unknown; ours is what counts."""
    settle(scene, 1)
    scene.at = [(1.0, lambda: scene.stage.kill("relay_a")), (2.0, lambda: scene.follower.sessions.pop(1))]
    STEP.perform(scene, TEN_SECONDS)
    assert scene.journal.named("relay.emptied")[0]["relay_says"] is None
