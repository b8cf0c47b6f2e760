"""The process stage: started once, said to be ready when it is, and lowered whatever happens.

The services are a few lines of Python that answer every request with one status; toxiproxy-server is the real one.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drills.errors import BadInput, CannotRun, Interrupted
from drills.stage import processes
from drills.stage.addresses import Block, address_of, claimed
from drills.stage.children import marked, sweep
from drills.stage.compose import Compose, ProxyPlan, ServicePlan
from drills.stage.processes import ProcessStage, Target, toxiproxy_program

TINY = """
import socket, sys
host, port = sys.argv[2].split(":")
status = sys.argv[3] if len(sys.argv) > 3 else "200 OK"
server = socket.create_server((host, int(port)))
print("up", flush=True)
while True:
    one, _ = server.accept()
    one.recv(4096)
    one.sendall(f"HTTP/1.0 {status}\\r\\nContent-Length: 0\\r\\n\\r\\n".encode())
    one.close()
"""
DYING = (sys.executable, "-S", "-c", "import sys; print('no such table', file=sys.stderr); sys.exit(3)")
Made = Callable[..., ProcessStage]
TOXIPROXY = "${DRILLS_ADDRESS_TOXIPROXY:-x}"
GATEWAY = "${DRILLS_ADDRESS_GATEWAY:-x}"
MASTER = "${DRILLS_ADDRESS_MASTER:-x}"


def plan(name: str, *command: str) -> ServicePlan:
    """A service of the kind that it is named after, with the secrets that services get."""
    environment = {"ADMIN_PANEL_TOKEN": "${DRILLS_ADMIN_TOKEN:-x}", "SIGNING": "${DRILLS_SIGNING_KEY:-x}"}
    return ServicePlan(name, name, command, environment, ())


def compose(*gateway_words: str) -> Compose:
    """Gateway, master and Toxiproxy, with one path."""
    services = {
        "gateway": plan("gateway", "--listen", f"{GATEWAY}:3000", *gateway_words),
        "master": plan("master", "--listen", f"{MASTER}:8080"),
        "toxiproxy": plan("toxiproxy", "-host", TOXIPROXY, "-port", "8474"),
    }
    path = ProxyPlan("ends_to_gateway", f"{TOXIPROXY}:3000", f"{GATEWAY}:3000")
    return Compose(Path("compose.yml"), services, {"ends_to_gateway": path})


@pytest.fixture(scope="module")
def block() -> Iterator[Block]:
    """Addresses that no drill and no other test run uses meanwhile."""
    with claimed() as block:
        yield block


@pytest.fixture
def programs(tmp_path: Path) -> dict[str, tuple[str, ...]]:
    """The tiny service for every kind; a test may put another program in its place."""
    (tmp_path / "tiny.py").write_text(TINY)
    return dict.fromkeys(("gateway", "master", "relay"), (sys.executable, "-S", str(tmp_path / "tiny.py")))


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A run's folder; nothing may carry its mark afterwards."""
    folder = tmp_path / "run"
    folder.mkdir()
    yield folder
    left = sweep(folder)
    assert left == []


@pytest.fixture
def stage_of(folder: Path, programs: dict[str, tuple[str, ...]], block: Block) -> Callable[..., ProcessStage]:
    """Makes a stage that is not raised yet; the words are what the gateway answers instead of 200."""
    target = Target("tiny", programs)
    return lambda *words: ProcessStage(compose(*words), ("gateway", "master"), target, folder, block)


