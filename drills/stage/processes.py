"""The process stage: every service a local process on an address of its own in 127.0.0.0/8.

No engine, no root. Children run in sessions of their own, so that a terminal's Ctrl-C reaches the runner first, and
carry the run's folder in their environment (``DRILLS_RUN_FOLDER``): that is how ``drills recover`` finds what a killed
runner has left, without trusting a PID.
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
from pathlib import Path
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from drills.errors import BadInput, CannotRun
from drills.stage.addresses import Block
from drills.stage.compose import Compose, ServicePlan, interpolate
from drills.stage.toxiproxy import ToxiproxyServer

REPOSITORY = Path(__file__).resolve().parents[2]
MARK = "DRILLS_RUN_FOLDER"
READY_S = 20.0
STOP_GRACE_S = 10.0  # what `docker stop` gives (operations-facts §1.3)
TOOLS = REPOSITORY / ".tools" / "bin"
REAL_HEARTBEAT_S = 5.0  # contract-master-relay §6
_open = build_opener(ProxyHandler({})).open


@dataclass
class Child:
    """A process of ours: its handle, its log, and when the kernel started it (clock ticks since boot)."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    start_ticks: int

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def signal(self, number: int) -> None:
        """Send a signal to it, if it still is the process that we started."""
        if self.process.poll() is None:
            self.process.send_signal(number)

    def end(self, grace_s: float) -> int:
        """SIGTERM, and after the grace time SIGKILL; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(grace_s)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait(5.0)


def spawn(
    name: str, command: list[str], environment: Mapping[str, str], folder: Path, *, pipes: bool = False,
    cwd: Path | None = None,
) -> Child:  # fmt: skip
    """Start a process of the run: its own session, its log in ``logs/``, the run's mark in its environment."""
    log = folder / "logs" / f"{name}.log"
    log.parent.mkdir(exist_ok=True)
    base = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "TMPDIR") if key in os.environ}
    full = {**base, "PYTHONPATH": str(REPOSITORY), **environment, MARK: str(folder)}
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, env=full, cwd=cwd or folder, start_new_session=True, stderr=output,
            stdin=subprocess.PIPE if pipes else subprocess.DEVNULL, stdout=subprocess.PIPE if pipes else output,
        )  # fmt: skip
    return Child(name, process, log, start_ticks(process.pid))


def start_ticks(pid: int) -> int:
    """When the kernel started a process (field 22 of /proc/PID/stat), 0 if it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    return int(text.rpartition(")")[2].split()[19])


def process_state(pid: int) -> str:
    """R, S, D, T (stopped), Z or empty if it is gone (/proc/PID/stat, field 3)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def marked(folder: Path) -> list[int]:
    """Processes that carry this run's mark, the caller not among them."""
    mark = f"{MARK}={folder}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:  # gone, or somebody else's
            continue
    return found


def sweep(folder: Path) -> list[int]:
    """Kill what carries the run's mark; returns the process ids. Only called by the run itself or once it is dead."""
    swept = []
    for pid in marked(folder):
        ticks = start_ticks(pid)
        with contextlib.suppress(ProcessLookupError):
            if ticks and start_ticks(pid) == ticks:
                os.kill(pid, signal.SIGKILL)
                swept.append(pid)
    return swept


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
    environment: Mapping[str, str]
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
        try:
            self._raise()
            yield self
        finally:
            self._lower()

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

    def _lower(self) -> None:
        """End everything, newest first; one that refuses does not keep the others standing."""
        living = [child for child in reversed(self.children) if child.process.poll() is None]
        for child in living:
            child.process.send_signal(signal.SIGCONT)
            child.process.kill()
        for child in living:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(5.0)
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

    def stop(self, name: str) -> int:
        """SIGTERM, ten seconds, SIGKILL, as `docker stop` does; returns the exit code."""
        child = self.services[name].child
        return child.end(STOP_GRACE_S) if child else 0

    def kill(self, name: str) -> int:
        """SIGKILL; returns the exit code."""
        child = self.services[name].child
        if child is None:
            return 0
        if child.process.poll() is None:
            child.process.kill()
        return child.process.wait(5.0)

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
        except URLError as error:
            return False, f"{path}: {error.reason}"
        except OSError as error:
            return False, f"{path}: {error}"

    return look


_LOOKS = {
    "gateway": _look_http("/health", 3000),
    "master": _look_http("/health", 8080),
    "relay": _look_http("/ready", 9091),
    "toxiproxy": _look_http("/version", 8474),
}
