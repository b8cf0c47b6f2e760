"""What both stages are: the services of one run standing on addresses of their own, with Toxiproxy between them.

Two stages, one interface (design §3): local processes in ``drills/stage/processes.py``, containers in
``drills/stage/containers.py``. Services, arguments, environment and proxies come from ``docker-compose.drills.yml`` on
both; the order of raising, what *ready* means and where things are is said here, once.
"""

from __future__ import annotations

import base64
import contextlib
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Protocol
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, build_opener

from drills.errors import CannotRun
from drills.options import REAL_HEARTBEAT_S
from drills.reference.defects import REGISTRY, VARIABLE
from drills.reference.releases import KNOWN_GOOD, Release, asked_for
from drills.signals import FirstErrorStays
from drills.stage import children, priority
from drills.stage.addresses import Block
from drills.stage.compose import CONTROL_PLANE, LOAD, TOTP_KEY, Compose, ServicePlan, interpolate
from drills.stage.toxiproxy import ToxiproxyServer
from drills.stage.udp_proxy import API_PORT, UdpProxyServer

if TYPE_CHECKING:
    from drills.load.settings import LoadSettings
    from drills.stage.volume import Volume
    from drills.wavry.lease import SigningKey

READY_S = 20.0
BEHIND_READY_S = 60.0  # what gives way gets the CPUs that nobody else wants
LOOK_EVERY_S = 0.01
UDP_PROXY = "udp_proxy"  # the service and its kind
STOP_GRACE_S = 10.0  # what `docker stop` gives (operations-facts §1.3)
_open = build_opener(ProxyHandler({})).open


class Running(Protocol):
    """What runs a service or a part of the load right now: one process, as this machine's kernel knows it."""

    name: str
    log: Path

    @property
    def pid(self) -> int:
        """Its process id on this machine."""

    def exit_code(self) -> int | None:
        """None while it lives."""

    def standing_still(self) -> tuple[bool, str]:
        """Whether it is there and gets no CPU because it was paused, and what says so."""

    def __str__(self) -> str:
        """Which one it is, in words: ``pid 123``."""


@dataclass(frozen=True)
class Secrets:
    """What the services of one run share; made anew for each run, never written anywhere."""

    signing_key: str = field(repr=False)
    signing_public_key: str = field(repr=False)
    admin_token: str = field(repr=False)
    relay_token: str = field(repr=False)
    totp_key_b64: str = field(repr=False)

    @classmethod
    def made(cls) -> Secrets:
        """Fresh secrets of the kinds the contracts ask for."""
        from drills.wavry.lease import SigningKey

        key = SigningKey.generate()
        return cls(key.hex, key.public_hex, secrets.token_urlsafe(33), secrets.token_urlsafe(24), fresh_totp_key())

    @property
    def key_id(self) -> str:
        """What a master calls its key where it was told no name: public, as is all that it is made of (facts §1.6)."""
        return f"k{self.signing_public_key[:16]}"


def fresh_totp_key() -> str:
    """A key for second factors at rest: standard base64 of 32 bytes (contract-gateway §1.2)."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


@dataclass
class Service:
    """One service on stage: what it was started with and what runs it now."""

    plan: ServicePlan
    address: str
    command: tuple[str, ...]  # what its program is given
    environment: Mapping[str, str] = field(repr=False)  # holds the secrets
    release: Release  # what it is started as
    running: Running | None = None
    starts: int = 0
    relay_id: str = ""  # relays only: the id of the running process

    @property
    def name(self) -> str:
        """As in the compose file."""
        return self.plan.name

    @property
    def kind(self) -> str:
        """gateway, master, relay, toxiproxy or udp_proxy."""
        return self.plan.kind


@dataclass
class Replaced:
    """What became of one service that was started as another release."""

    tag: str
    planned: str = ""  # the version that was installed, before it was started
    said: str = ""
    seconds: dict[str, float] = field(default_factory=dict)  # of each part, in their order

    @contextlib.contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Note how long one part takes."""
        began = time.monotonic()
        yield
        self.seconds[part] = round(time.monotonic() - began, 3)


