"""What is particular to one fault."""

from __future__ import annotations

import re

import pytest

from drills.errors import CannotRun
from drills.faults.base import Arguments, Proof, each, eventually
from drills.faults.canary import Canary, round_trips
from drills.faults.latency import LatencyArguments
from drills.faults.table import FAULTS
from drills.faults.toxic import Directed
from tests.fakes import FakeScene


def test_a_drained_relay_that_was_restarted_is_not_activated_again(scene: FakeScene) -> None:
    """The new process is active already, and the old id must stay drained: nobody answers under it any more."""
    stage = scene.stage
    restart = FAULTS["restart"].injected(scene, "relay_a", Arguments())
    with FAULTS["drain"].injected(scene, "relay_a", Arguments()) as receipt, restart:
        pass
    assert stage.states[receipt.detail["relay_id"]] == "Draining"
    assert not any(word.startswith("mend Active") for word in scene.trail)
    assert receipt.mended is not None and receipt.mended.seen


def test_a_drained_relay_that_is_down_when_the_drain_ends_is_not_activated(scene: FakeScene) -> None:
    """It will come back under another id."""
    with FAULTS["drain"].injected(scene, "relay_a", Arguments()):
        scene.stage.kill("relay_a")
        scene.stage.services["relay_a"].relay_id = ""
    assert not any(word.startswith("mend Active") for word in scene.trail)


def test_the_scene_knows_what_is_drained_only_while_it_is(scene: FakeScene) -> None:
    """Steps ask the scene which relay is drained."""
    with FAULTS["drain"].injected(scene, "relay_a", Arguments()) as receipt:
        assert scene.drained == {"relay_a": receipt.detail["relay_id"]}
    assert scene.drained == {}


def test_a_relay_that_does_not_tell_its_id_cannot_be_drained(scene: FakeScene) -> None:
    """That is a drill that cannot run, with the reason, and nothing was broken for it."""
    scene.stage.kill("relay_a")
    drain = FAULTS["drain"].injected(scene, "relay_a", Arguments())
    with pytest.raises(CannotRun, match="relay_a cannot be drained"), drain:
        pass
    assert "undo+" not in scene.trail


@pytest.mark.parametrize("name", ["kill", "stop", "restart"])
def test_what_ends_a_process_writes_its_exit_code_and_the_new_process_down(scene: FakeScene, name: str) -> None:
    """Killed is -9, asked to go is 0; the start is an event of its own."""
    with FAULTS[name].injected(scene, "relay_a", Arguments()) as receipt:
        assert receipt.detail["exit_code"] == (-9 if name == "kill" else 0)
    (started,) = scene.journal.named("service.started")
    assert started["pid"] == scene.stage.services["relay_a"].running.pid


def test_a_pause_that_outlives_its_process_mends_nothing_else(scene: FakeScene) -> None:
    """The process that was paused is the one that is resumed; a new one under the same name is let be."""
    paused = scene.stage.services["relay_a"].running
    with FAULTS["pause"].injected(scene, "relay_a", Arguments()):
        scene.stage.kill("relay_a")
        scene.stage.start("relay_a")
    assert scene.stage.services["relay_a"].running is not paused
    assert scene.journal.named("fault.receipt")[0]["mended"]


@pytest.mark.parametrize("name", ["black_hole", "latency"])
def test_each_direction_is_mended_though_the_first_refuses(scene: FakeScene, name: str) -> None:
    """One toxic that will not come off does not leave the other on the path."""
    arguments = LatencyArguments(latency_ms=50) if name == "latency" else Directed()
    scene.stage.toxiproxy.stuck = {f"{name}_upstream"}
    fault = FAULTS[name].injected(scene, "ends_to_gateway", arguments)
    with pytest.raises(CannotRun, match="upstream is stuck"), fault:
        pass
    assert set(scene.stage.toxiproxy.kept["ends_to_gateway"]) == {f"{name}_upstream"}


@pytest.mark.parametrize(("direction", "measured"), [("both", "200"), ("upstream", "100"), ("downstream", "100")])
def test_latency_is_asked_for_by_direction_and_measured_as_a_round_trip(
    scene: FakeScene, direction: str, measured: str
) -> None:  # fmt: skip
    """Toxiproxy delays one direction; a round trip has both."""
    arguments = LatencyArguments(latency_ms=100, direction=direction)
    with FAULTS["latency"].injected(scene, "ends_to_gateway", arguments) as receipt:
        assert receipt.landed.measured.startswith(f"asked {measured} ms, measured {measured}.0 ± 0.0 ms")
        assert receipt.landed.seen


@pytest.mark.parametrize(("before_ms", "now_ms", "seen"), [
    ((2.0, 2.0, 4.1, 4.1, 4.2), (103.0, 103.0, 103.0, 103.0, 103.0), True),  # 98.9 more, and they were 2.1 apart
    ((2.0, 2.0, 2.0, 2.0, 2.0), (97.0, 97.0, 97.0, 97.0, 97.0), False),
    ((2.0, 2.0, 90.0, 90.0, 90.0), (103.0, 103.0, 103.0, 103.0, 103.0), False),  # anything could be said to be that
])  # fmt: skip
def test_a_latency_is_seen_where_requests_were_no_more_apart_than_it_is_off(
    scene: FakeScene,
    monkeypatch: pytest.MonkeyPatch,
    before_ms: tuple[float, ...],
    now_ms: tuple[float, ...],
    seen: bool,
) -> None:
    """A machine that held up those before makes the difference smaller; half of what was asked is asked in any case."""
    flown = iter([*before_ms, *now_ms])
    monkeypatch.setattr("drills.faults.canary.through", lambda *_: Canary("ok", next(flown, 2.0)))
    arguments = LatencyArguments(latency_ms=100, direction="upstream")
    with FAULTS["latency"].injected(scene, "ends_to_gateway", arguments) as receipt:
        assert receipt.landed.seen is seen