def listening() -> set[str]:
    """Addresses on which somebody listens (state 0A of /proc/net/tcp)."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {address_of(words[1])[0] for words in lines if words[3] == "0A"}


def await_listening(folder: Path) -> None:
    """Until the tiny gateway listens."""
    deadline = time.monotonic() + 5.0
    while b"up" not in (folder / "logs" / "gateway.log").read_bytes():
        assert time.monotonic() < deadline


def test_a_raised_stage_answers_and_a_lowered_one_is_gone(stage_of: Made, folder: Path) -> None:
    """Every service ready, the path between them open; afterwards no process and no socket."""
    stage = stage_of()
    with stage.standing():
        assert {service.running.name for service in stage.services.values() if service.running} == set(stage.services)
        assert stage.toxiproxy.enabled("ends_to_gateway")
        assert len(marked(folder)) == 3
    assert marked(folder) == {}
    assert not {service.address for service in stage.services.values()} & listening()


def test_starting_a_service_that_runs_changes_nothing(stage_of: Made) -> None:
    """The mending of a fault may come before the fault did anything."""
    stage = stage_of()
    with stage.standing():
        before = stage.services["gateway"].running
        stage.start("gateway")
        assert stage.services["gateway"].running is before
        assert stage.services["gateway"].starts == 1


@pytest.mark.parametrize(("end", "code"), [("kill", -signal.SIGKILL), ("stop", -signal.SIGTERM)])
def test_a_service_that_was_ended_starts_again_as_it_was(stage_of: Made, end: str, code: int) -> None:
    """Another process at the same address, and its end tells how it ended."""
    stage = stage_of()
    with stage.standing():
        before = stage.services["master"].running
        assert getattr(stage, end)("master") == code
        stage.start("master")
        stage.await_ready("master")
        after = stage.services["master"].running
        assert before is not None
        assert after is not None
        assert before.pid != after.pid


def test_a_service_that_dies_at_its_start_is_named_with_its_log(
    stage_of: Made, folder: Path, programs: dict[str, tuple[str, ...]]
) -> None:
    """The run cannot go on, the reason is in the log that is named, and no process stays."""
    programs["gateway"] = DYING
    stage = stage_of()
    log = folder / "logs" / "gateway.log"
    with pytest.raises(CannotRun, match=f"gateway ended with 3 before it was ready; see {log}"), stage.standing():
        pass
    assert "no such table" in log.read_text()
    assert marked(folder) == {}


def test_a_program_that_cannot_be_started_leaves_nothing(stage_of: Made, programs: dict[str, tuple[str, ...]]) -> None:
    """Toxiproxy and what else was started before are ended too."""
    programs["master"] = ("/no/such/program",)
    with pytest.raises(CannotRun, match="master could not be started"), stage_of().standing():
        pass


def test_a_service_that_is_never_ready_is_given_up_with_its_last_answer(
    stage_of: Made, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wait has a bound, and a witness when it runs out."""
    stage = stage_of("503 Busy")
    stage.start("gateway")
    try:
        await_listening(folder)
        with pytest.raises(CannotRun, match=r"gateway not ready after 0\.1 s; last: /health 503"):
            stage.await_ready("gateway", within_s=0.1)
    finally:
        stage.lower()


def test_a_stranger_at_a_services_port_is_no_service(stage_of: Made, folder: Path) -> None:
    """What answers something else than HTTP is a witness, not an error of ours."""
    stage = stage_of("\r\nhello")
    stage.start("gateway")
    try:
        await_listening(folder)
        with pytest.raises(CannotRun, match=r"gateway not ready after 0\.1 s"):
            stage.await_ready("gateway", within_s=0.1)
    finally:
        stage.lower()


def test_a_service_that_moved_to_another_port_is_noticed(stage_of: Made, folder: Path) -> None:
    """Wavry takes another port without a word where its own is taken; somebody else answers then."""
    stage = stage_of()
    with stage.standing():
        log = folder / "logs" / "gateway.log"
        log.write_bytes(log.read_bytes() + b"port 3000 is in use, falling back to 3001\n")
        with pytest.raises(CannotRun, match="gateway moved to another port"):
            stage.await_ready("gateway")


