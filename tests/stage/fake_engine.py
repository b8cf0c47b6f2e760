"""A container engine in memory, as far as the stage asks one: containers, networks and volumes by label, logs, states.

``asked`` takes the place of ``drills.stage.asking.asked``; while the engine is ``silent`` it raises as that does.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import docker.errors
import pytest

from drills.errors import CannotRun

MODULES = ("container", "containers", "leftovers", "networks")


@dataclass
class FakeContainer:
    """One container; ``pid`` is 0 while it does not run. ``logs`` holds what each of its processes has printed."""

    id: str
    name: str
    labels: dict[str, str]
    pid: int = 0
    exit_code: int = 0
    paused: bool = False
    restarts: int = 0
    logs: list[bytes] = field(default_factory=list)
    image: str = "example/any:1"
    told: list[str] = field(default_factory=list)  # of its environment
    mounts: list[dict[str, str]] = field(default_factory=list)

    @property
    def state(self) -> dict[str, Any]:
        """As `inspect` has it."""
        status = "paused" if self.paused else "running" if self.pid else "exited"
        return {"Pid": self.pid, "ExitCode": self.exit_code, "Status": status, "Paused": self.paused,
                "Running": bool(self.pid), "Restarting": False}  # fmt: skip


class FakeEngine:
    """Stands for ``docker.DockerClient`` and its ``api``; what it is told to do is noted in ``told``."""

    def __init__(self) -> None:
        self.containers_by_id: dict[str, FakeContainer] = {}
        self.networks_by_id: dict[str, dict[str, Any]] = {}
        self.volumes_by_name: dict[str, dict[str, str]] = {}
        self.told: list[str] = []
        self.silent = False
        self.stuck: set[str] = set()  # what cannot be removed
        self.files: dict[tuple[str, str], bytes] = {}  # on volumes: service and path -> what is there
        self.pids = iter(range(4_200_001, 5_000_000))  # beyond every process of this machine (pid_max is 2**22)
        self.api = self

    @classmethod
    def installed(cls, monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
        """An engine that every module of the stage asks from now on."""
        engine = cls()
        for module in MODULES:
            monkeypatch.setattr(f"drills.stage.{module}.asked", engine.asked)
        # the processes of these containers are anybody's
        monkeypatch.setattr("drills.stage.container._belongs", lambda pid, identity: True)
        return engine

    @contextlib.contextmanager
    def asked(self, what: str, timeout_s: float = 0.0) -> Iterator[FakeEngine]:
        """In place of ``asking.asked``."""
        if self.silent:
            raise CannotRun(f"the engine did not {what}: it is silent")
        try:
            yield self
        except docker.errors.APIError as error:
            raise CannotRun(f"the engine did not {what}: {error}") from error

    # -- what a test puts there --------------------------------------------------------------------------------------

    def made(self, name: str, project: str, service: str = "", *, runs: bool = True) -> FakeContainer:
        """A container of a Compose project."""
        labels = {"com.docker.compose.project": project, "com.docker.compose.service": service}
        one = FakeContainer(f"{name}-0123456789abcdef", name, labels, next(self.pids) if runs else 0)
        self.containers_by_id[one.id] = one
        return one

    def network(self, name: str, project: str, subnet: str = "") -> None:
        """A network of a Compose project."""
        self.networks_by_id[f"id of {name}"] = {
            "Id": f"id of {name}", "Name": name, "Labels": {"com.docker.compose.project": project},
            "IPAM": {"Config": [{"Subnet": subnet}] if subnet else None},
        }  # fmt: skip

    def volume(self, name: str, project: str) -> None:
        """A volume of a Compose project."""
        self.volumes_by_name[name] = {"com.docker.compose.project": project}

    def everything(self) -> set[str]:
        """The names of all that is there."""
        found = {one.name for one in self.containers_by_id.values()} | {*self.volumes_by_name}
        return found | {one["Name"] for one in self.networks_by_id.values()}

    # -- what the stage asks -----------------------------------------------------------------------------------------

    def inspect_container(self, identity: str) -> dict[str, Any]:
        one = self._one(identity)
        image = f"sha256:{sha256(one.image.encode()).hexdigest()}"
        return {"Id": identity, "State": one.state, "RestartCount": one.restarts, "Image": image,
                "Config": {"Image": one.image, "Env": one.told}, "Mounts": one.mounts}  # fmt: skip

    def _one(self, identity: str) -> FakeContainer:
        if identity not in self.containers_by_id:
            raise docker.errors.NotFound(f"No such container: {identity}")
        return self.containers_by_id[identity]

    def containers(self, *, all: bool, filters: dict[str, str]) -> list[dict[str, Any]]:
        assert all  # a container that does not run is left too
        return [{"Id": one.id, "Names": [f"/{one.name}"], "Labels": one.labels}
                for one in self.containers_by_id.values() if _matches(one.labels, filters)]  # fmt: skip

    def networks(self, filters: dict[str, str] | None = None) -> list[dict[str, Any]]:
        return [one for one in self.networks_by_id.values() if not filters or _matches(one["Labels"], filters)]

    def volumes(self, filters: dict[str, str]) -> dict[str, Any]:
        found = [{"Name": name} for name, labels in self.volumes_by_name.items() if _matches(labels, filters)]
        return {"Volumes": found or None}

    def start(self, identity: str) -> None:
        self.told.append(f"start {self._one(identity).name}")
        self._one(identity).pid = next(self.pids)

    def stop(self, identity: str, timeout: int) -> None:
        self.told.append(f"stop {self._one(identity).name} within {timeout}")
        self.end(identity, 143)

    def kill(self, identity: str) -> None:
        self.told.append(f"kill {self._one(identity).name}")
        if not self._one(identity).pid:
            raise docker.errors.APIError("is not running")
        self.end(identity, 137)

    def wait(self, identity: str, timeout: int) -> None:
        self._one(identity)

    def pause(self, identity: str) -> None:
        self.told.append(f"pause {self._one(identity).name}")
        self._one(identity).paused = True

    def unpause(self, identity: str) -> None:
        self.told.append(f"unpause {self._one(identity).name}")
        if not self._one(identity).paused:
            raise docker.errors.APIError("is not paused")
        self._one(identity).paused = False

    def end(self, identity: str, code: int) -> None:
        """A container's process ends, by itself or by others."""
        one = self._one(identity)
        one.pid, one.exit_code, one.paused = 0, code, False

    def get_archive(self, identity: str, path: str) -> tuple[list[bytes], dict[str, Any]]:
        assert not self._one(identity).pid  # a copy of what is written to meanwhile is none
        service = self._one(identity).labels["com.docker.compose.service"]
        return [self.files[service, path.removesuffix("/.")]], {}

    def put_archive(self, identity: str, path: str, copy: bytes) -> None:
        assert not self._one(identity).pid
        self.files[self._one(identity).labels["com.docker.compose.service"], path] = copy

    def remove_container(self, identity: str, *, force: bool, v: bool) -> None:
        assert force
        assert v
        name = self._one(identity).name
        self._may_go(name)
        del self.containers_by_id[identity]

    def remove_network(self, identity: str) -> None:
        network = self.networks_by_id[identity]
        if any(_shares_project(one.labels, network["Labels"]) for one in self.containers_by_id.values()):
            raise docker.errors.APIError("network has active endpoints")
        self._may_go(network["Name"])
        del self.networks_by_id[identity]

    def remove_volume(self, name: str, *, force: bool) -> None:
        self._may_go(name)
        del self.volumes_by_name[name]

    def _may_go(self, name: str) -> None:
        self.told.append(f"remove {name}")
        if name in self.stuck:
            raise docker.errors.APIError(f"{name} is busy")

    def logs(self, identity: str, *, stdout: bool, stderr: bool, stream: bool, follow: bool) -> Iterator[bytes]:
        assert stdout and stderr and stream and follow
        yield from [*self._one(identity).logs]


def _matches(labels: dict[str, str], filters: dict[str, str]) -> bool:
    name, _, value = filters["label"].partition("=")
    return labels.get(name) == value


def _shares_project(one: dict[str, str], other: dict[str, str]) -> bool:
    return one["com.docker.compose.project"] == other["com.docker.compose.project"]
