"""The container stage on an engine in memory: what it asks for, in which order, and what it makes of the answers.

What a real engine does is shown in ``tests/engine/test_container_stage.py``.
"""

from __future__ import annotations

import io
import os
import signal
import sqlite3
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import pytest

from drills.catalogue import Catalogue
from drills.errors import CannotRun, Interrupted
from drills.record import scrubbed
from drills.reference.releases import CANDIDATE, KNOWN_GOOD
from drills.signals import Signals
from drills.stage import containers as containers_module
from drills.stage import leftovers
from drills.stage.addresses import network_block
from drills.stage.container import Container
from drills.stage.containers import ContainerStage
from drills.stage.programs import Programs
from drills.wavry.lease import SigningKey
from tests.load.made_settings import made_settings
from tests.stage.both_stages import PROGRAMS
from tests.stage.fake_engine import FakeContainer, FakeEngine

SERVICES = ("gateway", "master", "relay_a", "relay_b", "toxiproxy")
WATCH = ContainerStage._watch_engine  # of which the stages of the other tests have none


@dataclass
class FakeCompose:
    """Makes containers, network and volume in the fake engine, as Compose would; ``during`` happens meanwhile."""

    engine: FakeEngine
    variables: Mapping[str, str] = field(default_factory=dict)
    mark: str = ""
    project: str = ""
    asked: list[list[str]] = field(default_factory=list)
    during: list[signal.Signals] = field(default_factory=list)
    ended: bool = False

    def of(self, path: Path, project: str, program: list[str], variables: Mapping[str, str], mark: str) -> FakeCompose:
        """In place of ``DrillsCompose.of``."""
        self.project, self.variables, self.mark = project, variables, mark
        return self

    def create(self, services: list[str]) -> None:
        """In place of ``docker compose up --no-start``."""
        self.asked.append(services)
        assert leftovers.noted(Path(self.mark))  # before the first thing is made
        self.engine.network(f"{self.project}_stage", self.project)
        for number in self.during:
            os.kill(os.getpid(), number)
        for service in services:
            workers = int(self.variables.get("DRILLS_WORKERS", 1)) if service == "locust_worker" else 1
            for index in range(workers):
                self.engine.made(f"{self.project}-{service}-{index + 1}", self.project, service, runs=False)
        self.ended = True

    def create_anew(self, service: str) -> None:
        """In place of ``docker compose up --no-start --force-recreate``: another id, the same name and labels."""
        self.asked.append([service])
        (old,) = [one for one in self.engine.containers_by_id.values()
                  if one.labels["com.docker.compose.service"] == service]  # fmt: skip
        assert not old.pid  # it was stopped before
        del self.engine.containers_by_id[old.id]
        new = self.engine.made(old.name, self.project, service, runs=False)
        kind = "relay" if service.startswith("relay") else service
        del self.engine.containers_by_id[new.id]
        new.id = f"{len(self.asked)}-{new.id}"
        new.image = self.variables[f"DRILLS_{kind.upper()}_IMAGE"]
        new.told = [f"DRILLS_RELEASE={new.image.rpartition(':')[2]}"]
        self.engine.containers_by_id[new.id] = new


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """An engine in memory that is not watched, and no patience."""
    monkeypatch.setattr(ContainerStage, "_watch_engine", lambda stage: None)
    monkeypatch.setattr(containers_module, "LOGS_S", 5.0)
    monkeypatch.setattr("drills.stage.container.AGAIN_S", 0.005)
    monkeypatch.setattr("drills.stage.container.NOTICED_S", 0.02)
    return FakeEngine.installed(monkeypatch)