class _Lowered:
    """Lowers a stage on the way out; what goes wrong then does not hide the error that led there."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        def noted(late: BaseException) -> None:
            if error:
                error.add_note(f"and while lowering the stage: {late}")

        with FirstErrorStays(error, noted):
            began = time.monotonic()
            self.stage.lower()
            self.stage.lowered_s = self.stage.lowered_s or time.monotonic() - began


class Stage(ABC):
    """The services of one run."""

    name: ClassVar[str]

    def __init__(
        self, compose: Compose, wanted: tuple[str, ...], folder: Path, block: Block, *, divisor: float = 1.0,
        defects: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        self.compose, self.folder, self.block = compose, folder, block
        self.divisor = divisor
        self.heartbeat_s = REAL_HEARTBEAT_S / divisor
        self.secrets = Secrets.made()
        self.defects = defects
        self.taken_down: set[str] = set()  # services that we have ended and not started again
        self.load_settings: LoadSettings | None = None
        self.load: list[Running] = []  # what makes the traffic
        self.variables = self._variables()
        names = dict.fromkeys([*wanted, *compose.of_kind("toxiproxy")])
        self.services = {name: self._service(compose.services[name]) for name in names}
        self.toxiproxy = ToxiproxyServer(self.services["toxiproxy"].address, 8474)
        udp = [service.address for service in self.services.values() if service.kind == UDP_PROXY]
        self.udp_proxy = UdpProxyServer(udp[0]) if udp else None  # only where a drill impairs what ends and relays say
        self.ready_s: dict[str, float] = {}  # how long each service took from its own start until it was ready
        self._started: dict[str, float] = {}
        self.raised_s = self.lowered_s = 0.0
        self.gives_way = False  # whether what is started leaves the CPUs to another run, until it comes forward

    def _variables(self) -> dict[str, str]:
        """What ``docker-compose.drills.yml`` leaves open, for this run."""
        addresses = self.block.service_addresses({name: plan.kind for name, plan in self.compose.services.items()})
        return {
            **{f"DRILLS_ADDRESS_{name.upper()}": address for name, address in addresses.items()},
            "DRILLS_SIGNING_KEY": self.secrets.signing_key,
            "DRILLS_SIGNING_PUBLIC_KEY": self.secrets.signing_public_key,
            "DRILLS_ADMIN_TOKEN": self.secrets.admin_token,
            "DRILLS_RELAY_TOKEN": self.secrets.relay_token,
            TOTP_KEY: self.secrets.totp_key_b64,
            VARIABLE: ",".join(self._defects_of(asked_for(KNOWN_GOOD, self.defects))),
            "DRILLS_TIME_DIVISOR": f"{self.divisor:g}",
            "DRILLS_UDP_SEED": "0",  # until the load, and with it the seed of the run, is planned
            "DRILLS_UDP_SOURCES": self.block.flows,
            **self._own_variables(),
        }

    def _service(self, plan: ServicePlan) -> Service:
        address = self.variables[f"DRILLS_ADDRESS_{plan.name.upper()}"]
        command = tuple(interpolate(word, self.variables) for word in plan.command)
        known_good = asked_for(KNOWN_GOOD, self.defects)
        return Service(plan, address, command, self._environment(plan, known_good), known_good)

    def _environment(self, plan: ServicePlan, release: Release) -> dict[str, str]:
        """What a service finds in its environment as this release."""
        variables = {**self.variables, **self.release_variables(release)}
        told = {key: interpolate(value, variables) for key, value in plan.environment.items()}
        return told if release.tag == KNOWN_GOOD or plan.kind not in CONTROL_PLANE else {
            **told, "DRILLS_RELEASE": release.tag
        }  # fmt: skip

    def release_variables(self, release: Release) -> dict[str, str]:
        """What the compose file is told anew for one release."""
        return {VARIABLE: ",".join(self._defects_of(release))}

    def _defects_of(self, release: Release) -> list[str]:
        """The defects of this run that every release has, and those of this one."""
        everybodys = [name for name in self.defects if not REGISTRY[name].release]
        return everybodys + [name for name in release.environment.get(VARIABLE, "").split(",") if name]

    # -- what a stage is made of -------------------------------------------------------------------------------------

    @abstractmethod
    def _own_variables(self) -> dict[str, str]:
        """What this kind of stage puts into the compose file's variables."""

    @abstractmethod
    def _begin(self) -> None:
        """Whatever must be there before anything is started; the load is started too, if there is any."""

    @abstractmethod
    def _run(self, service: Service) -> Running:
        """Start a service that does not run."""

    @abstractmethod
    def lower(self) -> None:
        """Remove everything; one thing that refuses does not keep the others standing. Can be repeated."""

    @abstractmethod
    def stop(self, name: str) -> int:
        """SIGTERM, ten seconds, SIGKILL, as `docker stop` does; returns the exit code."""

    @abstractmethod
    def kill(self, name: str) -> int:
        """SIGKILL; returns the exit code. No restart policy acts."""

    @abstractmethod
    def pause(self, name: str) -> None:
        """Let a service stand still, its sockets open."""

    @abstractmethod
    def resume(self, name: str) -> None:
        """Let a paused service go on."""

    @abstractmethod
    def volume(self, name: str) -> Volume:
        """The files of a service that has a volume; CannotRun for one that has none."""

    @abstractmethod
    def keeping_place(self) -> Path:
        """A folder of this run for what must not stay in its record, such as backups; it goes with the stage."""

    @abstractmethod
    def version(self, name: str) -> str:
        """What a service runs at this moment, or would if it were started: the digest of its program or image.

        Read from the running process or container itself, so that it says what runs and not what was asked for.
        """

    def versions(self) -> dict[str, str]:
        """What runs here now, by service."""
        return {name: self.version(name) for name in self.services}

    @abstractmethod
    def _install(self, service: Service, release: Release) -> str:
        """Make a stopped service one of another release, its data and address kept; what is worth saying of it."""

    @abstractmethod
    def keep_data(self, name: str) -> None:
        """Put away a copy of what a stopped service has on its volume."""

    @abstractmethod
    def kept_schema_version(self, name: str) -> int | None:
        """The schema version of the database in the copy; None where there is none, or it cannot be read."""

    @abstractmethod
    def put_back_data(self, name: str) -> None:
        """Replace what a stopped service has on its volume by the copy; what it wrote since is gone."""

    @abstractmethod
    def ground(self) -> str:
        """What the stage stands on, with its version."""

    @abstractmethod
    def probe_sources(self) -> tuple[str | None, str | None]:
        """Two addresses that a probe on this machine may send from; None where the kernel is to choose."""

    def crash(self, name: str) -> None:
        """SIGKILL to a service's process in such a way that its restart policy acts; CannotRun where it has none."""
        raise CannotRun(f"{name} cannot crash: a stage of {self.name} has no restart policy")

    def adopt(self, name: str) -> bool:
        """Take the process that a restart policy has started for the service's own; False while there is none."""
        return False

    def told(self, name: str, variable: str) -> str | None:
        """What a service's process has in its environment, by the kernel's word; None where that cannot be read."""
        running = self.services[name].running
        return children.told(running.pid, variable) if running else None

    def change(self, name: str, **variables: str) -> None:
        """Give a service other values of the compose file's variables, for its starts from now on."""
        self.variables |= variables
        service = self.services[name]
        service.environment = self._environment(service.plan, service.release)

    def check_alive(self) -> None:  # noqa: B027 - a stage of processes stands on nothing that could go
        """Raises CannotRun where the ground that the stage stands on is gone."""

    def step_back(self) -> None:
        """Nothing more is measured: whatever still runs leaves the CPUs to others, where that can be had."""
        if priority.may_be_raised_beside(self.name):
            self.gives_way = True
            for running in self.everybody():
                priority.placed(running.pid, priority.BEHIND)

    def come_forward(self) -> None:
        """What was started giving way is measured from now on: it gets its share of the CPUs again."""
        if self.gives_way:
            self.gives_way = False
            for running in self.everybody():
                worker = running.name.startswith(LOAD[1])
                priority.placed(running.pid, priority.FAVOURED if worker else priority.ORDINARY)

    def udp_tables(self) -> list[Path]:
        """Where the kernel lists the UDP sockets of the services."""
        return [Path("/proc/net/udp")]

    # -- raising -----------------------------------------------------------------------------------------------------

    def plan_load(self, settings: LoadSettings) -> None:
        """The traffic that will be made on this stage; said before it is raised."""
        self.load_settings = settings
        self.variables["DRILLS_UDP_SEED"] = str(settings.seed)
        for service in self.services.values():
            if service.kind == UDP_PROXY:
                service.command = tuple(interpolate(word, self.variables) for word in service.plan.command)

    @contextlib.contextmanager
    def standing(self) -> Iterator[Stage]:
        """All services ready, proxies between them; on the way out everything of the stage is removed."""
        # twice: the first signal may come in the middle of lowering, and no other is ever raised
        with _Lowered(self), _Lowered(self):
            began = time.monotonic()
            self._raise()
            self.raised_s = time.monotonic() - began
            yield self

    def _raise(self) -> None:
        relays = self.relays()
        first = [name for name in self.services if name not in relays]
        self._begin()
        self._start_all(first)
        self.await_ready("toxiproxy")
        self._populate()
        self._await_all([name for name in ("master",) if name in self.services])
        self._start_all(relays)
        self._await_all([*first, *relays])

    def _start_all(self, names: list[str]) -> None:
        for name in names:
            self.start(name)

    def _populate(self) -> None:
        for proxy in self.compose.proxies.values():
            listen, upstream = (interpolate(text, self.variables) for text in (proxy.listen, proxy.upstream))
            self.toxiproxy.create(proxy.name, listen, upstream)
        if self.udp_proxy:
            self.await_ready(UDP_PROXY)
            for name in self.on_path("ends"):
                self.udp_proxy.create(name, *self.udp_ways(name))
            for name, (listen, upstream) in self.direct_ways().items():
                self.udp_proxy.create(name, listen, upstream)

    def _await_all(self, names: list[str]) -> None:
        """Wait until all of them are ready, whichever comes first."""
        waiting = [name for name in names if name not in self.ready_s]
        deadline = time.monotonic() + self._patience_s
        while len(waiting) > 1 and time.monotonic() < deadline:
            for name in [*waiting]:
                if self._looked(name)[0]:
                    waiting.remove(name)
            time.sleep(LOOK_EVERY_S)
        for name in waiting:  # one is left, or the time is up: then this says of whom, and what was seen last
            self.await_ready(name, max(LOOK_EVERY_S, deadline - time.monotonic()))

    # -- one service -------------------------------------------------------------------------------------------------

    def start(self, name: str) -> None:
        """Start a service as it was started before; one that still runs is left alone."""
        service = self.services[name]
        if service.running and service.running.exit_code() is None:
            return
        service.starts += 1
        service.relay_id = ""
        began = time.monotonic()
        service.running = self._run(service)
        self._started[name] = began
        self.ready_s.pop(name, None)
        self.taken_down.discard(name)  # only now: whoever watches must not take the old process for the new one

    def replace(self, name: str, tag: str, *, keep: bool = False, put_back: bool = False) -> Replaced:
        """Stop a service and start it as another release: ``known-good``, ``candidate`` or a faulty candidate.

        ``keep``: put away a copy of its data in between; ``put_back``: put the copy in the place of its data.
        """
        service, release = self.services[name], asked_for(tag, self.defects)
        found = Replaced(release.tag)
        with found.timed("stopped_s"):
            self.stop(name)
        if keep:
            with found.timed("data_kept_s"):
                self.keep_data(name)
        with found.timed("installed_s"):
            found.said = self._install(service, release)
            service.release, service.environment = release, self._environment(service.plan, release)
        if put_back:
            with found.timed("data_put_back_s"):
                self.put_back_data(name)
        found.planned = self.version(name)
        with found.timed("started_s"):
            self.start(name)
        return found

    @property
    def _patience_s(self) -> float:
        """How long a service may take until it is ready."""
        return BEHIND_READY_S if self.gives_way else READY_S

    def await_ready(self, name: str, within_s: float | None = None) -> None:
        """Wait until a service says that it is ready; raises CannotRun with the last thing seen."""
        within_s = self._patience_s if within_s is None else within_s
        deadline = time.monotonic() + within_s
        ready, witness = False, "never asked"
        while not ready and time.monotonic() < deadline:
            ready, witness = self._looked(name)
            if not ready:
                time.sleep(LOOK_EVERY_S)
        if not ready:
            raise CannotRun(f"{name} not ready after {within_s:g} s; last: {witness}")

    def _looked(self, name: str) -> tuple[bool, str]:
        """Whether a service is ready now, and what it said; raises CannotRun where it has ended."""
        service = self.services[name]
        code = service.running.exit_code() if service.running else -1
        if service.running is None or code is not None:
            raise CannotRun(f"{name} ended with {code} before it was ready; see {self.folder / 'logs' / name}.log")
        ready, witness = _LOOKS[service.kind](service.address)
        if ready:
            self._check_own_port(service)
            self.ready_s.setdefault(name, time.monotonic() - self._started.get(name, time.monotonic()))
        return ready, witness

    def _check_own_port(self, service: Service) -> None:  # noqa: B027 - in a container nobody else is there
        """Raises CannotRun where somebody else may have answered in the place of a service."""

    def rekey(self, name: str, key: SigningKey | None) -> None:
        """Restart the master with another signing key, None for the run's own; relays are told at their next start."""
        self.stop(name)
        keys = {
            "DRILLS_SIGNING_KEY": key.hex if key else self.secrets.signing_key,
            "DRILLS_SIGNING_PUBLIC_KEY": key.public_hex if key else self.secrets.signing_public_key,
        }
        for service in self.services:
            self.change(service, **keys)
        self.start(name)

    def unexpected(self) -> dict[str, str]:
        """Services that are not where they should be and were not taken away by us: name -> what is wrong."""
        found = {}
        for name, service in self.services.items():
            if name in self.taken_down or service.running is None:
                continue
            code = service.running.exit_code()
            if code is not None and name not in self.taken_down:
                found[name] = f"{service.running} ended by itself with {code}"
        return found

    # -- where things are --------------------------------------------------------------------------------------------

    def everybody(self) -> list[Running]:
        """What runs now: every service and the load."""
        return [service.running for service in self.services.values() if service.running] + self.load

    def proxied(self, proxy: str) -> str:
        """host:port on which a proxy listens."""
        return interpolate(self.compose.proxies[proxy].listen, self.variables)

    def upstream(self, proxy: str) -> str:
        """host:port that a proxy dials."""
        return interpolate(self.compose.proxies[proxy].upstream, self.variables)

    def on_path(self, path: str) -> tuple[str, ...]:
        """The UDP proxies on a path; none where the UDP proxy is not on stage."""
        return self.compose.on_path(path, self.services) if self.udp_proxy else ()

    def direct_ways(self) -> dict[str, tuple[str, str]]:
        """The proxies of the direct path by name: host:port where each listens, and that of the end behind it."""
        return self.load_settings.doors() if self.load_settings and self.udp_proxy else {}

    def udp_ways(self, name: str) -> tuple[str, str]:
        """host:port on which a UDP proxy listens, and that of the relay behind it."""
        plan = self.compose.udp_proxies[name]
        return interpolate(plan.listen, self.variables), interpolate(plan.upstream, self.variables)

    def detours(self) -> dict[str, dict[str, str]]:
        """For either kind of end, where what is meant for a relay's address is to be sent instead (host:port)."""
        found: dict[str, dict[str, str]] = {}
        for name in self.on_path("ends"):
            listen, upstream = self.udp_ways(name)
            found.setdefault(name.partition("_to_")[0], {})[upstream] = listen
        return found

    def http(self, name: str) -> str:
        """Base URL of a service's HTTP side, past the proxies."""
        service = self.services[name]
        return f"http://{service.address}:{HTTP_PORTS[service.kind]}"

    def relays(self) -> list[str]:
        """The relays on stage."""
        return [name for name, service in self.services.items() if service.kind == "relay"]

    def control_host(self) -> str:
        """Where the Locust master listens for its workers and for the runner."""
        return self.variables[f"DRILLS_ADDRESS_{self.compose.of_kind(LOAD[0])[0].upper()}"]


HTTP_PORTS = {"gateway": 3000, "master": 8080, "relay": 9091, "toxiproxy": 8474, "udp_proxy": API_PORT}


def _look_http(path: str, port: int) -> Callable[[str], tuple[bool, str]]:
    def look(address: str) -> tuple[bool, str]:
        url = f"http://{address}:{port}{path}"
        try:
            with _open(url, timeout=1.0) as answer:
                return answer.status == 200, f"{path} {answer.status}"
        except HTTPError as error:
            with error:
                return False, f"{path} {error.code}"
        except URLError as error:
            return False, f"{path}: {error.reason}"
        except (OSError, HTTPException) as error:
            return False, f"{path}: {type(error).__name__} {error}"

    return look


_LOOKS = {
    "gateway": _look_http("/health", 3000),
    "master": _look_http("/health", 8080),
    "relay": _look_http("/ready", 9091),
    "toxiproxy": _look_http("/version", 8474),
    "udp_proxy": _look_http("/version", API_PORT),
}
