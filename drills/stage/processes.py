"""The process stage: every service a local process on an address of its own in 127.0.0.0/8.

No engine, no root; what a process of a run is, is said in ``drills/stage/children.py``.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from drills.errors import BadInput, CannotRun
from drills.reference.defects import VARIABLE as DEFECTS
from drills.reference.releases import KNOWN_GOOD, Release
from drills.stage import priority
from drills.stage.addresses import Block
from drills.stage.base import STOP_GRACE_S, UDP_PROXY, Running, Service, Stage
from drills.stage.children import KILLED_S, REPOSITORY, Child, spawn, sweep, told
from drills.stage.compose import CONTROL_PLANE, LOAD, Compose
from drills.stage.volume import FILES, OWN_CUSTODIAN, FolderVolume, Volume, unprivileged

UPGRADED = ("gateway", "relay")  # operations-facts §1.2: what has published images
TOOLS = REPOSITORY / ".tools" / "bin"


@dataclass(frozen=True)
class Target:
    """Which control plane is rehearsed, and how its programs are started."""

    name: str
    programs: Mapping[str, tuple[str, ...]]  # kind of service -> command prefix
    candidates: Mapping[str, Path] = field(default_factory=dict)  # kind -> the candidate's program, where it is another

    @classmethod
    def named(cls, name: str) -> Target:
        """``reference``, or ``wavry`` with the binaries in ``WAVRY_BIN``; raises BadInput where they are not.

        The candidate of a rollback drill is in ``WAVRY_CANDIDATE_BIN``, where there is another one.
        """
        if name == "reference":
            return cls(name, {kind: (sys.executable, "-m", f"drills.reference.{kind}") for kind in CONTROL_PLANE})
        folder = os.environ.get("WAVRY_BIN", "")
        paths = {kind: Path(folder).resolve() / f"wavry-{kind}" for kind in CONTROL_PLANE}
        missing = [str(path) for path in paths.values() if not is_program(path)]
        if not folder or missing:
            found = f"no program at {', '.join(missing)}" if folder else "nothing"
            raise BadInput(f"WAVRY_BIN: found {found}, expected a folder with wavry-gateway, wavry-master, wavry-relay")
        return cls(name, {kind: (str(path),) for kind, path in paths.items()}, candidate_programs())


def candidate_programs() -> dict[str, Path]:
    """The programs in ``WAVRY_CANDIDATE_BIN``, none where it is not set; raises BadInput where some are missing."""
    folder = os.environ.get("WAVRY_CANDIDATE_BIN", "")
    if not folder:
        return {}
    found = {kind: Path(folder).resolve() / f"wavry-{kind}" for kind in UPGRADED}
    if missing := [str(path) for path in found.values() if not is_program(path)]:
        raise BadInput(f"WAVRY_CANDIDATE_BIN: found no program at {', '.join(missing)}, expected a folder with "
                       f"{' and '.join(f'wavry-{kind}' for kind in UPGRADED)}")  # fmt: skip
    return found


def is_program(path: Path) -> bool:
    """Whether there is a file that may be executed."""
    return path.is_file() and os.access(path, os.X_OK)


def toxiproxy_program() -> str:
    """Where ``toxiproxy-server`` is; raises CannotRun with the way to get it."""
    found = shutil.which("toxiproxy-server") or shutil.which("toxiproxy-server", path=str(TOOLS))
    if not found:
        raise CannotRun("toxiproxy-server is neither on the PATH nor in .tools/bin; `make setup` builds it with Go, or "
                        "install Toxiproxy 2.12")  # fmt: skip
    return found


class ProcessStage(Stage):
    """The services of one run as local processes."""

    name = "processes"

    def __init__(
        self, compose: Compose, wanted: tuple[str, ...], target: Target, folder: Path, block: Block, *,
        divisor: float = 1.0, defects: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        self.target = target
        self.children: list[Child] = []  # everything that was ever started, to be ended on the way out
        super().__init__(compose, wanted, folder, block, divisor=divisor, defects=defects)

    def _own_variables(self) -> dict[str, str]:
        data = {f"DRILLS_DATA_{name.upper()}": str(self.folder / "volumes" / name) for name in self.compose.services}
        return {**data, "DRILLS_UDP_SOURCES": "client"}  # on loopback a flow can have its client's own address

    def _begin(self) -> None:
        if self.load_settings is None or self.load_settings.folder is None:
            return
        environment = self.load_settings.environment()
        for index in range(-1, self.load_settings.workers):
            name = LOAD[0] if index < 0 else f"{LOAD[1]}-{index}"
            words = ["drills.load.master"] if index < 0 else ["drills.load.worker", str(index)]
            self.load.append(self._spawned(name, [sys.executable, "-m", *words], environment))

    def lower(self) -> None:
        """End everything, newest first; one that refuses does not keep the others standing. Can be repeated."""
        living = [child for child in reversed(self.children) if child.process.poll() is None]
        for child in living:
            child.process.send_signal(signal.SIGCONT)
            child.process.kill()
        for child in living:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(KILLED_S)
        sweep(self.folder)  # a signal can come between starting a process and noting it
        shutil.rmtree(self.folder / "volumes", ignore_errors=True)  # accounts of a stage that is gone

    # -- one service -------------------------------------------------------------------------------------------------

    def _run(self, service: Service) -> Running:
        data = self.folder / "volumes" / service.name
        data.mkdir(parents=True, exist_ok=True)
        if service.kind == "gateway":  # Wavry's own entry script touches the file too (contract-gateway §1.8)
            (data / "gateway.db").touch()
        # who writes to a volume may do there what it may do in a container, or no file's mode would mean anything
        words = [*(unprivileged() if service.plan.data_paths else ()), *self._argv(service)]
        return self._spawned(service.name, words, service.environment, cwd=data)

    def _spawned(
        self, name: str, command: list[str], environment: Mapping[str, str], *, cwd: Path | None = None
    ) -> Child:  # fmt: skip
        child = spawn(name, command, environment, self.folder, cwd=cwd)
        self.children.append(child)
        if self.gives_way:
            priority.placed(child.pid, priority.BEHIND)
        return child

    def _argv(self, service: Service) -> list[str]:
        if service.kind == "toxiproxy":
            return [toxiproxy_program(), *service.command]
        if service.kind == UDP_PROXY:
            return [sys.executable, *service.command[1:]]
        if service.release.image_tag != KNOWN_GOOD and self.target.name != "reference":
            return [str(self._candidate(service.kind)), *service.command]
        return [*self.target.programs[service.kind], *service.command]

    def _candidate(self, kind: str) -> Path:
        """The candidate's program: another one, or the same one under a second path."""
        copy = self.folder / "volumes" / ".candidate" / f"wavry-{kind}"
        return self.target.candidates.get(kind) or copy

    def _check_own_port(self, service: Service) -> None:
        """Wavry answers a taken port by moving to another without a word (D17, D-37): somebody else answered then."""
        if service.running and b"falling back to" in service.running.log.read_bytes():
            raise CannotRun(f"{service.name} moved to another port; see {service.running.log}")

    def _child(self, name: str) -> Child | None:
        running = self.services[name].running
        return running if isinstance(running, Child) else None

    def stop(self, name: str) -> int:
        """SIGTERM, ten seconds, SIGKILL, as `docker stop` does; returns the exit code."""
        self.taken_down.add(name)
        child = self._child(name)
        return child.end(STOP_GRACE_S) if child else 0

    def kill(self, name: str) -> int:
        """SIGKILL; returns the exit code."""
        self.taken_down.add(name)
        child = self._child(name)
        return child.kill() if child else 0

    def pause(self, name: str) -> None:
        """SIGSTOP; the kernel still accepts what is sent to it."""
        if child := self._child(name):
            child.signal(signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """SIGCONT."""
        if child := self._child(name):
            child.signal(signal.SIGCONT)

    # -- where things are --------------------------------------------------------------------------------------------

    def volume(self, name: str) -> Volume:
        """The folder that stands for it."""
        service = self.services[name]
        if not service.plan.data_paths:
            raise CannotRun(f"{name} has no volume")
        custodian = OWN_CUSTODIAN if self.target.name == "reference" else FILES
        told = {key: value for key, value in service.environment.items() if key == DEFECTS}
        return FolderVolume(name, self.folder / "volumes" / name, custodian, told, self.folder)

    def keeping_place(self) -> Path:
        """Beside the volumes: removed with them, also by `drills recover`."""
        place = self.folder / "volumes" / ".kept"
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        return place

    def probe_sources(self) -> tuple[str | None, str | None]:
        """Two addresses of the run's own block."""
        return self.block.address(2, 1), self.block.address(2, 2)

    def ground(self) -> str:
        """This machine's kernel and nothing else."""
        return f"processes of {platform.system()} {platform.release()}"

    # -- releases ----------------------------------------------------------------------------------------------------

    def version(self, name: str) -> str:
        """The SHA-256 of the program that runs now, by the kernel's word for what that is; of a service that does not
        run, of the program that it would be started with.

        The reference's is that of our sources, with the release that the process was told to be.
        """
        service = self.services[name]
        running = service.running if service.running and service.running.exit_code() is None else None
        argv = self._argv(service)
        if service.kind in CONTROL_PLANE and self.target.name == "reference":
            tag = told_release(running.pid) if running else service.release.tag
            return f"{_sources_hash()} (drills/*.py), {tag or KNOWN_GOOD}"
        program = Path(f"/proc/{running.pid}/exe") if running else Path(argv[0])
        try:
            return f"{hash_of(program)} {program.resolve()}"
        except OSError as error:  # it ended while we looked
            return f"unknown: {error.strerror}"

    def _install(self, service: Service, release: Release) -> str:
        if self.target.name == "reference" or release.image_tag == KNOWN_GOOD or service.kind in self.target.candidates:
            return ""
        copy = self._candidate(service.kind)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if not copy.exists():
            shutil.copy2(self.target.programs[service.kind][0], copy)
        return "the candidate is the same program at a second path: WAVRY_CANDIDATE_BIN names no other"

    def _kept(self, name: str) -> Path:
        """Beside the volumes, with which it goes."""
        return self.keeping_place() / name

    def keep_data(self, name: str) -> None:
        """A copy of its folder beside it."""
        shutil.rmtree(self._kept(name), ignore_errors=True)
        shutil.copytree(self.folder / "volumes" / name, self._kept(name))

    def kept_schema_version(self, name: str) -> int | None:
        """Of the copy's database."""
        from drills.wavry.database import FILE, schema_version

        return schema_version(self._kept(name) / FILE)

    def put_back_data(self, name: str) -> None:
        """The copy in place of the folder."""
        shutil.rmtree(self.folder / "volumes" / name, ignore_errors=True)
        shutil.copytree(self._kept(name), self.folder / "volumes" / name)


def told_release(pid: int) -> str:
    """The release that a process was told to be, from its own environment; empty where it was told nothing."""
    return told(pid, "DRILLS_RELEASE") or ""


@lru_cache(maxsize=1)
def _sources_hash() -> str:
    from hashlib import sha256

    sources = sorted((REPOSITORY / "drills").rglob("*.py"))
    return "sha256:" + sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]


def hash_of(program: Path) -> str:
    """The beginning of a program's SHA-256; raises OSError."""
    from hashlib import sha256

    return "sha256:" + sha256(program.read_bytes()).hexdigest()[:16]
