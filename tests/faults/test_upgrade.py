"""upgrade: proven by what runs, emptied before both ways, and rolled back over a copy of the data where it must be."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from drills.errors import CannotRun
from drills.faults.upgrade import FAULT, UpgradeArguments
from drills.scenario.durations import Duration
from drills.scene import StoryStopped
from tests.fakes import FakeScene

TO_CANDIDATE = UpgradeArguments(release="candidate")
EMPTIED = UpgradeArguments(release="candidate", empty_within=Duration(seconds=5.0))


def test_a_receipt_says_what_ran_before_during_and_after(scene: FakeScene) -> None:
    """And how long each part took, there and back."""
    with FAULT.injected(scene, "gateway", TO_CANDIDATE):
        pass
    (receipt,) = scene.journal.named("fault.receipt")
    assert [receipt[f"ran_{when}"] for when in ("before", "during", "after")] == [
        "gateway known-good", "gateway candidate", "gateway known-good"
    ]  # fmt: skip
    assert receipt["seconds_up"] == {"stopped_s": 0.1, "started_s": 0.2, "ready_s": 0.0}
    assert receipt["seconds_back"] == {"stopped_s": 0.1, "started_s": 0.2}
    assert not receipt["restored"]


def test_what_runs_decides_whether_an_upgrade_landed(scene: FakeScene) -> None:
    """Another process that runs the old release is no upgrade."""
    stage = scene.stage
    stage.version = lambda name: f"{name} known-good"  # type: ignore[method-assign]
    with FAULT.injected(scene, "gateway", TO_CANDIDATE) as receipt:
        assert receipt.landed is not None
        assert not receipt.landed.seen
    assert scene.upgraded == []


def test_the_candidate_is_noted_for_its_judge(scene: FakeScene) -> None:
    """Since when it runs, and under which id as a relay."""
    with FAULT.injected(scene, "gateway", TO_CANDIDATE), FAULT.injected(scene, "relay_a", TO_CANDIDATE):
        (gateway, relay) = scene.upgraded
    assert (gateway.kind, gateway.relay_id) == ("gateway", "")
    assert (relay.kind, relay.relay_id) == ("relay", "relay_a-6")


def test_a_relay_is_drained_and_emptied_before_it_is_replaced_and_before_it_is_rolled_back(scene: FakeScene) -> None:
    """Nobody is cut off, either way; and the drain of the old id is over with it."""
    with FAULT.injected(scene, "relay_a", EMPTIED):
        pass
    acts = [word for word in scene.trail if "relay_a" in word and not word.startswith("look")]
    assert acts == [
        "do Draining relay_a-3", "do candidate put in place of relay_a",
        "do Draining relay_a-5", "mend known-good put in place of relay_a",
    ]  # fmt: skip
    assert scene.journal.named("relay.emptied")[0]["relay_id"] == "relay_a-3"
    (receipt,) = [one for one in scene.journal.named("fault.receipt") if one["fault"] == "upgrade"]
    assert [*receipt["seconds_back"]] == ["emptied_s", "stopped_s", "started_s"]
    assert scene.drained == {}


def test_a_relay_that_does_not_empty_is_not_replaced(scene: FakeScene) -> None:
    """The story stops, nothing was upgraded, and the relay is active again."""
    scene.follower.sessions[1] = scene.stage.services["relay_a"].own_id
    with pytest.raises(StoryStopped), FAULT.injected(scene, "relay_a", EMPTIED):
        pass
    assert not any("put in place" in word for word in scene.trail)
    assert set(scene.stage.states.values()) == {"Active"}


def test_after_an_error_nobody_waits_for_a_relay_to_be_empty(scene: FakeScene) -> None:
    """Mending is not the time for it."""
    with pytest.raises(ZeroDivisionError), FAULT.injected(scene, "relay_a", EMPTIED):
        scene.follower.sessions[1] = scene.stage.services["relay_a"].own_id
        raise ZeroDivisionError
    assert len(scene.journal.named("relay.emptied")) == 1
    assert scene.stage.services["relay_a"].release.tag == "known-good"


def test_a_known_good_release_that_refuses_the_data_gets_the_copy(scene: FakeScene) -> None:
    """The gateway's data was put away before; the receipt and the journal say that it was needed."""
    with FAULT.injected(scene, "gateway", TO_CANDIDATE):
        scene.stage.too_new.add("gateway")
    (receipt,) = scene.journal.named("fault.receipt")
    assert receipt["mended"]
    assert receipt["restored"]
    assert receipt["refused"] == "gateway is not ready; its last words: none"
    assert "seconds_restored" in receipt
    assert scene.journal.named("rollback.refused") == [{"service": "gateway", "reason": receipt["refused"]}]


def test_a_known_good_release_that_is_slow_is_not_called_refused(scene: FakeScene) -> None:
    """Whoever is not ready in time and lives has refused nothing: the run cannot go on, and nothing is put back."""
    with pytest.raises(CannotRun), FAULT.injected(scene, "gateway", TO_CANDIDATE):
        scene.stage.slow.add("gateway")
    assert scene.journal.named("rollback.refused") == []
    assert not scene.journal.named("fault.receipt")[0]["restored"]


def test_a_relay_has_no_copy_to_fall_back_on(scene: FakeScene) -> None:
    """It keeps nothing; one that does not come back ends the run."""
    with pytest.raises(CannotRun), FAULT.injected(scene, "relay_a", TO_CANDIDATE):
        scene.stage.too_new.add("relay_a")
    assert scene.stage.kept == set()


@pytest.mark.parametrize("release", ["known-good", "candidate_of_nobody", ""])
def test_only_newer_releases_can_be_upgraded_to(release: str) -> None:
    """A misspelt one is found when the scenario is read."""
    with pytest.raises(ValidationError, match="one of the releases candidate, candidate_slow_auth"):
        UpgradeArguments(release=release)
