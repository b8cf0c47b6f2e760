"""The container stage: Docker Compose itself makes network, volumes and containers; faults go through the Docker SDK.

Linux and a local engine: services are reached at their containers' own addresses, on an internal network that nothing
leaves. Everything is found and removed by the project's label (``drills/stage/leftovers.py``); nothing depends on a
reaper, on published ports or on names.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from drills.errors import CannotRun
from drills.reference.defects import VARIABLE as DEFECTS
from drills.reference.releases import CANDIDATE, KNOWN_GOOD, Release
from drills.signals import Signals
from drills.stage import engine, leftovers, processes
from drills.stage.addresses import Block
from drills.stage.asking import asked
from drills.stage.base import STOP_GRACE_S, Running, Service, Stage
from drills.stage.children import sweep
from drills.stage.compose import LOAD, Compose, interpolate
from drills.stage.container import Container, LogCopy, inspected
from drills.stage.container_volume import HelpedVolume, Helpers
from drills.stage.leftovers import PROJECT_LABEL
from drills.stage.programs import Programs, variable
from drills.stage.volume import FILES, OWN_CUSTODIAN, Volume

if TYPE_CHECKING:
    from drills.stage.drills_compose import DrillsCompose

SERVICE_LABEL = "com.docker.compose.service"
PING_EVERY_S, PINGS = 1.0, 3  # an engine that does not answer three times in a row is gone
AT_ONCE = 8
MOUNTED_AT = "/opt/wavry/bin"
DIGEST_CHARACTERS = len("sha256:") + 16  # as many as of programs
LOGS_S = 2.0
LOAD_IMAGE = "DRILLS_LOAD_IMAGE"
T = TypeVar("T")


def _at_once(act: Callable[[str], T], subjects: Iterable[str]) -> list[T]:
    """Do the same to all of them side by side; the first error is raised when all are done."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [done.result() for done in [pool.submit(act, subject) for subject in subjects]]


