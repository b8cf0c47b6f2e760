"""The process stage: every service a local process on an address of its own in 127.0.0.0/8.

No engine, no root; what a process of a run is, is said in ``drills/stage/children.py``.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from types import TracebackType
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, build_opener

from drills.errors import BadInput, CannotRun
from drills.signals import FirstErrorStays
from drills.stage.addresses import Block
from drills.stage.children import KILLED_S, sweep
from drills.stage.children import REPOSITORY as REPOSITORY
from drills.stage.children import Child as Child
from drills.stage.children import spawn as spawn
from drills.stage.compose import Compose, ServicePlan, interpolate
from drills.stage.toxiproxy import ToxiproxyServer

READY_S = 20.0
STOP_GRACE_S = 10.0  # what `docker stop` gives (operations-facts §1.3)
TOOLS = REPOSITORY / ".tools" / "bin"
REAL_HEARTBEAT_S = 5.0  # contract-master-relay §6
_open = build_opener(ProxyHandler({})).open


@dataclass(frozen=True)
class Target:
    """Which control plane is rehearsed, and how its programs are started."""

    name: str
    programs: Mapping[str, tuple[str, ...]]  # kind of service -> command prefix

    @classmethod
    def named(cls, name: str) -> Target:
        """``reference``, or ``wavry`` with the binaries in ``WAVRY_BIN``; raises BadInput where they are not."""
        if name == "reference":
            kinds = ("gateway", "master", "relay")
            return cls(name, {kind: (sys.executable, "-m", f"drills.reference.{kind}") for kind in kinds})
        folder = os.environ.get("WAVRY_BIN", "")
        paths = {kind: Path(folder).resolve() / f"wavry-{kind}" for kind in ("gateway", "master", "relay")}
        missing = [str(path) for path in paths.values() if not os.access(path, os.X_OK) or not path.is_file()]
        if not folder or missing:
            found = f"no program at {', '.join(missing)}" if folder else "nothing"
            raise BadInput(f"WAVRY_BIN: found {found}, expected a folder with wavry-gateway, wavry-master, wavry-relay")
        return cls(name, {kind: (str(path),) for kind, path in paths.items()})


def toxiproxy_program() -> str:
    """Where ``toxiproxy-server`` is; raises CannotRun with the way to get it."""
    found = shutil.which("toxiproxy-server") or shutil.which("toxiproxy-server", path=str(TOOLS))
    if not found:
        raise CannotRun("toxiproxy-server is neither on the PATH nor in .tools/bin; `make setup` builds it with Go, or "
                        "install Toxiproxy 2.12")  # fmt: skip
    return found


@dataclass(frozen=True)
class Secrets:
    """What the services of one run share; made anew for each run, never written anywhere."""

    signing_key: str = field(repr=False)
    signing_public_key: str = field(repr=False)
    admin_token: str = field(repr=False)
    relay_token: str = field(repr=False)

    @classmethod
    def made(cls) -> Secrets:
        """Fresh secrets of the kinds the contracts ask for."""
        from drills.wavry.lease import SigningKey

        key = SigningKey.generate()
        return cls(key.hex, key.public_hex, secrets.token_urlsafe(33), secrets.token_urlsafe(24))


@dataclass
class Service:
    """One service on stage: what it was started with and the process it is now."""

    plan: ServicePlan
    address: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)  # holds the secrets
    child: Child | None = None
    starts: int = 0
    relay_id: str = ""  # relays only: the id of the running process

    @property
    def name(self) -> str:
        """As in the compose file."""
        return self.plan.name

    @property
    def kind(self) -> str:
        """gateway, master, relay or toxiproxy."""
        return self.plan.kind


class _Lowered:
    """Lowers a stage on the way out; what goes wrong then does not hide the error that led there."""

    def __init__(self, stage: ProcessStage) -> None:
        self.stage = stage

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        def noted(late: BaseException) -> None:
            if error:
                error.add_note(f"and while lowering the stage: {late}")

        with FirstErrorStays(error, noted):
            self.stage.lower()


class ProcessStage:
    """The services of one run as local processes."""

    name = "processes"

    def __init__(
        self, compose: Compose, wanted: tuple[str, ...], target: Target, folder: Path, block: Block, *,
        divisor: float = 1.0, defects: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        self.compose, self.target, self.folder, self.block = compose, target, folder, block
        self.divisor = divisor
        self.heartbeat_s = REAL_HEARTBEAT_S / divisor
        self.secrets = Secrets.made()
        self.children: list[Child] = []
        self.taken_down: set[str] = set()  # services that we have ended and not started again
        self.variables = self._variables(defects)
        names = [*wanted, *(["toxiproxy"] if "toxiproxy" in compose.services and "toxiproxy" not in wanted else [])]
        self.services = {name: self._service(compose.services[name]) for name in names}
        self.toxiproxy = ToxiproxyServer(self.services["toxiproxy"].address, 8474)

    def _variables(self, defects: tuple[str, ...]) -> dict[str, str]:
        """What ``docker-compose.drills.yml`` leaves open, for this run."""
        addresses = self.block.service_addresses({name: plan.kind for name, plan in self.compose.services.items()})
        data = {name: self.folder / "volumes" / name for name in self.compose.services}
        return {
            **{f"DRILLS_ADDRESS_{name.upper()}": address for name, address in addresses.items()},
            **{f"DRILLS_DATA_{name.upper()}": str(path) for name, path in data.items()},
            "DRILLS_SIGNING_KEY": self.secrets.signing_key,
            "DRILLS_SIGNING_PUBLIC_KEY": self.secrets.signing_public_key,
            "DRILLS_ADMIN_TOKEN": self.secrets.admin_token,
            "DRILLS_RELAY_TOKEN": self.secrets.relay_token,
            "DRILLS_DEFECTS": ",".join(defects),
            "DRILLS_TIME_DIVISOR": f"{self.divisor:g}",
        }

    def _service(self, plan: ServicePlan) -> Service:
        address = self.variables[f"DRILLS_ADDRESS_{plan.name.upper()}"]
        command = tuple(interpolate(word, self.variables) for word in plan.command)
        environment = {key: interpolate(value, self.variables) for key, value in plan.environment.items()}
        return Service(plan, address, command, environment)

    # -- raising and lowering ----------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def standing(self) -> Iterator[ProcessStage]:
        """All services ready, proxies between them; on the way out every process of the stage is ended."""
        # twice: the first signal may come in the middle of lowering, and no other is ever raised
        with _Lowered(self), _Lowered(self):
            self._raise()
            yield self

    def _raise(self) -> None:
        first = [name for name, service in self.services.items() if service.kind != "relay"]
        for name in first:
            self.start(name)
        self.await_ready("toxiproxy")
        self._populate()
        self.await_ready("master") if "master" in self.services else None
        relays = [name for name, service in self.services.items() if service.kind == "relay"]
        for name in relays:
            self.start(name)
        for name in (*first, *relays):
            self.await_ready(name)

    def _populate(self) -> None:
        for proxy in self.compose.proxies.values():
            listen, upstream = (interpolate(text, self.variables) for text in (proxy.listen, proxy.upstream))
            self.toxiproxy.create(proxy.name, listen, upstream)

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

    def start(self, name: str) -> None:
        """Start a service's process, as it was started before; one that still runs is left alone."""
        service = self.services[name]
        if service.child and service.child.process.poll() is None:
            return
        data = self.folder / "volumes" / name
        data.mkdir(parents=True, exist_ok=True)
        if service.kind == "gateway":  # Wavry's own entry script touches the file too (contract-gateway §1.8)
            (data / "gateway.db").touch()
        service.starts += 1
        service.relay_id = ""
        service.child = spawn(name, self._argv(service), service.environment, self.folder, cwd=data)
        self.children.append(service.child)
        self.taken_down.discard(name)  # only now: whoever watches must not take the old process for the new one

    def _argv(self, service: Service) -> list[str]:
        if service.kind == "toxiproxy":
            return [toxiproxy_program(), *service.command[1:]]
        return [*self.target.programs[service.kind], *service.command[1:]]

    def await_ready(self, name: str, within_s: float = READY_S) -> None:
        """Wait until a service says that it is ready; raises CannotRun with the last thing seen."""
        service = self.services[name]
        look = _LOOKS[service.kind]
        deadline = time.monotonic() + within_s
        witness = "never asked"
        while time.monotonic() < deadline:
            if service.child is None or service.child.process.poll() is not None:
                code = service.child.process.returncode if service.child else None
                raise CannotRun(f"{name} ended with {code} before it was ready; see {self.folder / 'logs' / name}.log")
            ready, witness = look(service.address)
            if ready:
                self._check_own_port(service)
                return
            time.sleep(0.02)
        raise CannotRun(f"{name} not ready after {within_s:g} s; last: {witness}")

    def _check_own_port(self, service: Service) -> None:
        """Wavry answers a taken port by moving to another without a word (D17, D-37): somebody else answered then."""
        if service.child and b"falling back to" in service.child.log.read_bytes():
            raise CannotRun(f"{service.name} moved to another port; see {service.child.log}")

    def unexpected(self) -> dict[str, str]:
        """Services that are not where they should be and were not taken away by us: name -> what is wrong."""
        found = {}
        for name, service in self.services.items():
            if name in self.taken_down or service.child is None or service.child.process.poll() is None:
                continue
            found[name] = f"pid {service.child.pid} ended by itself with {service.child.process.returncode}"
        return found

    def stop(self, name: str) -> int:
        """SIGTERM, ten seconds, SIGKILL, as `docker stop` does; returns the exit code."""
        self.taken_down.add(name)
        child = self.services[name].child
        return child.end(STOP_GRACE_S) if child else 0

    def kill(self, name: str) -> int:
        """SIGKILL; returns the exit code."""
        self.taken_down.add(name)
        child = self.services[name].child
        return child.kill() if child else 0

    # -- where things are --------------------------------------------------------------------------------------------

    def proxied(self, proxy: str) -> str:
        """host:port on which a proxy listens."""
        return interpolate(self.compose.proxies[proxy].listen, self.variables)

    def upstream(self, proxy: str) -> str:
        """host:port that a proxy dials."""
        return interpolate(self.compose.proxies[proxy].upstream, self.variables)

    def http(self, name: str) -> str:
        """Base URL of a service's HTTP side, past the proxies."""
        service = self.services[name]
        return f"http://{service.address}:{HTTP_PORTS[service.kind]}"

    def relays(self) -> list[str]:
        """The relays on stage."""
        return [name for name, service in self.services.items() if service.kind == "relay"]

    def versions(self) -> dict[str, str]:
        """What runs here, by service: the SHA-256 of each program, for the provenance."""
        return {name: _hash_of(self._argv(service)) for name, service in self.services.items()}


HTTP_PORTS = {"gateway": 3000, "master": 8080, "relay": 9091, "toxiproxy": 8474}


def _hash_of(argv: list[str]) -> str:
    from hashlib import sha256

    if argv[0] == sys.executable:
        sources = sorted((REPOSITORY / "drills").rglob("*.py"))
        return "sha256:" + sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16] + " (drills/*.py)"
    return "sha256:" + sha256(Path(argv[0]).read_bytes()).hexdigest()[:16]


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
}