def test_the_receipt_of_a_toxic_says_from_when_to_when_it_was_measured(scene: FakeScene) -> None:
    """By the wall clock, as somebody reads it who looks for it in another log."""
    with FAULTS["latency"].injected(scene, "ends_to_gateway", LatencyArguments(latency_ms=100)):
        scene.pause(3.0)
    (receipt,) = scene.journal.named("fault.receipt")
    assert re.search(r", from \d\d:\d\d:\d\d\.\d{3} to \d\d:\d\d:\d\d\.\d{3}$", receipt["measured_on"])


def test_a_round_trip_gives_up_at_the_first_silence(scene: FakeScene) -> None:
    """Five unanswered canaries of four minutes each would keep mending from ending."""
    scene.stage.toxiproxy.disabled.add("ends_to_gateway")
    before = len(scene.trail)
    assert round_trips(scene.stage, "ends_to_gateway", 5, 1.0) is None
    assert len(scene.trail) == before + 1


def test_latency_that_cannot_be_taken_off_is_noticed_in_seconds(scene: FakeScene) -> None:
    """The proof that it is off waits for half of the delay and two seconds, not for all of it twice over."""
    arguments = LatencyArguments(latency_ms=20000, direction="upstream")
    with FAULTS["latency"].injected(scene, "ends_to_gateway", arguments) as receipt:
        scene.stage.deaf = True
        before = len(scene.stage.patience_s)
    assert scene.stage.patience_s[before:] == [12.0]
    assert not receipt.mended.seen


def test_looking_ends_when_the_time_is_up_with_the_last_thing_seen(scene: FakeScene) -> None:
    """A proof that never comes is bounded, and its witness is the latest."""
    looks = iter(range(1000))
    proof = eventually(scene, 1.0, lambda: Proof(False, f"look {next(looks)}"), every_s=0.25)
    assert (proof.seen, proof.measured) == (False, "look 4")
    assert scene.now_s == pytest.approx(1.0)


def test_each_act_is_done_though_one_before_it_fails() -> None:
    """In their order, and an error comes out at the end."""
    done: list[int] = []

    def fail() -> None:
        done.append(2)
        raise CannotRun("two")

    with pytest.raises(CannotRun, match="two"):
        each(lambda: done.append(1), fail, lambda: done.append(3))
    assert done == [1, 2, 3]


def crashed(scene: FakeScene) -> dict[str, object]:
    """The receipt of a crash of relay_a."""
    with FAULTS["crash"].injected(scene, "relay_a", Arguments()):
        pass
    (receipt,) = scene.journal.named("fault.receipt")
    return receipt


def test_a_crash_is_mended_by_the_restart_policy(scene: FakeScene) -> None:
    """Nobody else starts the service; the receipt has both processes and the policy's own time."""
    before = scene.stage.services["relay_a"].running
    receipt = crashed(scene)
    after = scene.stage.services["relay_a"].running
    assert (receipt["landed"], receipt["mended"]) == (True, True)
    assert receipt["pid_before"] == before.pid != after.pid
    assert receipt["policy"].startswith("acted, seen after ")
    assert "mend start relay_a" not in scene.trail
    assert scene.journal.named("service.started") == [{"service": "relay_a", "pid": after.pid}]


def test_a_restart_policy_that_does_not_act_is_not_called_mending(scene: FakeScene) -> None:
    """The service is started all the same, so that the drill can go on; the receipt says that the policy did not."""
    scene.stage.policy_acts = False
    receipt = crashed(scene)
    assert (receipt["landed"], receipt["mended"]) == (True, False)
    assert receipt["policy"] == "did not act within 10 s"
    assert scene.stage.services["relay_a"].running.returncode is None
    assert scene.now_s == pytest.approx(10.0, abs=0.2)
    assert len(scene.journal.named("service.started")) == 1


ONE_STAGE = {"crash": {"containers"}}


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_a_fault_is_one_on_both_stages(name: str) -> None:
    """But for those that one of them has no means for."""
    assert FAULTS[name].stages == ONE_STAGE.get(name, {"containers", "processes"})


def test_a_relay_that_was_told_the_new_key_is_restarted_with_the_old_one(scene: FakeScene) -> None:
    """One that was left running never knew another; a relay that kept the new key would be of no use afterwards."""
    stage = scene.stage
    before = {name: service.running for name, service in stage.services.items()}
    with FAULTS["rotate_key"].injected(scene, "master", Arguments()) as receipt:
        stage.stop("relay_a")
        stage.start("relay_a")
        meanwhile = stage.services["relay_a"].running
    assert stage.services["relay_a"].running is not meanwhile
    assert stage.services["relay_b"].running is before["relay_b"]
    assert receipt.landed and receipt.landed.seen
    assert receipt.mended and receipt.mended.seen


def test_no_key_is_in_the_receipt_of_a_rotation(scene: FakeScene) -> None:
    """Its id is; that is public."""
    with FAULTS["rotate_key"].injected(scene, "master", Arguments()) as receipt:
        pass
    assert receipt.detail.keys() == {"new_key_id"}
    assert len(receipt.detail["new_key_id"]) == len("k") + 16