class ContainerStage(Stage):
    """The services of one run as containers."""

    name = "containers"

    def __init__(
        self, compose: Compose, wanted: tuple[str, ...], programs: Programs, folder: Path, block: Block,
        signals: Signals, *, divisor: float = 1.0, defects: tuple[str, ...] = (), candidate: Programs | None = None,
    ) -> None:  # fmt: skip
        self.programs, self.signals = programs, signals
        self.candidate = candidate
        self._kept: dict[str, bytes] = {}  # what was on volumes, as tar
        self.containers: dict[str, str] = {}  # service, or locust_worker-N -> container id
        self._made_with: dict[str, Mapping[str, str]] = {}  # what each service's container was told
        self._logs: dict[str, LogCopy] = {}
        self._load_names: list[str] = []  # what makes the traffic and has not been started yet
        self._lost = ""
        self._before_us: dict[str, str] = {}  # services that had ended just before we ended them
        self._begun = False  # whether the engine may hold something of ours, whatever became of the note
        self._watching = threading.Event()
        super().__init__(compose, wanted, folder, block, divisor=divisor, defects=defects)

    def _own_variables(self) -> dict[str, str]:
        return {
            **self.programs.variables(),
            "DRILLS_RUN_FOLDER": str(self.folder),
            "DRILLS_OWNER": f"{os.getuid()}:{os.getgid()}",
            "DRILLS_SUBNET": str(self.block.network),
            "DRILLS_HOST_ADDRESS": self.block.host,
            "DRILLS_PICKS": self.block.picks,
            "DRILLS_ENDS": self.block.ends_first,
        }

    # -- raising and lowering ----------------------------------------------------------------------------------------

    def _begin(self) -> None:
        if ":" in str(self.folder):
            raise CannotRun(f"{self.folder}: a folder with a colon in its name cannot be mounted; use another --out")
        self._watching.clear()
        threading.Thread(target=self._watch_engine, daemon=True).start()
        load = [name for kind in LOAD for name in self.compose.of_kind(kind)] if self.load_settings else []
        with self.signals.held():  # a compose that is cut short would go on making containers behind our back
            self._begun = True
            leftovers.note(self.folder)
            self._create([*self.services, *load])
        self._load_names = sorted(name for name in self.containers if name not in self.services)

    def _create(self, services: list[str]) -> None:
        self._composed(self.compose_variables()).create(services)
        self._made_with = {name: service.environment for name, service in self.services.items()}
        self._note_containers()

    def _make_anew(self, service: Service, release: Release) -> None:
        """Let Compose make a stopped service's container once more, as this release and by what the variables say now.

        Name, address, volume and labels stay; a container's environment cannot be changed otherwise.
        """
        programs = self._programs_of(release)
        if log := self._logs.pop(service.name, None):
            log.end(LOGS_S)
        with self.signals.held():
            self._composed(
                {**self.compose_variables(), **programs.variables(), **self.release_variables(release)}
            ).create_anew(service.name)
            self._made_with[service.name] = self._environment(service.plan, release)
            self._note_containers()

    def _composed(self, variables: Mapping[str, str]) -> DrillsCompose:
        from drills.stage.drills_compose import DrillsCompose

        project = leftovers.project_of(self.folder)
        return DrillsCompose.of(self.compose.path, project, engine.compose_program(), variables, str(self.folder))

    def _note_containers(self) -> None:
        project = leftovers.project_of(self.folder)
        with asked("list the containers of this run") as client:
            found = client.api.containers(all=True, filters={"label": f"{PROJECT_LABEL}={project}"})
        workers = sorted(one["Id"] for one in found if one["Labels"][SERVICE_LABEL] == LOAD[1])
        self.containers = {one["Labels"][SERVICE_LABEL]: one["Id"] for one in found if one["Id"] not in workers}
        self.containers |= {f"{LOAD[1]}-{index}": identity for index, identity in enumerate(workers)}

    def compose_variables(self) -> dict[str, str]:
        """Everything that the compose file leaves open, the load's settings among them."""
        load = self.load_settings
        more = {**load.environment(), "DRILLS_WORKERS": str(load.workers)} if load else {}
        return {**self.variables, **more}

    def _start_all(self, names: list[str]) -> None:
        """All of them side by side, and with the first of them the load."""
        load, self._load_names = self._load_names, []
        begun = _at_once(lambda name: self._ran(name) if name in load else self.start(name), [*load, *names])
        self.load += [running for running in begun if running]

    def lower(self) -> None:
        """Remove every container, network and volume of this run; can be repeated."""
        self._watching.set()
        if self._begun or leftovers.noted(self.folder):
            if not self._lost:
                self._end_logs()
            sweep(self.folder)  # a compose that took too long must not go on making things while we remove them
            leftovers.sweep(self.folder)
            self._begun = False
        shutil.rmtree(self.folder / "volumes", ignore_errors=True)  # backups of a stage that is gone

    def _end_logs(self) -> None:
        """Kill what still runs, so that its last words come into its log before the engine forgets them."""
        with contextlib.suppress(CannotRun):
            _at_once(self._killed, self.containers.values())
        deadline = time.monotonic() + LOGS_S
        for log in self._logs.values():
            log.end(max(0.0, deadline - time.monotonic()))
        self._logs.clear()

    @staticmethod
    def _killed(identity: str) -> None:
        import docker.errors

        with asked("kill a container") as client, contextlib.suppress(docker.errors.APIError):
            client.api.kill(identity)  # one that does not run is as good as killed

    def _watch_engine(self) -> None:
        """Ask the engine for a sign of life once a second; without it nobody knows what stands on the stage."""
        missed = 0
        while not self._watching.wait(PING_EVERY_S):
            try:
                with asked("answer", timeout_s=2.0) as client:
                    client.ping()
                missed = 0
            except CannotRun as error:
                missed += 1
                if missed >= PINGS:
                    self._lost = f"{error}; `drills recover` removes what is left once it answers again"
                    return

    def check_alive(self) -> None:
        """Raises CannotRun where the engine has stopped answering."""
        if self._lost:
            raise CannotRun(self._lost)

    # -- one service -------------------------------------------------------------------------------------------------

    def _run(self, service: Service) -> Running:
        if service.environment != self._made_with[service.name]:  # see `change`
            self._make_anew(service, service.release)
        return self._ran(service.name)

    def _ran(self, name: str) -> Container:
        """Start a container of this run and note what it runs; raises CannotRun where it died and was restarted."""
        identity = self.containers[name]
        with asked(f"start {name}") as client:
            client.api.start(identity)
        container = self._noted(name)
        if container.restarts:  # the engine counts anew at each start of ours
            raise CannotRun(f"{name} ended as soon as it was started, its restart policy has started it again "
                            f"{container.restarts} times; see {container.log}")  # fmt: skip
        return container

    def _noted(self, name: str) -> Container:
        container = Container.now(name, self.containers[name], self.folder / "logs" / f"{name}.log")
        if name not in self._logs:
            self._logs[name] = LogCopy(container.id, container.log, lambda: self._runs(name))
        return container

    def _runs(self, name: str) -> bool:
        return bool(inspected(self.containers[name])["State"]["Running"])

    def stop(self, name: str) -> int:
        """`docker stop`: SIGTERM, ten seconds, SIGKILL; returns the exit code."""
        self._take_down(name)
        with asked(f"stop {name}") as client:
            client.api.stop(self.containers[name], timeout=int(STOP_GRACE_S))
        return self._ended(name)

    def kill(self, name: str) -> int:
        """`docker kill`: SIGKILL, and no restart policy acts; returns the exit code."""
        self._take_down(name)
        with asked(f"kill {name}") as client:
            client.api.kill(self.containers[name])
            client.api.wait(self.containers[name], timeout=5)
        return self._ended(name)

    def _take_down(self, name: str) -> None:
        """From here on its end is our doing; one that had ended just before was not, and is told by `unexpected`."""
        running = self.services[name].running
        if running and name not in self.taken_down and (code := running.exit_code()) is not None:
            self._before_us[name] = f"{running} ended by itself with {code}"
        self.taken_down.add(name)

    def _ended(self, name: str) -> int:
        running = self.services[name].running
        code = running.exit_code() if running else 0
        if code is None:
            raise CannotRun(f"{name} is still there after it was killed: {running}")
        return code

    def crash(self, name: str) -> None:
        """SIGKILL to the service's process itself: the restart policy acts, which `docker kill` would keep it from."""
        running = self.services[name].running
        if running is None or running.exit_code() is not None:
            raise CannotRun(f"{name} does not run, it cannot crash")
        self.taken_down.add(name)
        try:
            os.kill(running.pid, signal.SIGKILL)
        except PermissionError:
            self._kill_from_inside(running.pid)

    def _kill_from_inside(self, pid: int) -> None:
        """For whoever may use the engine without being root: a container of ours that sees this machine's processes."""
        with asked("kill a process") as client:
            client.containers.run(
                self.programs.images[LOAD_IMAGE], ["python3", "-c", f"import os; os.kill({pid}, 9)"],
                pid_mode="host", network_mode="none", cap_drop=["ALL"], cap_add=["KILL"], remove=True,
                labels={PROJECT_LABEL: leftovers.project_of(self.folder)},
            )  # fmt: skip

    def adopt(self, name: str) -> bool:
        """Take the process that a restart policy has started for the service's own; False while there is none."""
        running = self.services[name].running
        state = inspected(self.containers[name])["State"]
        if not state["Running"] or not state["Pid"] or (running and state["Pid"] == running.pid):
            return False
        self.services[name].running = self._noted(name)
        self.services[name].relay_id = ""
        self.taken_down.discard(name)
        return True

    def pause(self, name: str) -> None:
        """`docker pause`: the freezer; the kernel still accepts what is sent to it."""
        with asked(f"pause {name}") as client:
            client.api.pause(self.containers[name])

    def resume(self, name: str) -> None:
        """`docker unpause`."""
        with asked(f"resume {name}") as client:
            if client.api.inspect_container(self.containers[name])["State"]["Paused"]:
                client.api.unpause(self.containers[name])

    def unexpected(self) -> dict[str, str]:
        """Services that ended without us; where the restart policy has started them again, that is the service now."""
        found = super().unexpected() | self._before_us
        for name in found:
            with contextlib.suppress(CannotRun):  # an engine that does not answer: `check_alive` will say so
                if name not in self.taken_down and self.adopt(name):
                    found[name] += "; its restart policy has started it again"
        return found

    # -- where things are --------------------------------------------------------------------------------------------

    def volume(self, name: str) -> Volume:
        """The volume that the service has mounted, reached by helpers of the load's and the service's own image."""
        service = self.services[name]
        if not service.plan.data_paths:
            raise CannotRun(f"{name} has no volume")
        place = interpolate(service.plan.data_paths[0], self.variables)
        mounts = inspected(self.containers[name])["Mounts"]
        volume = next((mount["Name"] for mount in mounts if mount["Destination"] == place and "Name" in mount), "")
        if not volume:
            raise CannotRun(f"{name} has no volume at {place}")
        images = self.programs.images
        helpers = Helpers(
            images[LOAD_IMAGE], images[variable(service.kind)], volume, self.keeping_place(),
            {key: value for key, value in service.environment.items() if key == DEFECTS},
            leftovers.project_of(self.folder),
        )  # fmt: skip
        custodian = OWN_CUSTODIAN if self.programs.reference else FILES
        helpers = helpers if self.programs.reference else replace(helpers, custodian=helpers.ours)
        return HelpedVolume(name, Path(place), custodian, helpers)

    def keeping_place(self) -> Path:
        """In the run's folder, and removed with the stage, also by `drills recover`."""
        place = self.folder / "volumes" / ".kept"
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        return place

    def probe_sources(self) -> tuple[str | None, str | None]:
        """This machine's own address in the network; ports tell two probes apart."""
        return None, None

    def udp_tables(self) -> list[Path]:
        """One table in the network namespace of each relay."""
        relays = [service.running for service in self.services.values() if service.kind == "relay" and service.running]
        return [Path(f"/proc/{relay.pid}/net/udp") for relay in relays if relay.pid]

    def ground(self) -> str:
        """The engine and Compose."""
        return f"Docker {engine.version()}, Compose {engine.compose_version()}"

    # -- releases ----------------------------------------------------------------------------------------------------

    def version(self, name: str) -> str:
        """The image of the service's container and what it was told to be, or the program mounted into it; by the
        engine's word for the container as it is now.
        """
        service = self.services[name]
        if name not in self.containers:
            return self._programs_of(service.release).version(service.kind)
        found = inspected(self.containers[name])
        # a whole id would be taken for a key, and out of the journal (drills/record.py)
        words = f"{found['Config']['Image']} {found['Image'][:DIGEST_CHARACTERS]}"
        pid = int(found["State"]["Pid"])
        folder = next((mount["Source"] for mount in found["Mounts"] if mount["Destination"] == MOUNTED_AT), "")
        if ":mounted" in words and folder:
            return f"{_program_hash(pid, Path(folder, f'wavry-{service.kind}'))} mounted from {folder} into {words}"
        baked = next((entry for entry in found["Config"]["Env"] or [] if entry.startswith("DRILLS_RELEASE=")), "")
        tag = processes.told_release(pid) or baked.partition("=")[2]
        return f"{words}, {tag}" if tag else words

    def _programs_of(self, release: Release) -> Programs:
        if release.image_tag == KNOWN_GOOD:
            return self.programs
        if self.candidate is None:
            raise CannotRun(f"no images were made ready for the release {release.tag}")
        return self.candidate

    def _install(self, service: Service, release: Release) -> str:
        """Let Compose make its container anew, with the same name, address, volume and labels."""
        programs = self._programs_of(release)
        same = release.image_tag == CANDIDATE and programs.version(service.kind) == self.programs.version(service.kind)
        self._make_anew(service, release)
        return "the candidate runs the same image: the environment names no other" if same else ""

    def keep_data(self, name: str) -> None:
        """What `docker cp` would copy out of the volume, kept in memory: a database of a drill has a few hundred kB."""
        with asked(f"copy what {name} has on its volume") as client:
            for path in self.services[name].plan.data_paths:
                # its content and not the folder: beside the volume the root is read-only
                chunks, _ = client.api.get_archive(self.containers[name], interpolate(path, self.variables) + "/.")
                self._kept[f"{name}:{path}"] = b"".join(chunks)

    def kept_schema_version(self, name: str) -> int | None:
        """Of the copy's database, unpacked for a moment."""
        from drills.wavry.database import FILE, schema_version

        with tempfile.TemporaryDirectory() as folder:
            for path, copy in self._kept.items():
                if path.startswith(f"{name}:"):
                    with tarfile.open(fileobj=io.BytesIO(copy)) as packed:
                        packed.extractall(folder, filter="data")
            return next(filter(None, map(schema_version, Path(folder).rglob(FILE))), None)

    def put_back_data(self, name: str) -> None:
        """The copy over what is there. A stopped SQLite leaves one file, and that is in the copy."""
        with asked(f"put back what {name} had on its volume") as client:
            for path in self.services[name].plan.data_paths:
                client.api.put_archive(
                    self.containers[name], interpolate(path, self.variables), self._kept[f"{name}:{path}"]
                )


def _program_hash(pid: int, mounted: Path) -> str:
    """The program that runs, where the kernel shows it to us; else the one that is mounted."""
    try:
        return processes.hash_of(Path(f"/proc/{pid}/exe"))
    except OSError:
        return processes.hash_of(mounted)