@pytest.fixture
def compose(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> FakeCompose:
    """Compose in memory."""
    compose = FakeCompose(engine)
    monkeypatch.setattr("drills.stage.drills_compose.DrillsCompose", compose)
    monkeypatch.setattr("drills.stage.engine.compose_program", lambda: ["docker", "compose"])
    return compose


@pytest.fixture
def stage(compose: FakeCompose, tmp_path: Path) -> Iterator[ContainerStage]:
    """A stage that is not raised yet."""
    folder = tmp_path / "run"
    folder.mkdir()
    catalogue = Catalogue()
    stage = ContainerStage(catalogue.compose, SERVICES[:4], PROGRAMS, folder, network_block(3), Signals())
    yield stage
    compose.engine.silent, compose.engine.stuck = False, set()
    stage.lower()


def raised(stage: ContainerStage) -> ContainerStage:
    """The stage with everything made and started, as far as no service needs to answer."""
    stage._begin()
    stage._start_all([*stage.services])
    return stage


def held(stage: ContainerStage, engine: FakeEngine, name: str) -> FakeContainer:
    """The container of a service."""
    return engine.containers_by_id[stage.containers[name]]


def running(stage: ContainerStage, name: str) -> Container:
    """What runs a service now."""
    found = stage.services[name].running
    assert isinstance(found, Container)
    return found


@pytest.fixture
def alive(monkeypatch: pytest.MonkeyPatch, engine: FakeEngine) -> None:
    """The kernel agrees with the engine about who lives: no process of these tests is real."""

    def lives(container: Container) -> bool:
        one = engine.containers_by_id.get(container.id)
        return bool(one and container.pid and one.pid == container.pid)

    monkeypatch.setattr(Container, "lives", lives)


pytestmark = pytest.mark.usefixtures("alive")


def test_everything_is_made_before_anything_is_started(
    stage: ContainerStage, compose: FakeCompose, engine: FakeEngine
) -> None:
    """Services and load in one go, under the run's own project and mark; started are those that were asked for."""
    stage.plan_load(made_settings(workers=3, run_folder=str(stage.folder)))
    stage._begin()
    assert compose.asked == [[*SERVICES, "locust_master", "locust_worker"]]
    assert (compose.project, compose.mark) == (leftovers.project_of(stage.folder), str(stage.folder))
    assert compose.variables["DRILLS_WORKERS"] == "3"
    assert not stage.load and not any(service.running for service in stage.services.values())
    stage._start_all([*stage.services])
    names = [running.name for running in stage.load]
    assert names == ["locust_master", "locust_worker-0", "locust_worker-1", "locust_worker-2"]
    assert len({running.log for running in stage.load}) == 4
    assert all(held(stage, engine, name).pid == running(stage, name).pid for name in SERVICES)
    assert len(stage.everybody()) == 9


def test_without_a_load_none_is_made(stage: ContainerStage, compose: FakeCompose) -> None:
    """The stage alone, as its tests raise it."""
    stage._begin()
    assert compose.asked == [[*SERVICES]]
    assert stage.load == []


def test_a_signal_while_compose_makes_things_waits_until_they_are_made(
    stage: ContainerStage, compose: FakeCompose, engine: FakeEngine
) -> None:
    """A Compose that is cut short would go on behind our back, and what it makes later nobody would remove."""
    compose.during = [signal.SIGINT]
    with stage.signals.caught(), pytest.raises(Interrupted), stage.standing():
        pass
    assert compose.ended
    assert engine.everything() == set()
    assert not leftovers.noted(stage.folder)


def test_a_folder_that_cannot_be_mounted_is_refused_before_anything_is_made(
    stage: ContainerStage, compose: FakeCompose
) -> None:
    """A colon in its name ends the source of a mount; nothing is noted, and the way out is named."""
    stage.folder = stage.folder.with_name("a:b")
    with pytest.raises(CannotRun, match=r"a:b: a folder with a colon .* use another --out"):
        stage._begin()
    assert compose.asked == []


def test_lowering_leaves_nothing_and_can_be_repeated(stage: ContainerStage, engine: FakeEngine) -> None:
    """Whatever runs is killed first, so that its last words are in its log."""
    raised(stage)
    held(stage, engine, "relay_a").logs = [b"no such key\n"]
    stage.lower()
    assert engine.everything() == set()
    assert not leftovers.noted(stage.folder)
    assert (stage.folder / "logs" / "relay_a.log").read_bytes() == b"no such key\n"
    killed = [word for word in engine.told if word.startswith("kill")]
    assert len(killed) == len(SERVICES)
    told = len(engine.told)
    stage.lower()
    assert len(engine.told) == told


def test_an_engine_that_is_gone_at_the_end_leaves_the_note(stage: ContainerStage, engine: FakeEngine) -> None:
    """`drills recover` removes it when the engine is back; the error says that something is left."""
    raised(stage)
    engine.silent = True
    with pytest.raises(CannotRun, match="did not remove what a run has left"):
        stage.lower()
    assert leftovers.noted(stage.folder)


@pytest.mark.parametrize(("end", "code", "word"), [("kill", 137, "kill"), ("stop", 143, "stop")])
def test_what_we_end_is_expected_and_starts_again(
    stage: ContainerStage, engine: FakeEngine, end: str, code: int, word: str
) -> None:
    """The same container, another process; its exit code is the engine's."""
    before = running(raised(stage), "relay_a")
    assert getattr(stage, end)("relay_a") == code
    assert engine.told[-1].startswith(f"{word} ")
    assert stage.unexpected() == {}
    assert before.exit_code() == code
    stage.start("relay_a")
    after = running(stage, "relay_a")
    assert (after.id, after.log) == (before.id, before.log)
    assert after.pid != before.pid
    assert stage.services["relay_a"].starts == 2
    assert stage.taken_down == set()


def test_a_stop_waits_as_long_as_docker_stop_does(stage: ContainerStage, engine: FakeEngine) -> None:
    """Ten seconds (operations-facts §1.3)."""
    raised(stage).stop("relay_a")
    assert engine.told[-1].endswith(" within 10")


def test_starting_a_service_that_runs_changes_nothing(stage: ContainerStage, engine: FakeEngine) -> None:
    """The mending of a fault may come before the fault did anything."""
    before = running(raised(stage), "relay_a")
    told = len(engine.told)
    stage.start("relay_a")
    assert running(stage, "relay_a") is before
    assert len(engine.told) == told


def test_a_paused_service_is_resumed_once(stage: ContainerStage, engine: FakeEngine) -> None:
    """Resuming what is not paused is an error to the engine and none to us: mending may come twice."""
    raised(stage).pause("relay_a")
    assert running(stage, "relay_a").standing_still()[0]
    assert stage.unexpected() == {}
    stage.resume("relay_a")
    stage.resume("relay_a")
    assert not running(stage, "relay_a").standing_still()[0]
    assert [word.split()[0] for word in engine.told if "pause" in word] == ["pause", "unpause"]


def test_a_crash_kills_the_process_and_not_the_container(
    stage: ContainerStage, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`docker kill` would keep the restart policy from acting; while it has not, the service is down by our doing."""
    before = running(raised(stage), "relay_a")
    killed: list[tuple[int, int]] = []
    monkeypatch.setattr(containers_module.os, "kill", lambda pid, number: killed.append((pid, number)))
    told = len(engine.told)
    stage.crash("relay_a")
    assert killed == [(before.pid, signal.SIGKILL)]
    assert len(engine.told) == told
    engine.end(before.id, 137)
    assert not stage.adopt("relay_a")
    assert stage.unexpected() == {}


def test_whoever_is_not_root_crashes_a_service_from_inside_a_container(
    stage: ContainerStage, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It sees this machine's processes, may do nothing but kill, and carries the run's label, to be swept with it."""
    before = running(raised(stage), "relay_a")

    def refused(pid: int, number: int) -> None:
        raise PermissionError

    runs: list[tuple[str, list[str], dict[str, object]]] = []
    kill = SimpleNamespace(run=lambda image, words, **how: runs.append((image, words, how)))
    with monkeypatch.context() as patched:
        patched.setattr(containers_module.os, "kill", refused)
        patched.setattr(engine, "containers", kill)
        stage.crash("relay_a")
    ((image, words, how),) = runs
    assert image == PROGRAMS.images["DRILLS_LOAD_IMAGE"]
    assert f"os.kill({before.pid}, 9)" in words[-1]
    assert (how["cap_drop"], how["cap_add"], how["network_mode"]) == (["ALL"], ["KILL"], "none")
    assert how["labels"] == {leftovers.PROJECT_LABEL: leftovers.project_of(stage.folder)}


def test_what_does_not_run_cannot_crash(stage: ContainerStage) -> None:
    """Said, and not taken for a crash."""
    raised(stage).kill("relay_a")
    with pytest.raises(CannotRun, match="relay_a does not run, it cannot crash"):
        stage.crash("relay_a")


def test_what_the_restart_policy_has_started_is_adopted(stage: ContainerStage, engine: FakeEngine) -> None:
    """Once: the same container with another process; a relay's id is forgotten with the old one."""
    before = running(raised(stage), "relay_a")
    stage.services["relay_a"].relay_id = "the old one's"
    stage.taken_down.add("relay_a")
    assert not stage.adopt("relay_a")
    held(stage, engine, "relay_a").pid = next(engine.pids)
    assert stage.adopt("relay_a")
    after = running(stage, "relay_a")
    assert after is not before
    assert after.pid == held(stage, engine, "relay_a").pid
    assert stage.services["relay_a"].relay_id == ""
    assert stage.taken_down == set()
    assert not stage.adopt("relay_a")


def test_an_end_that_a_restart_policy_covers_up_is_noticed(stage: ContainerStage, engine: FakeEngine) -> None:
    """Once, with the process that ended; from then on the new one is the service."""
    before = running(raised(stage), "master")
    held(stage, engine, "master").pid = next(engine.pids)
    assert stage.unexpected() == {
        "master": f"{before} ended by itself with -1; its restart policy has started it again"
    }
    assert stage.unexpected() == {}


def test_an_end_that_nobody_covers_up_stays_wrong(stage: ContainerStage, engine: FakeEngine) -> None:
    """For instance Toxiproxy's, which has no restart policy."""
    before = running(raised(stage), "toxiproxy")
    engine.end(before.id, 2)
    for _ in range(2):
        assert stage.unexpected() == {"toxiproxy": f"{before} ended by itself with 2"}


@pytest.mark.parametrize(("answers", "lost"), [("+--+--+", False), ("--+", False), ("+---", True), ("---", True)])
def test_an_engine_that_misses_three_answers_in_a_row_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: str, lost: bool
) -> None:
    """One that is busy may miss one or two; whoever lets time pass on the stage is told, with what to do."""
    monkeypatch.setattr(containers_module, "PING_EVERY_S", 0.0)
    catalogue = Catalogue()
    stage = ContainerStage(catalogue.compose, ("gateway",), PROGRAMS, tmp_path, network_block(3), Signals())
    engine, left = FakeEngine(), iter(answers)

    def asked(what: str, timeout_s: float) -> object:
        answer = next(left, None)
        if answer is None:
            stage._watching.set()
        engine.silent = answer == "-"
        return engine.asked(what, timeout_s)

    monkeypatch.setattr(engine, "ping", lambda: True, raising=False)
    monkeypatch.setattr(containers_module, "asked", asked)
    WATCH(stage)
    if not lost:
        stage.check_alive()
        return
    with pytest.raises(CannotRun, match="did not answer: it is silent; `drills recover` removes what is left"):
        stage.check_alive()


def test_relays_queues_are_looked_at_where_the_relays_are(stage: ContainerStage) -> None:
    """Each has a network namespace of its own; probes are told to send from wherever the kernel likes."""
    raised(stage)
    assert stage.udp_tables() == [Path(f"/proc/{running(stage, name).pid}/net/udp") for name in ("relay_a", "relay_b")]
    assert stage.probe_sources() == (None, None)


def image_of(reference: str) -> str:
    """An image as a version names it: short enough that no journal takes its id for a key."""
    found = f"{reference} sha256:{sha256(reference.encode()).hexdigest()[:16]}"
    assert scrubbed(found) == found
    return found


def upgradable(stage: ContainerStage, engine: FakeEngine) -> ContainerStage:
    """A raised stage that has a candidate, its gateway an image of the known-good release."""
    stage.candidate = Programs(
        {f"DRILLS_{kind}_IMAGE": f"example/{kind.lower()}:candidate" for kind in ("GATEWAY", "RELAY")}
    )
    raised(stage)
    held(stage, engine, "gateway").image = "example/gateway:1"
    held(stage, engine, "gateway").told = ["DRILLS_RELEASE=1"]
    engine.files["gateway", "/var/lib/wavry"] = b"before"
    return stage


def test_a_container_is_made_anew_as_another_release_and_back(
    stage: ContainerStage, engine: FakeEngine, compose: FakeCompose, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By Compose, that one service alone; what runs is what the engine says of the new container."""
    monkeypatch.setattr(Programs, "version", lambda programs, kind: programs.images[f"DRILLS_{kind.upper()}_IMAGE"])
    upgradable(stage, engine)
    before, old = stage.version("gateway"), stage.containers["gateway"]
    replaced = stage.replace("gateway", CANDIDATE, keep=True)
    assert compose.asked[1:] == [["gateway"]]
    assert stage.containers["gateway"] != old
    assert held(stage, engine, "gateway").pid
    assert stage.version("gateway") == replaced.planned == f"{image_of('example/gateway:candidate')}, candidate"
    assert replaced.said == ""
    assert stage.services["gateway"].environment["DRILLS_RELEASE"] == CANDIDATE
    stage.replace("gateway", KNOWN_GOOD)
    assert stage.version("gateway") == before
    assert stage.unexpected() == {}


def test_another_key_makes_a_container_anew_when_it_is_started_and_no_sooner(
    stage: ContainerStage, compose: FakeCompose
) -> None:
    """The master at once; a relay that is left running keeps its container, and so does the gateway."""
    raised(stage)
    before = dict(stage.containers)
    stage.rekey("master", SigningKey.generate())
    assert compose.asked[1:] == [["master"]]
    assert {name for name in before if stage.containers[name] != before[name]} == {"master"}
    for name in ("relay_a", "gateway"):
        stage.stop(name)
        stage.start(name)
    assert compose.asked[1:] == [["master"], ["relay_a"]]
    stage.rekey("master", None)
    stage.stop("relay_b")  # has never heard of the other key
    stage.start("relay_b")
    assert compose.asked[1:] == [["master"], ["relay_a"], ["master"]]


def test_what_a_candidate_is_told_is_told_to_the_candidate(
    stage: ContainerStage, engine: FakeEngine, compose: FakeCompose, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A setting that changes does not bring the known-good image back."""
    monkeypatch.setattr(Programs, "version", lambda programs, kind: programs.images[f"DRILLS_{kind.upper()}_IMAGE"])
    upgradable(stage, engine)
    stage.replace("gateway", CANDIDATE)
    stage.stop("gateway")
    stage.change("gateway", DRILLS_TOTP_KEY="another")
    stage.start("gateway")
    assert compose.variables["DRILLS_GATEWAY_IMAGE"] == "example/gateway:candidate"
    assert compose.variables["DRILLS_TOTP_KEY"] == "another"


def test_a_volume_is_put_away_and_put_back(
    stage: ContainerStage, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only while nobody writes to it."""
    monkeypatch.setattr(Programs, "version", lambda programs, kind: programs.images[f"DRILLS_{kind.upper()}_IMAGE"])
    upgradable(stage, engine)
    stage.replace("gateway", CANDIDATE, keep=True)
    engine.files["gateway", "/var/lib/wavry"] = b"during"
    stage.replace("gateway", KNOWN_GOOD)
    assert engine.files["gateway", "/var/lib/wavry"] == b"during"
    stage.replace("gateway", KNOWN_GOOD, put_back=True)
    assert engine.files["gateway", "/var/lib/wavry"] == b"before"


def test_a_kept_volumes_schema_version_is_read_from_its_database(stage: ContainerStage, tmp_path: Path) -> None:
    """Unpacked from the archive that the engine gave."""
    path = tmp_path / "gateway.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE schema_steps (version INTEGER)")
        connection.execute("INSERT INTO schema_steps VALUES (7)")
    connection.close()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(path, "./gateway.db")
    assert stage.kept_schema_version("gateway") is None
    stage._kept["gateway:/var/lib/wavry"] = packed.getvalue()
    assert stage.kept_schema_version("gateway") == 7


def test_a_release_that_nobody_made_ready_is_refused(stage: ContainerStage) -> None:
    """Before anything is made anew."""
    raised(stage)
    with pytest.raises(CannotRun, match="no images were made ready for the release candidate"):
        stage.replace("gateway", CANDIDATE)


def test_a_mounted_program_is_known_by_its_own_digest(
    stage: ContainerStage, engine: FakeEngine, tmp_path: Path
) -> None:
    """And by the folder that it is mounted from: the image is the same for all of them."""
    raised(stage)
    (tmp_path / "wavry-gateway").write_bytes(b"a program")
    one = held(stage, engine, "gateway")
    one.image, one.mounts = (
        "wavry-drills/gateway:mounted-1",
        [{"Destination": "/opt/wavry/bin", "Source": str(tmp_path)}],
    )
    digest = sha256(b"a program").hexdigest()[:16]
    assert stage.version("gateway") == f"sha256:{digest} mounted from {tmp_path} into {image_of(one.image)}"
