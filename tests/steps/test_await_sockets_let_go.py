"""await_sockets_let_go: until nothing is held without another end, or its time is up; the count is written down."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from drills.probes.sockets import Held
from drills.scenario.durations import Duration
from drills.steps.await_sockets_let_go import STEP, AwaitSocketsLetGoArguments
from tests.fakes import FakeScene

LIVING, LEFT, GOING = ("gateway:3000", "a:1"), ("gateway:3000", "b:2"), ("gateway:3000", "c:3")


def counted(
    scene: FakeScene, monkeypatch: pytest.MonkeyPatch, looks: Iterator[set[tuple[str, str]]]
) -> dict[str, object]:
    """What the step writes where these are without another end, look after look."""
    last: list[set[tuple[str, str]]] = [set()]

    def held(*_: object) -> Held:
        last[0] = next(looks, last[0])
        return Held(frozenset({LIVING, *last[0]}), frozenset(last[0]))

    monkeypatch.setattr("drills.probes.sockets.held_by", held)
    STEP.perform(scene, AwaitSocketsLetGoArguments(service="gateway", within=Duration(2.0)))
    (event,) = scene.journal.named("sockets.held")
    return event


def test_what_is_being_closed_is_waited_for(scene: FakeScene, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends once no connection was without another end in two looks running."""
    event = counted(scene, monkeypatch, iter([{LEFT}, {LEFT}, {GOING}]))
    assert (event["orphans"], event["held"]) == (0, 2)
    assert scene.now_s < 1.0


def test_what_is_never_let_go_is_counted_when_the_time_is_up(
    scene: FakeScene, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """With one of the other ends, so that it can be found again."""
    event = counted(scene, monkeypatch, iter([{LEFT, GOING}, {LEFT}]))
    assert (event["orphans"], event["first"]) == (1, ["b:2"])
    assert 2.0 <= scene.now_s < 2.5
