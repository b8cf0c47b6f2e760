"""What every fault of the table keeps to, whatever it breaks: the order, the mending, the honesty of its receipt."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from drills.errors import CannotRun, Interrupted
from drills.faults.base import Receipt
from drills.faults.table import FAULTS
from drills.scene import StoryStopped
from tests.fakes import FakeScene

ARGUMENTS: dict[str, dict[str, Any]] = {
    "latency": {"latency_ms": 100}, "upgrade": {"release": "candidate"}, "bandwidth": {"rate_kb_per_s": 10},
    "slicer": {"average_size": 100, "delay_us": 5000}, "timeout": {"timeout_ms": 200}, "limit_data": {"bytes": 1000},
    "slow_close": {"delay_ms": 300},
    "udp_loss": {"probability": 0.2}, "udp_latency": {"latency_ms": 60.0, "jitter_ms": 10.0},
    "udp_duplicate": {"probability": 0.2},
}  # fmt: skip
Inject = Callable[[FakeScene], AbstractContextManager[Receipt]]
COUNTED = {"undo+", "undo-", "event fault.injected", "event fault.receipt", "story"}


SUBJECTS = {"relay": "relay_a", "master": "master", "gateway": "gateway"}


@pytest.fixture(params=sorted(FAULTS))
def fault(request: pytest.FixtureRequest) -> Inject:
    """A fault of the table, ready to be injected into a scene."""
    row = FAULTS[request.param]
    path = next(iter(row.kinds), "clients") if row.on == "path" else "ends_to_gateway"
    subject = next((name for kind, name in SUBJECTS.items() if kind in row.kinds), path)
    return lambda scene: row.injected(scene, subject, row.arguments(**ARGUMENTS.get(row.name, {})))


def broken(scene: FakeScene) -> list[str]:
    """What is still wrong on the stage."""
    stage = scene.stage
    found = [name for name, service in stage.services.items() if not service.running or service.running.state != "S"]
    found += [f"{name} {state}" for name, state in stage.states.items() if state != "Active"]
    found += ["another key"] if stage.public_key != bytes(32) else []
    found += [f"data: {stage.data}"] if stage.data != "all of it" else []
    found += [toxic for kept in stage.udp_proxy.kept.values() for toxic in kept]  # type: ignore[attr-defined]
    found += [f"{name} has another key" for name, key in stage.told_keys.items() if key != "its own key"]
    return (
        found + sorted(stage.toxiproxy.disabled) + [toxic for kept in stage.toxiproxy.kept.values() for toxic in kept]
    )


def in_short(trail: list[str]) -> list[str]:
    """The trail from the undo record on, each run of doing, looking and mending as one word."""
    words = [word if word in COUNTED else word.split()[0] for word in trail[trail.index("undo+") :]]
    words = [word for word in words if word in COUNTED | {"do", "look", "mend"}]
    return [word for index, word in enumerate(words) if index == 0 or words[index - 1] != word]


def receipt_of(scene: FakeScene) -> dict[str, Any]:
    """The one receipt in the journal."""
    (receipt,) = scene.journal.named("fault.receipt")
    return receipt


def press_ctrl_c() -> None:
    """What a terminal sends."""
    os.kill(os.getpid(), signal.SIGINT)


def test_the_order_is_undo_record_inject_proof_story_heal_proof_receipt(scene: FakeScene, fault: Inject) -> None:
    """Nothing is broken before the note about it is on disk, and the note goes last."""
    with fault(scene):
        assert len(list((scene.folder / "undo").glob("*.json"))) == 1
        scene.trail.append("story")
    assert in_short(scene.trail) == [
        "undo+", "do", "look", "event fault.injected", "story", "mend", "look", "event fault.receipt", "undo-"
    ]  # fmt: skip
    assert broken(scene) == []
    assert list((scene.folder / "undo").glob("*.json")) == []


def test_a_fault_that_worked_is_proven_on_and_off(scene: FakeScene, fault: Inject) -> None:
    """The receipt says what was measured, on and off, and from when to when."""
    with fault(scene):
        scene.pause(3.0)
    receipt = receipt_of(scene)
    assert receipt["landed"]
    assert receipt["mended"]
    assert "nothing" not in receipt["measured_on"] + receipt["measured_off"]
    assert receipt["asked_ns"] <= receipt["from_ns"] < receipt["from_ns"] + 3_000_000_000 <= receipt["to_ns"]


def test_a_fault_without_effect_does_not_land(scene: FakeScene, fault: Inject) -> None:
    """Asking is not doing: where nothing changes, the receipt says so."""
    scene.stage.deaf = True
    with fault(scene) as receipt:
        assert not receipt.landed.seen
    assert not receipt_of(scene)["landed"]


def test_a_fault_that_stays_is_not_called_mended(scene: FakeScene, fault: Inject) -> None:
    """Where mending has no effect, the receipt says so."""
    with fault(scene):
        scene.stage.deaf = True
    assert not receipt_of(scene)["mended"]


def test_a_fault_is_mended_when_the_story_raises(scene: FakeScene, fault: Inject) -> None:
    """The story's error comes out, and nothing stays broken."""
    with pytest.raises(ZeroDivisionError), fault(scene):
        raise ZeroDivisionError
    assert broken(scene) == []
    assert receipt_of(scene)["mended"]


