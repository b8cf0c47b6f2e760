"""Docker Compose for one run: its words in their order, its variables in memory, bounded, nothing of the operator's.

The program is a few lines of shell that write down what they were started with; Compose itself is not needed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from drills.errors import CannotRun
from drills.stage import drills_compose
from drills.stage.drills_compose import DrillsCompose, _env_file

TOLD = """#!/bin/sh
cd "{seen}" || exit 9
for word in "$@"; do echo "$word"; done > words
tr '\\0' '\\n' < /proc/self/environ > environment
while [ "$1" != --env-file ]; do shift; done
cat "$2" > env_file
ls -l "$2" > env_file_place
cut -d' ' -f6 /proc/self/stat > session
{then}
"""
VARIABLES = {"DRILLS_ADMIN_TOKEN": "hush-hush", "DRILLS_LOAD": '{"a": "b c", "d": [1.5]}', "DRILLS_DEFECTS": ""}


class Program:
    """A program in place of `docker compose`, and what it was started with."""

    def __init__(self, folder: Path) -> None:
        self.path, self.seen = folder / "docker", folder / "seen"
        self.seen.mkdir()
        self.does("exit 0")

    def does(self, then: str) -> None:
        """What it does once it has written down how it was started."""
        self.path.write_text(TOLD.format(seen=self.seen, then=then))
        self.path.chmod(0o755)

    def read(self, name: str) -> list[str]:
        """One of the things that it wrote down, by lines."""
        return (self.seen / name).read_text().splitlines()


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Compose, as it were."""
    return Program(tmp_path)


@pytest.fixture
def compose(program: Program, tmp_path: Path) -> Callable[..., DrillsCompose]:
    """Compose on a file, for a project."""
    path = tmp_path / "docker-compose.drills.yml"
    path.write_text("services: {}\n")

    def made(variables: dict[str, str] = VARIABLES, mark: str = "") -> DrillsCompose:
        return DrillsCompose.of(path, "drills-0123", [str(program.path), "compose"], variables, mark)

    return made


def test_the_words_come_in_the_order_that_compose_wants(
    program: Program, compose: Callable[..., DrillsCompose], tmp_path: Path
) -> None:
    """Its own options before the verb, what to make after it; nothing is started, built or pulled."""
    compose().create(["gateway", "locust_worker"])
    words = program.read("words")
    assert words[0:2] == ["compose", "--env-file"]
    assert words[3:] == [
        "--project-name", "drills-0123", "--file", str(tmp_path / "docker-compose.drills.yml"),
        "up", "--no-start", "--no-deps", "--no-build", "--pull", "never", "gateway", "locust_worker",
    ]  # fmt: skip


def test_the_variables_are_in_memory_and_nowhere_else(
    program: Program, compose: Callable[..., DrillsCompose], tmp_path: Path
) -> None:
    """As they are, in single quotes, so that Compose puts nothing into them; no word and no file holds a secret."""
    compose().create(["gateway"])
    assert program.read("env_file") == [
        "DRILLS_ADMIN_TOKEN='hush-hush'", "DRILLS_LOAD='{\"a\": \"b c\", \"d\": [1.5]}'", "DRILLS_DEFECTS=''",
    ]  # fmt: skip
    assert "memfd:" in program.read("env_file_place")[0]
    (program.seen / "env_file").unlink()
    texts = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert [text for text in texts if "hush-hush" in text] == []
    assert "hush-hush" not in repr(compose())


def test_the_env_file_is_gone_when_the_command_has_ended() -> None:
    """Also where it failed."""
    with pytest.raises(ZeroDivisionError), _env_file({"A": "b"}) as path:
        assert Path(path).read_text() == "A='b'\n"
        raise ZeroDivisionError
    assert not Path(path).exists()


@pytest.mark.parametrize("value", ["it's", "two\nlines", "'"])
def test_what_no_env_file_can_carry_is_refused(
    program: Program, compose: Callable[..., DrillsCompose], value: str
) -> None:
    """A quote would end the value, and Compose would read the rest as it pleases; the variable is named."""
    with pytest.raises(CannotRun, match="DRILLS_RUN_FOLDER has a quote or a line break in it"):
        compose({"DRILLS_RUN_FOLDER": value}).create(["gateway"])
    assert list(program.seen.iterdir()) == []


def test_nothing_of_the_operators_environment_reaches_the_file(
    program: Program, compose: Callable[..., DrillsCompose], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compose prefers the environment to an env-file: a DRILLS_DEFECTS left in a shell would be in force unseen."""
    for name in ("DRILLS_DEFECTS", "DRILLS_ADMIN_TOKEN", "COMPOSE_FILE", "COMPOSE_PROJECT_NAME", "COMPOSE_PROFILES",
                 "OPERATORS_TOKEN"):  # fmt: skip
        monkeypatch.setenv(name, "leaks")
    monkeypatch.setenv("DOCKER_HOST", "unix:///somewhere/docker.sock")
    compose().create(["gateway"])
    environment = program.read("environment")
    assert [line for line in environment if "leaks" in line] == []
    assert "DOCKER_HOST=unix:///somewhere/docker.sock" in environment
    assert f"PATH={os.environ['PATH']}" in environment


def test_a_compose_that_a_killed_runner_leaves_can_be_found(
    program: Program, compose: Callable[..., DrillsCompose], tmp_path: Path
) -> None:
    """By the run's mark; it has a session of its own, so that a terminal's Ctrl-C reaches the runner first."""
    compose(mark=str(tmp_path)).create(["gateway"])
    assert f"DRILLS_RUN_FOLDER={tmp_path}" in program.read("environment")
    assert int(program.read("session")[0]) != os.getsid(0)


def test_what_compose_says_is_the_error(program: Program, compose: Callable[..., DrillsCompose]) -> None:
    """Its last words, not its first; what looks like a key is taken out."""
    program.does(f"for word in one two three; do echo $word >&2; done; echo 'no space, {'ab' * 40}' >&2; exit 17")
    with pytest.raises(CannotRun, match=r"^docker compose failed with 17: two / three / no space, \[secret\]$"):
        compose().create(["gateway"])


def test_a_compose_that_fails_in_silence_is_an_error_too(
    program: Program, compose: Callable[..., DrillsCompose]
) -> None:
    """With its exit code."""
    program.does("exit 1")
    with pytest.raises(CannotRun, match="docker compose failed with 1: it said nothing"):
        compose().create(["gateway"])


def test_a_compose_that_hangs_is_given_up_in_time(
    program: Program, compose: Callable[..., DrillsCompose], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every wait has a bound."""
    monkeypatch.setattr(drills_compose, "CREATE_S", 0.2)
    program.does("exec /bin/sleep 30")
    began = time.monotonic()
    with pytest.raises(CannotRun, match=r"did not end within 0\.2 s"):
        compose().create(["gateway"])
    assert time.monotonic() - began < 5.0


def test_a_compose_that_is_not_there_is_a_drill_that_cannot_run(
    program: Program, compose: Callable[..., DrillsCompose]
) -> None:
    """Removed since it was found."""
    program.path.unlink()
    with pytest.raises(CannotRun, match="could not be started: No such file"):
        compose().create(["gateway"])
