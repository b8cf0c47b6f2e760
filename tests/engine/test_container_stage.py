"""The container stage on a real engine: raised, broken in every way it offers, mended, and gone without a trace.

Needs an engine and the images (`make images`); without them these tests are errors, never skipped.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drills.catalogue import Catalogue
from drills.errors import CannotRun
from drills.options import Options
from drills.recovery import recover_all
from drills.signals import Signals
from drills.stage import choice, engine, leftovers
from drills.stage.asking import asked
from drills.stage.base import Stage
from drills.wavry.lease import SigningKey
from drills.wavry.master import MasterHttp

ADOPTED_S = 10.0


@pytest.fixture(scope="module", autouse=True)
def an_engine() -> None:
    """These tests say nothing without one."""
    if problem := engine.problem():
        raise CannotRun(f"no container stage here: {problem}; `make engine`")


def raised_in(folder: Path) -> Any:
    """A stage of the reference for this folder, not raised yet."""
    catalogue = Catalogue()
    (calm,) = catalogue.named(["calm"])
    folder.mkdir(parents=True)
    options = Options(stage="containers", pace="fast")
    return choice.stage_of(options, catalogue.compose, calm.services, folder, Signals(), lambda words: None)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One raised stage for the tests that leave it as they found it."""
    with raised_in(tmp_path_factory.mktemp("runs") / "run") as stage, stage.standing():
        yield stage


def left(folder: Path) -> list[str]:
    """Everything that the engine has of a run."""
    label = {"label": f"{leftovers.PROJECT_LABEL}={leftovers.project_of(folder)}"}
    with asked("list") as client:
        found = [one["Names"][0] for one in client.api.containers(all=True, filters=label)]
        found += [one["Name"] for one in client.api.networks(filters=label)]
        found += [one["Name"] for one in client.api.volumes(filters=label)["Volumes"] or []]
    return found


def adopted(stage: Stage, name: str) -> bool:
    """Whether the restart policy has put another process in place in time."""
    deadline = time.monotonic() + ADOPTED_S
    while not stage.adopt(name):
        if time.monotonic() > deadline:
            return False
    return True


def test_every_service_runs_hardened_on_its_own_address(stage: Stage) -> None:
    """Read-only root, no capability, no new privileges, a user who is not root, as Wavry's compose file has it."""
    with asked("inspect") as client:
        for service in stage.services.values():
            found = client.api.inspect_container(stage.containers[service.name])  # type: ignore[attr-defined]
            host, config = found["HostConfig"], found["Config"]
            assert (host["ReadonlyRootfs"], host["CapDrop"], host["CapAdd"]) == (True, ["ALL"], None)
            assert host["SecurityOpt"] == ["no-new-privileges:true"]
            assert config["User"] not in ("", "root", "0")
            (network,) = found["NetworkSettings"]["Networks"].values()
            assert network["IPAddress"] == service.address
            assert not found["NetworkSettings"]["Ports"] or not any(found["NetworkSettings"]["Ports"].values())


def test_the_network_is_internal_and_in_the_range_for_benchmarks(stage: Stage) -> None:
    """Nothing leaves the machine, and no office network is shadowed."""
    with asked("inspect") as client:
        label = f"{leftovers.PROJECT_LABEL}={leftovers.project_of(stage.folder)}"
        (network,) = client.api.networks(filters={"label": label})
    assert network["Internal"] is True
    assert network["IPAM"]["Config"][0]["Subnet"] == str(stage.block.network)
    assert str(stage.block.network).startswith(("198.18.", "198.19."))


@pytest.mark.parametrize("name", ["relay_b", "master", "gateway"])
def test_a_paused_service_stands_still_until_it_is_resumed(stage: Stage, name: str) -> None:
    """By the engine's word and by the kernel's; resuming twice does no harm."""
    running = stage.services[name].running
    assert running is not None
    assert not running.standing_still()[0]
    stage.pause(name)
    assert running.standing_still()[0]
    stage.resume(name)
    stage.resume(name)
    assert not running.standing_still()[0]
    assert running.exit_code() is None


