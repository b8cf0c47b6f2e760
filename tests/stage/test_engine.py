"""Which engines can carry a stage, said without creating anything and in bounded time."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from fake_engine_socket import ABOUT, BRIDGE, FakeEngine

from drills.errors import CannotRun
from drills.stage import engine

V2 = "#!/bin/sh\necho Docker Compose version v2.33.1\n"
V1 = "#!/bin/sh\necho docker-compose version 1.29.2, build unknown\n"


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where the engine is looked for; no programs but those that a test puts there."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/engine.sock")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(engine, "REPOSITORY", tmp_path)
    (tmp_path / "bin").mkdir()
    return tmp_path / "engine.sock"


def program(folder: Path, name: str, script: str) -> Path:
    """A program in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(script)
    (folder / name).chmod(0o755)
    return folder / name


def test_an_engine_of_this_machine_with_compose_has_no_problem(at: Path) -> None:
    """The empty phrase."""
    program(at.parent / "bin", "docker-compose", V2)
    with FakeEngine().answering(at):
        assert engine.problem() == ""
        assert engine.version() == "20.10.24"


@pytest.mark.parametrize(
    ("about", "bridge", "server", "phrase"),
    [
        ({"SecurityOptions": ["name=seccomp", "name=rootless"]}, {}, "Docker/24", "a rootless engine: container"),
        ({"OperatingSystem": "Docker Desktop"}, {}, "Docker/24", "Docker Desktop: container addresses"),
        ({"OSType": "windows"}, {}, "Docker/24", "the engine runs windows containers"),
        ({}, {}, "Libpod/4.9 (linux)", "the engine is Podman"),
        ({}, {"Options": {"com.docker.network.bridge.name": "no-such0"}}, "Docker/24", "not on this machine"),
        (
            {},
            {"IPAM": {"Config": [{"Subnet": "192.0.2.0/24"}]}},
            "Docker/24",
            "bridge lo with 192.0.2.0/24 is not here",
        ),
    ],
)
def test_an_engine_whose_containers_cannot_be_reached_is_a_problem(
    at: Path, about: Mapping[str, Any], bridge: Mapping[str, Any], server: str, phrase: str
) -> None:
    """Each in a phrase of its own."""
    program(at.parent / "bin", "docker-compose", V2)
    with FakeEngine({**ABOUT, **about}, {**BRIDGE, **bridge}, server).answering(at):
        assert phrase in engine.problem()


def test_an_engine_without_a_bridge_of_its_own_is_taken_at_its_word(at: Path) -> None:
    """Started with --bridge=none, it has nothing to compare."""
    with FakeEngine(bridge={"message": "network bridge not found"}).answering(at):
        assert engine.unfit() == ""


def test_no_engine_is_a_problem_and_says_where_it_was_looked_for(at: Path) -> None:
    """Nobody there, nobody behind the socket, somebody who never answers."""
    phrase = f"no engine answers at unix://{at}"
    assert engine.problem() == phrase
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(at))
        assert engine.problem() == phrase


def test_an_engine_that_never_answers_is_given_up(at: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In bounded time."""
    monkeypatch.setattr(engine, "ANSWER_WITHIN_S", 0.05)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(at))
        silent.listen()
        assert engine.problem() == f"no engine answers at unix://{at}"


def test_an_engine_on_another_machine_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Services are reached at container addresses; the client says so too, and what to do."""
    monkeypatch.setenv("DOCKER_HOST", "tcp://198.18.0.1:2375")
    assert engine.problem() == "the engine is not on this machine (DOCKER_HOST=tcp://198.18.0.1:2375)"
    with pytest.raises(CannotRun, match=r"not on this machine.*make engine.*--stage processes"):
        engine.client()


def test_a_client_of_no_engine_says_what_to_do(at: Path) -> None:
    """Exit 3."""
    with pytest.raises(CannotRun, match=f"no engine answers at unix://{at}: .*make engine.*--stage processes"):
        engine.client(0.5)


def test_without_compose_there_is_a_problem(at: Path) -> None:
    """And version 1 is none."""
    with FakeEngine().answering(at):
        assert engine.problem() == "no compose v2"
        program(at.parent / "bin", "docker-compose", V1)
        assert engine.problem() == "no compose v2"
        with pytest.raises(CannotRun, match=r"no compose v2.*make engine"):
            engine.compose_program()


def test_compose_is_dockers_plug_in_or_ours_or_somebodys(at: Path) -> None:
    """In this order; a docker without the plug-in is passed over."""
    own = program(at.parent / "bin", "docker-compose", V2)
    assert engine.compose_program() == ["docker-compose"]
    ours = program(at.parent / ".tools" / "bin", "docker-compose", V2)
    assert engine.compose_program() == [str(ours)]
    docker = program(
        own.parent, "docker", "#!/bin/sh\necho \"docker: 'compose' is not a docker command\" >&2; exit 1\n"
    )
    assert engine.compose_program() == [str(ours)]
    docker.write_text(V2)
    assert engine.compose_program() == ["docker", "compose"]
    assert engine.compose_version() == "v2.33.1"


def test_programs_that_talk_to_the_engine_are_given_ours(at: Path) -> None:
    """Docker's contexts must not lead Compose elsewhere."""
    assert engine.environment() == {"DOCKER_HOST": f"unix://{at}"}
