"""hold, sample_leases and await_reregistration: they end when they say, and what they miss is evidence."""

from __future__ import annotations

import pytest

from drills.scenario.durations import Duration
from drills.steps import await_reregistration, hold, sample_leases
from tests.fakes import FakeScene
from tests.steps.conftest import FakeLeases

AWAIT = await_reregistration.AwaitReregistrationArguments(service="relay_a", within=Duration(heartbeats=2.0))


def test_hold_lasts_as_long_as_it_says(scene: FakeScene) -> None:
    """Heartbeats are those of the target."""
    hold.STEP.perform(scene, hold.HoldArguments(lasts=Duration(seconds=1.0, heartbeats=2.0)))
    assert scene.now_s == pytest.approx(11.0)


def test_as_many_leases_are_sampled_as_are_asked_for(scene: FakeScene, leases: FakeLeases) -> None:
    """Leases that are not given count too, so that a silent master does not hold the story up."""
    leases.relays = ["relay", None, "relay"]
    sample_leases.STEP.perform(scene, sample_leases.SampleLeasesArguments(leases=40))
    assert (leases.asked, leases.closed) == (40, 1)


def test_a_relay_that_has_registered_again_is_not_waited_for(scene: FakeScene) -> None:
    """Its own id counts, not another's."""
    ids = {name: scene.stage.services[name].own_id for name in scene.stage.relays()}
    scene.at = [
        (1.0, lambda: scene.follower.reregistered.add(ids["relay_b"])),
        (4.0, lambda: scene.follower.reregistered.add(ids["relay_a"])),
    ]
    await_reregistration.STEP.perform(scene, AWAIT)
    assert scene.now_s == pytest.approx(4.0, abs=0.1)
    assert scene.journal.named("step.unmet") == []


def test_a_relay_that_does_not_register_again_is_evidence(scene: FakeScene) -> None:
    """The story goes on, and the step is written down as unmet, at its limit."""
    await_reregistration.STEP.perform(scene, AWAIT)
    assert scene.now_s == pytest.approx(10.0, abs=0.1)
    assert scene.journal.named("step.unmet")[0]["relay_id"] == scene.stage.services["relay_a"].own_id


def test_a_relay_that_is_gone_has_not_registered_again(scene: FakeScene) -> None:
    """An id that nobody tells is nobody's."""
    scene.stage.kill("relay_a")
    scene.follower.reregistered.add("")
    await_reregistration.STEP.perform(scene, AWAIT)
    assert scene.journal.named("step.unmet")[0]["relay_id"] == ""