def test_a_killed_service_stays_down_until_it_is_started(stage: Stage) -> None:
    """`docker kill`: no restart policy acts; the address stays the same."""
    before = stage.services["relay_b"].running
    assert stage.kill("relay_b") == 137
    assert stage.unexpected() == {}
    assert not stage.adopt("relay_b")
    stage.start("relay_b")
    stage.await_ready("relay_b")
    assert before is not None
    assert stage.services["relay_b"].running is not before
    assert "relay_b" not in stage.unexpected()


def test_a_crashed_service_is_started_again_by_its_policy(stage: Stage) -> None:
    """The process itself is killed: another fault than `kill`."""
    before = stage.services["relay_b"].running
    assert before is not None
    stage.crash("relay_b")
    assert adopted(stage, "relay_b")
    assert before.exit_code() is not None
    stage.await_ready("relay_b")
    assert stage.unexpected() == {}


def test_a_service_that_ends_by_itself_is_noticed_though_its_policy_covers_it_up(stage: Stage) -> None:
    """Killed behind the stage's back: a run must not go on as if nothing had happened."""
    import os
    import signal

    running = stage.services["relay_a"].running
    assert running is not None
    os.kill(running.pid, signal.SIGKILL)
    deadline = time.monotonic() + ADOPTED_S
    while not (found := stage.unexpected()):
        assert time.monotonic() < deadline
    assert "ended by itself" in found["relay_a"]
    while stage.services["relay_a"].running is running:
        stage.unexpected()
        assert time.monotonic() < deadline
    stage.await_ready("relay_a")


def test_what_a_service_prints_is_copied_over_restarts(stage: Stage) -> None:
    """Each line once, also those of the process before."""
    log = stage.folder / "logs" / "relay_b.log"
    before = log.read_text().count("Relay ID: ")
    stage.stop("relay_b")
    stage.start("relay_b")
    stage.await_ready("relay_b")
    deadline = time.monotonic() + ADOPTED_S
    while (count := log.read_text().count("Relay ID: ")) <= before:
        assert time.monotonic() < deadline
    assert count == before + 1


def test_a_master_with_another_key_keeps_its_address_and_goes_back(stage: Stage) -> None:
    """Compose makes the container anew; what it says of itself is the proof."""
    key = SigningKey.generate()
    with MasterHttp(stage.http("master"), timeout_s=2.0) as master:
        before = master.identity().public_key
        stage.rekey("master", key)
        stage.await_ready("master")
        assert master.identity().public_key == key.public_key
        stage.rekey("master", None)
        stage.await_ready("master")
        assert master.identity().public_key == before
    assert stage.unexpected() == {}


def test_two_stages_stand_side_by_side_and_leave_nothing(stage: Stage, tmp_path: Path) -> None:
    """Networks, names and volumes of their own; lowering one does not touch the other."""
    folder = tmp_path / "other"
    with raised_in(folder) as other, other.standing():
        assert not other.block.network.overlaps(stage.block.network)
        assert left(folder)
    assert left(folder) == []
    assert not leftovers.noted(folder)
    assert all(service.running and service.running.exit_code() is None for service in stage.services.values())


def test_no_secret_is_on_disk(stage: Stage) -> None:
    """They travel to Compose in memory; what the services print does not hold them either."""
    secrets = stage.secrets
    texts = [path.read_text(errors="replace") for path in stage.folder.rglob("*") if path.is_file()]
    for secret in (secrets.signing_key, secrets.admin_token, secrets.relay_token):
        assert not any(secret in text for text in texts)


def test_what_a_killed_run_has_left_is_recovered(tmp_path: Path) -> None:
    """A paused service among it; afterwards the engine has nothing of that run, and the record says so."""
    folder = tmp_path / "reports" / "2026-11" / "calm" / "run"
    with raised_in(folder) as stage:
        stage._raise()  # as a runner that never comes to lowering
        stage.pause("relay_a")
    (folder / "lock").touch()
    (folder / "journal.jsonl").touch()
    (row,) = recover_all(tmp_path / "reports")
    assert left(folder) == []
    assert row["problem"] == ""
    assert len(row["removed"]) >= 5
    recovered = json.loads((folder / "journal.jsonl").read_text().splitlines()[-1])
    assert recovered["event"] == "run.recovered"
    assert recover_all(tmp_path / "reports") == []