def test_a_fault_is_mended_on_ctrl_c(scene: FakeScene, fault: Inject) -> None:
    """A signal ends the story, not the mending."""
    with scene.signals.caught(), pytest.raises(Interrupted), fault(scene):
        press_ctrl_c()
    assert broken(scene) == []
    assert receipt_of(scene)["mended"]


def test_ctrl_c_while_mending_takes_effect_afterwards(scene: FakeScene, fault: Inject) -> None:
    """A signal in the middle of mending waits for its end."""
    scene.stage.on_mend = press_ctrl_c
    with scene.signals.caught(), pytest.raises(Interrupted), fault(scene):
        pass
    assert broken(scene) == []
    assert receipt_of(scene)["mended"]
    assert scene.journal.named("mending.failed") == []


def test_impatience_does_not_stop_the_mending(scene: FakeScene, fault: Inject) -> None:
    """Ctrl-C pressed again while the first one's mending is under way only says that it is."""
    scene.stage.on_mend = press_ctrl_c
    with scene.signals.caught(), pytest.raises(Interrupted), fault(scene):
        press_ctrl_c()
    assert broken(scene) == []


def test_ctrl_c_just_before_the_mending_begins_does_not_prevent_it(scene: FakeScene, fault: Inject) -> None:
    """There is a moment between the end of the story and the holding of signals; a signal may come in it."""
    strikes = iter([press_ctrl_c])
    scene.on_hold = lambda: next(strikes, lambda: None)()
    with scene.signals.caught(), pytest.raises(Interrupted), fault(scene):
        pass
    assert broken(scene) == []
    assert receipt_of(scene)["mended"]


def test_the_error_of_the_story_stays_the_one_that_is_raised(scene: FakeScene, fault: Inject) -> None:
    """What goes wrong in mending is noted and does not hide why the story ended."""
    with pytest.raises(ZeroDivisionError), fault(scene):
        scene.stage.refuses = True
        raise ZeroDivisionError
    assert not receipt_of(scene)["mended"]
    (noted,) = scene.journal.named("mending.failed")
    assert noted["error"].startswith("CannotRun")


def test_a_fault_that_cannot_be_mended_ends_the_run(scene: FakeScene, fault: Inject) -> None:
    """After a story without error, a mending that fails is the error, of our own family."""
    with pytest.raises(CannotRun), fault(scene):
        scene.stage.refuses = True
    assert receipt_of(scene)["measured_off"] == "nothing was measured"


def test_a_stopped_story_does_not_go_on_with_a_fault_that_could_not_be_mended(scene: FakeScene, fault: Inject) -> None:
    """A stopped story leads on to recovery; a stage that is still broken must not."""
    with pytest.raises(CannotRun), fault(scene):
        scene.stage.refuses = True
        raise StoryStopped("sessions remain")


def test_ctrl_c_while_mending_a_stopped_story_is_not_lost(scene: FakeScene, fault: Inject) -> None:
    """The drill would go on to recovery as if nobody had pressed anything."""
    scene.stage.on_mend = press_ctrl_c
    with scene.signals.caught(), pytest.raises(Interrupted), fault(scene):
        raise StoryStopped("sessions remain")


def test_every_fault_can_be_made_twice(scene: FakeScene, fault: Inject) -> None:
    """Nothing of the first time stands in the way of the second, and each has a receipt."""
    for _ in range(2):
        with fault(scene):
            pass
    assert [receipt["landed"] and receipt["mended"] for receipt in scene.journal.named("fault.receipt")] == [True, True]
