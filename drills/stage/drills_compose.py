"""Docker Compose for one run: testcontainers' ``DockerCompose`` with what it lacks.

testcontainers 4.15 knows no project name, no time-out and no way to create without starting. Everything that belongs
to one run goes through one env-file that is never on a disk, since it holds the run's secrets; and nothing of the
operator's own environment may leak into the file's variables.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from testcontainers.compose import DockerCompose

from drills.errors import CannotRun
from drills.record import scrubbed
from drills.stage.children import MARK
from drills.stage.engine import environment as engine_environment

CREATE_S = 60.0  # what creating a network, three volumes and eight containers may take; about 1 s here
PASSED_ON = ("PATH", "HOME", "DOCKER_CONFIG", "XDG_RUNTIME_DIR", "TMPDIR")


@dataclass
class DrillsCompose(DockerCompose):
    """``docker compose`` on the one compose file, for one project."""

    project: str = ""
    program: list[str] = field(default_factory=lambda: ["docker", "compose"])
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)  # holds the secrets
    mark: str = ""  # the run's folder: how `drills recover` finds a compose that a killed runner has left

    @classmethod
    def of(cls, path: Path, project: str, program: list[str], variables: Mapping[str, str], mark: str) -> DrillsCompose:
        """Compose on this file, for one project, with these values for the file's variables."""
        return cls(
            context=str(path.parent), compose_file_name=str(path), wait=False, project=project, program=program,
            variables=variables, mark=mark,
        )  # fmt: skip

    @cached_property
    def compose_command_property(self) -> list[str]:
        """The command's beginning, up to the verb."""
        files = [word for name in self.compose_file_name or [] for word in ("--file", name)]
        return [*self.program, "--project-name", self.project, *files]

    def create(self, services: list[str]) -> None:
        """Network, volumes and containers of these services, nothing started; raises CannotRun with Compose's words."""
        words = ["up", "--no-start", "--no-deps", "--no-build", "--pull", "never"]
        self._run_command([*self.compose_command_property, *words, *services])

    def create_anew(self, service: str) -> None:
        """The container of one service once more, by what the variables say now; its volumes stay. Raises CannotRun."""
        words = ["up", "--no-start", "--force-recreate", "--no-deps", "--no-build", "--pull", "never"]
        self._run_command([*self.compose_command_property, *words, service])

    def _run_command(self, cmd: str | list[str], context: str | None = None) -> subprocess.CompletedProcess[bytes]:
        """Run one command in a session of its own, bounded; what it said is the error where it fails."""
        words = [cmd] if isinstance(cmd, str) else cmd
        own = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        own |= engine_environment()  # the same engine as ours, whatever context Docker's own settings name
        if self.mark:
            own[MARK] = self.mark
        with _env_file(self.variables) as path:
            at = len(self.program)
            try:
                done: subprocess.CompletedProcess[Any] = subprocess.run(
                    [*words[:at], "--env-file", path, *words[at:]], cwd=context or str(self.context), env=own,
                    stdin=subprocess.DEVNULL, capture_output=True, start_new_session=True, timeout=CREATE_S,
                    check=False,
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                raise CannotRun(f"docker compose did not end within {CREATE_S:g} s") from None
            except OSError as error:
                raise CannotRun(f"docker compose could not be started: {error.strerror}") from None
        if done.returncode:
            raise CannotRun(f"docker compose failed with {done.returncode}: {self._last_words(done.stderr)}")
        return done

    def _last_words(self, output: bytes) -> str:
        """The end of what it said, without what it was told in confidence."""
        text = output.decode(errors="replace")
        for name, value in self.variables.items():
            if name.endswith(("_TOKEN", "_KEY")) and value:
                text = text.replace(value, "[secret]")
        lines = [line.strip() for line in scrubbed(text).splitlines() if line.strip()]
        return " / ".join(lines[-3:]) or "it said nothing"


@contextmanager
def _env_file(variables: Mapping[str, str]) -> Iterator[str]:
    """A path under which the variables can be read by whoever we are; in memory only. Raises CannotRun for a quote."""
    for name, value in variables.items():
        if "'" in value or "\n" in value:
            raise CannotRun(f"{name} has a quote or a line break in it, which no env-file can carry: a folder's name?")
    number = os.memfd_create("drills-env")
    try:
        os.write(number, "".join(f"{name}='{value}'\n" for name, value in variables.items()).encode())
        yield f"/proc/{os.getpid()}/fd/{number}"
    finally:
        os.close(number)