def test_a_signal_while_raising_leaves_nothing(stage_of: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it comes."""
    stage = stage_of()

    def interrupted(name: str) -> None:
        raise Interrupted("SIGINT")

    monkeypatch.setattr(stage, "await_ready", interrupted)
    with pytest.raises(Interrupted), stage.standing():
        pass


def test_a_signal_in_the_middle_of_lowering_does_not_keep_it_from_ending(
    stage_of: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the first signal is ever raised, and lowering is done twice."""
    stage = stage_of()
    lower, strikes = stage.lower, iter([True])

    def struck() -> None:
        if next(strikes, False):
            raise Interrupted("SIGTERM")
        lower()

    monkeypatch.setattr(stage, "lower", struck)
    with pytest.raises(Interrupted), stage.standing():
        pass


def test_the_error_that_led_to_lowering_stays(stage_of: Made, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes wrong in lowering is a note to it."""
    stage = stage_of()

    def refused(folder: Path) -> list[int]:
        raise CannotRun("a process will not go")

    with pytest.raises(ZeroDivisionError) as raised, stage.standing():
        monkeypatch.setattr(processes, "sweep", refused)
        raise ZeroDivisionError
    assert "a process will not go" in "".join(raised.value.__notes__)


def test_secrets_are_never_in_a_repr(stage_of: Made) -> None:
    """A repr ends up in tracebacks, logs and journals."""
    stage = stage_of()
    shown = "".join(map(repr, (stage, stage.services, stage.secrets, stage.compose)))
    held = [stage.secrets.signing_key, stage.secrets.admin_token, stage.secrets.relay_token]
    assert len(set(held)) == 3
    assert [secret for secret in held if secret in shown] == []
    assert stage.services["gateway"].environment["ADMIN_PANEL_TOKEN"] == stage.secrets.admin_token


def test_secrets_are_not_on_disk(stage_of: Made, folder: Path) -> None:
    """Nothing that the stage writes into the run's folder holds one; they are made anew for each run."""
    stage, other = stage_of(), stage_of()
    assert stage.secrets != other.secrets
    held = [stage.secrets.signing_key, stage.secrets.admin_token, stage.secrets.relay_token]
    with stage.standing():
        texts = [path.read_text(errors="replace") for path in folder.rglob("*") if path.is_file()]
        commands = [Path(f"/proc/{pid}/cmdline").read_text() for pid in marked(folder)]
    assert [secret for secret in held if any(secret in text for text in texts + commands)] == []


def test_wavrys_binaries_are_asked_for_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that are missing at once, before anything is started."""
    monkeypatch.delenv("WAVRY_BIN", raising=False)
    with pytest.raises(BadInput, match="WAVRY_BIN: found nothing"):
        Target.named("wavry")
    monkeypatch.setenv("WAVRY_BIN", str(tmp_path))
    with pytest.raises(BadInput, match=r"wavry-gateway.*wavry-master.*wavry-relay"):
        Target.named("wavry")
    for kind in ("gateway", "master", "relay"):
        (tmp_path / f"wavry-{kind}").write_text("#!/bin/sh\n")
        (tmp_path / f"wavry-{kind}").chmod(0o755)
    assert Target.named("wavry").programs["relay"] == (str(tmp_path / "wavry-relay"),)


def test_a_missing_toxiproxy_is_said_with_the_way_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A drill that cannot run is never a skip."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(processes, "TOOLS", tmp_path)
    with pytest.raises(CannotRun, match="make setup"):
        toxiproxy_program()


def test_a_service_that_ends_by_itself_is_told_from_one_that_we_ended(stage_of: Made) -> None:
    """A drill that blames its own fault for a crash would praise or condemn the wrong thing."""
    stage = stage_of()
    with stage.standing():
        stage.kill("gateway")
        assert stage.unexpected() == {}
        stage.start("gateway")
        child = stage.services["gateway"].running
        assert child is not None
        child.kill()
        assert stage.unexpected() == {"gateway": f"pid {child.pid} ended by itself with -9"}


def test_how_long_each_service_took_until_it_was_ready_is_known(stage_of: Made) -> None:
    """From its own start: the bounds of a benchmark are about it; a later start is measured anew."""
    stage = stage_of()
    with stage.standing():
        assert set(stage.ready_s) == set(stage.services)
        assert all(0.0 < seconds <= stage.raised_s for seconds in stage.ready_s.values())
        before = dict(stage.ready_s)
        stage.await_ready("gateway")
        assert stage.ready_s == before
        stage.kill("gateway")
        stage.start("gateway")
        assert "gateway" not in stage.ready_s
        stage.await_ready("gateway")
        assert stage.ready_s["gateway"] != before["gateway"]
        assert stage.lowered_s == 0.0
    assert stage.lowered_s > 0.0


def test_a_process_that_is_paused_stands_still_and_goes_on(stage_of: Made) -> None:
    """By the kernel's word; resuming twice does no harm, and pausing is not ending."""
    stage = stage_of()
    with stage.standing():
        running = stage.services["gateway"].running
        assert running is not None
        stage.pause("gateway")
        until(lambda: running.standing_still() == (True, "process state T"))
        assert stage.unexpected() == {}
        assert running.exit_code() is None
        stage.resume("gateway")
        stage.resume("gateway")
        until(lambda: not running.standing_still()[0])
        stage.await_ready("gateway")


def until(seen: Callable[[], bool]) -> None:
    """Wait for the kernel."""
    deadline = time.monotonic() + 5.0
    while not seen():
        assert time.monotonic() < deadline


def test_a_process_cannot_crash_it_has_no_restart_policy(stage_of: Made) -> None:
    """Refused with the reason, and nothing is done to it; there is nobody to adopt either."""
    stage = stage_of()
    with stage.standing():
        before = stage.services["gateway"].running
        assert before is not None
        with pytest.raises(CannotRun, match="gateway cannot crash: a stage of processes has no restart policy"):
            stage.crash("gateway")
        assert before.exit_code() is None
        assert not stage.adopt("gateway")
        assert stage.services["gateway"].running is before
        assert stage.unexpected() == {}


def test_a_stage_of_processes_stands_on_this_machine(stage_of: Made, block: Block) -> None:
    """Nothing that could go away under it; probes send from two addresses of the run's own."""
    stage = stage_of()
    stage.check_alive()
    one, other = stage.probe_sources()
    assert one != other
    assert one in block
    assert other in block
    assert not {one, other} & {service.address for service in stage.services.values()}
    assert stage.everybody() == []
    assert stage.ground().startswith("processes of ")
