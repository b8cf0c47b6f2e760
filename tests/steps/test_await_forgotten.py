"""await_forgotten: it ends when nobody has been sent to the dead relay for a while, or says that they still are."""

from __future__ import annotations

import pytest

from drills.scenario.durations import Duration
from drills.steps import await_forgotten
from tests.fakes import FakeScene
from tests.steps.conftest import FakeLeases

ARGUMENTS = await_forgotten.AwaitForgottenArguments(service="relay_a", within=Duration(heartbeats=4.0))


def test_it_ends_after_a_heartbeat_without_the_dead_relay(scene: FakeScene, leases: FakeLeases) -> None:
    """And not before: at twenty leases a second, a heartbeat after the last that named it."""
    scene.dead["relay_a"] = "dead"
    leases.relays = ["other"] * 20 + ["dead"] + ["other"] * 1000
    await_forgotten.STEP.perform(scene, ARGUMENTS)
    assert scene.now_s == pytest.approx(1.0 + 5.0, abs=0.2)
    assert (scene.journal.named("step.unmet"), leases.closed) == ([], 1)


def test_a_few_leases_do_not_make_it_forgotten(scene: FakeScene, leases: FakeLeases) -> None:
    """A master that gives next to none has shown nothing."""
    scene.dead["relay_a"] = "dead"
    leases.relays = ["other"] * 39
    await_forgotten.STEP.perform(scene, ARGUMENTS)
    assert scene.now_s == pytest.approx(20.0, abs=0.2)
    assert scene.journal.named("step.unmet")[0]["relay_id"] == "dead"


def test_a_relay_that_goes_on_being_named_is_evidence(scene: FakeScene, leases: FakeLeases) -> None:
    """The story goes on after the limit."""
    scene.dead["relay_a"] = "dead"
    leases.relays = ["other", "dead"] * 1000
    await_forgotten.STEP.perform(scene, ARGUMENTS)
    assert scene.now_s == pytest.approx(20.0, abs=0.2)
    assert scene.journal.named("step.unmet")[0]["step"] == "await_forgotten"
