"""`make engine`: what it starts and with which networks, what it removes, when it does nothing."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from ipaddress import ip_interface, ip_network
from pathlib import Path

import pytest
from fake_engine_socket import FakeEngine

from drills.errors import CannotRun
from drills.stage import engine, engine_setup
from drills.stage.engine_setup import Place

REPOSITORY = Path(__file__).resolve().parents[2]
OURS = ip_network("198.18.0.0/15")


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Place:
    """One below a folder of the test's own, with nobody there."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    monkeypatch.setenv("DRILLS_ENGINE_ROOT", str(tmp_path))
    monkeypatch.setattr(engine_setup, "DAEMON_FILE", tmp_path / "etc" / "daemon.json")
    return Place.from_environment()


@pytest.mark.parametrize(("there", "user", "installed"), [
    (("apt-get", "mmdebstrap"), 0, []), (("apt-get",), 0, ["mmdebstrap"]), (("apt-get",), 1000, []), ((), 0, []),
])  # fmt: skip
def test_an_engine_that_answers_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, place: Place, capsys: pytest.CaptureFixture[str], there: tuple[str, ...],
    user: int, installed: list[str],
) -> None:  # fmt: skip
    """Nothing is started, and nothing installed but what images are made with."""
    asked: list[str] = []
    monkeypatch.setattr("shutil.which", lambda name, *_, **__: f"/usr/bin/{name}" if name in there else None)
    monkeypatch.setattr("os.geteuid", lambda: user)
    monkeypatch.setattr(engine_setup, "install", asked.extend)
    with FakeEngine().answering(place.socket):
        engine_setup.have_engine()
    assert "engine: Docker 20.10.24 answers at unix://" in capsys.readouterr().out
    assert asked == installed


def test_an_engines_own_networks_lie_in_the_benchmarking_range(place: Place) -> None:
    """By file where the package starts it, by flags where we do, the same ones."""
    engine_setup.keep_networks_apart()
    written = json.loads(engine_setup.DAEMON_FILE.read_text())
    pool = written["default-address-pools"][0]
    assert ip_interface(written["bip"]).network.subnet_of(OURS) and ip_network(pool["base"]).subnet_of(OURS)
    assert not ip_interface(written["bip"]).network.overlaps(ip_network(pool["base"]))
    flags = engine_setup.NETWORK_WORDS
    assert flags["bip"][1] == written["bip"]
    assert flags["default-address-pools"][1] == f"base={pool['base']},size={pool['size']}"


def test_what_an_operator_has_set_is_not_set_again(monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    """dockerd refuses to start when a flag says what its file says; and the file stays as it is."""
    monkeypatch.delenv("DRILLS_ENGINE_ROOT")
    usual = Place.from_environment()
    assert [word for word in usual.command() if word.startswith("--bip")] == ["--bip"]
    engine_setup.DAEMON_FILE.parent.mkdir()
    engine_setup.DAEMON_FILE.write_text('{"bip": "192.0.2.1/24"}')
    engine_setup.keep_networks_apart()
    assert json.loads(engine_setup.DAEMON_FILE.read_text()) == {"bip": "192.0.2.1/24"}
    assert "--bip" not in usual.command() and "--default-address-pool" in usual.command()


def test_a_trial_beside_an_engine_in_use_has_a_network_of_its_own(place: Place) -> None:
    """In the same one it would take the first one's bridge away."""
    assert place.command()[:3] == ["unshare", "--net", "dockerd"]
    assert "--data-root" in place.command() and "--exec-root" in place.command()


def test_what_a_killed_engine_left_is_removed_and_what_a_living_one_has_is_not(place: Place) -> None:
    """A pid file whose number is somebody else's by now, and a socket that nobody answers at."""
    place.pid_file.write_text(str(os.getpid()))
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(place.socket))
    assert place.running() == 0
    place._remove_left()
    assert not place.pid_file.exists() and not place.socket.exists()
    with FakeEngine().answering(place.socket):
        place._remove_left()
        assert place.socket.exists()


def test_an_engine_that_does_not_come_up_is_quoted(monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    """Its last words and where the others are; it is no engine to leave behind."""
    place.log.write_text("no space left\n")
    monkeypatch.setattr(place, "command", lambda: ["sh", "-c", "echo failed to start; exit 7"])
    with pytest.raises(
        CannotRun, match=r"dockerd ended with 7 .*dockerd\.log\)\n    no space left\n    failed to start"
    ):
        place.start()


def test_an_engine_elsewhere_is_not_replaced_by_one_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever named it meant it."""
    monkeypatch.setenv("DOCKER_HOST", "tcp://198.18.0.1:2375")
    with pytest.raises(CannotRun, match="does not answer; unset it"):
        Place.from_environment()


def test_without_apt_the_packages_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Exit 3."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotRun, match=r"missing here: docker\.io, iptables.*another package manager"):
        engine_setup.install(["dockerd", "iptables"])


def test_compose_that_is_here_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And without one and without Go it is said what to install."""
    monkeypatch.setattr(engine, "compose_version", lambda: "v2.30.0")
    engine_setup.have_compose()
    assert "Compose v2.30.0 is here: left alone" in capsys.readouterr().out
    monkeypatch.setattr(engine, "compose_version", lambda: "")
    monkeypatch.setattr(engine_setup.shutil, "which", lambda name, path=None: None)
    with pytest.raises(CannotRun, match="no Compose v2 and no Go"):
        engine_setup.have_compose()


def test_make_engine_needs_nothing_but_the_standard_library() -> None:
    """It runs before anything is set up."""
    code = (
        f"import sys; sys.path.insert(0, {str(REPOSITORY)!r}); import drills.stage.engine_setup\n"
        "print({name.split('.')[0] for name in sys.modules} - {'drills', '__main__', *sys.stdlib_module_names})"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.strip() == "set()"
