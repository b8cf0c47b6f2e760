"""The three services as processes of our own, on loopback addresses of their own, for the contract tests.

Which programs run is the target's affair: the reference's modules, or Wavry's binaries in ``WAVRY_BIN``.
Both take the same arguments and environment (contract-master-relay §9, contract-gateway §12).
"""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from drills.wavry.errors import WireError
from drills.wavry.gateway import Account, GatewayHttp, GatewaySocket
from drills.wavry.lease import SigningKey
from drills.wavry.master import MasterHttp, MasterSocket
from drills.wavry.relay import RelayCounters, RelayHttp, RelayPeer

REPOSITORY = Path(__file__).parents[2]
ADMIN_TOKEN = "contract-tests-admin-token-of-40-letters"
PASSWORD = "a password of some length"
CALL_S = 5.0  # bounds every call; Argon2 in a debug build takes 0.4 s on an idle core
START_S = 15.0
POLL_S = 0.01

Result = TypeVar("Result")


class NotYet(AssertionError):
    """What a witness raises while the awaited thing has not happened."""


def eventually(witness: Callable[[], Result | None], *, within_s: float = 5.0) -> Result:
    """The first result of ``witness`` that is neither None, False nor an error, or a failure that shows the last."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            last: object = witness()
            if last is not None and last is not False:
                return last  # type: ignore[return-value]
        except (WireError, NotYet) as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s} s; last seen: {last!r}")
        time.sleep(POLL_S)


@dataclass(frozen=True)
class Target:
    """Whose services are under test, and what is expected where the two differ on purpose."""

    name: str
    binaries: Path | None = None

    def command(self, service: str) -> list[str]:
        """How to start one of gateway, master, relay."""
        if self.binaries is None:
            return [sys.executable, "-m", f"drills.reference.{service}"]
        return [str(self.binaries / f"wavry-{service}")]

    def expects(self, *, sound: Result, wavry: Result) -> Result:
        """The expectation of this target; the test's docstring names the defect."""
        return sound if self.binaries is None else wavry


class Addresses:
    """Loopback addresses that nobody has used yet in this process."""

    def __init__(self) -> None:
        self._numbers = itertools.count(256 * (os.getpid() % 200) + 256)

    def fresh(self) -> str:
        """One more address in 127.9.0.0/16."""
        number = next(self._numbers)
        if number % 256 in (0, 255):
            return self.fresh()
        return f"127.9.{number // 256 % 256}.{number % 256}"


def free_port(address: str, kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port nobody has on this address; ours alone, so it stays free until the service takes it."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


@dataclass
class Process:
    """One running service; ended by its PID, its words kept in a log file."""

    popen: subprocess.Popen[bytes]
    log: Path

    @property
    def alive(self) -> bool:
        return self.popen.poll() is None

    def logged(self) -> str:
        """What it has written so far."""
        return self.log.read_text(errors="replace")

    def ended(self, within_s: float = 10.0) -> int:
        """Wait for it to end by itself; its exit code, negative for a signal."""
        return self.popen.wait(timeout=within_s)

    def end(self) -> None:
        """SIGKILL, and wait for it."""
        self.popen.kill()
        self.popen.wait(timeout=CALL_S)


@dataclass
class Stage:
    """Starts services and ends whatever it started."""

    target: Target
    folder: Path
    addresses: Addresses
    processes: list[Process] = field(default_factory=list)
    clients: list[GatewayHttp | MasterHttp | RelayHttp] = field(default_factory=list)

    def start(self, service: str, arguments: list[str], environment: Mapping[str, str]) -> Process:
        """A process in a session of its own, with nothing of our environment but the path."""
        folder = self.folder / f"{service}-{len(self.processes)}"
        folder.mkdir()
        log = folder / "log"
        inherited = {"PATH": os.environ["PATH"], "NO_COLOR": "1", "PYTHONPATH": str(REPOSITORY)}
        with log.open("wb") as sink:
            popen = subprocess.Popen(
                [*self.target.command(service), *arguments],
                cwd=folder,
                env={**inherited, **environment},
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        process = Process(popen, log)
        self.processes.append(process)
        return process

    def end(self) -> None:
        """End every process and close every client."""
        for client in self.clients:
            client.close()
        for process in self.processes:
            process.end()

    def gateway(self, environment: Mapping[str, str] | None = None) -> Gateway:
        """A gateway on a fresh database; the limits that are not the subject of a test are out of its way."""
        address = self.addresses.fresh()
        port = free_port(address)
        database = self.folder / f"gateway-{len(self.processes)}.db"
        database.touch()
        relay = f"{address}:{free_port(address, socket.SOCK_DGRAM)}"
        settings = {
            "DATABASE_URL": f"sqlite://{database}",
            "WAVRY_GATEWAY_BIND_ADDR": f"{address}:{port}",
            "WAVRY_GATEWAY_RELAY_BIND_ADDR": relay,
            "WAVRY_RELAY_PUBLIC_ADDR": relay,
            "ADMIN_PANEL_TOKEN": ADMIN_TOKEN,
        }
        http = GatewayHttp(f"http://{address}:{port}", timeout_s=CALL_S)
        self.clients.append(http)
        settings.update(environment or {})
        process = self.start("gateway", [], settings)
        return _answering(Gateway(process, address, port, relay, settings, http, self.addresses))

    def again(self, gateway: Gateway) -> Gateway:
        """The same gateway, killed and started on its database and ports."""
        gateway.process.end()
        return _answering(replace(gateway, process=self.start("gateway", [], gateway.environment)))

    def master(self, environment: Mapping[str, str] | None = None, *, relay_token: str | None = None) -> Master:
        """A master with a signing key of ours."""
        address = self.addresses.fresh()
        port = free_port(address)
        key = SigningKey.generate()
        settings = {"WAVRY_MASTER_SIGNING_KEY": key.hex, "ADMIN_PANEL_TOKEN": ADMIN_TOKEN}
        if relay_token is not None:
            settings["WAVRY_MASTER_RELAY_AUTH_TOKEN"] = relay_token
        process = self.start("master", ["--listen", f"{address}:{port}"], {**settings, **(environment or {})})
        http = MasterHttp(
            f"http://{address}:{port}", timeout_s=CALL_S, admin_token=ADMIN_TOKEN, relay_token=relay_token
        )
        self.clients.append(http)
        eventually(lambda: started(process) and http.health(), within_s=START_S)
        return Master(process, address, port, key, http)

    def relay(
        self, master_url: str, *options: str, environment: Mapping[str, str] | None = None, ready: bool = True
    ) -> Relay:
        """A relay that registers at ``master_url``; with ``ready`` it has when this returns."""
        address = self.addresses.fresh()
        udp, tcp = free_port(address, socket.SOCK_DGRAM), free_port(address)
        listen = ["--listen", f"{address}:{udp}", "--health-listen", f"{address}:{tcp}", "--master-url", master_url]
        process = self.start("relay", [*listen, *options], environment or {})
        http = RelayHttp(f"http://{address}:{tcp}", timeout_s=CALL_S)
        self.clients.append(http)
        relay = Relay(process, (address, udp), http)
        if ready:
            eventually(lambda: started(process) and http.ready().ready, within_s=START_S)
        return relay


def _answering(gateway: Gateway) -> Gateway:
    eventually(lambda: started(gateway.process) and gateway.http.health(), within_s=START_S)
    return gateway


def started(process: Process) -> bool:
    """True while the process lives; a failure with its words once it does not."""
    assert process.alive, f"ended with {process.popen.returncode}:\n{process.logged()[-2000:]}"
    return True


@dataclass
class Gateway:
    """A running gateway, with the accounts the tests make."""

    process: Process
    address: str
    port: int
    relay_address: str
    environment: Mapping[str, str] = field(repr=False)
    http: GatewayHttp
    addresses: Addresses
    _names: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def ws_url(self) -> str:
        return f"ws://{self.address}:{self.port}/ws"

    def new_account(self) -> Account:
        """A fresh account, registered from a fresh address."""
        name = f"person{next(self._names)}"
        with self.from_elsewhere() as http:
            return http.register(f"{name}@example.org", PASSWORD, display_name=name, username=name, public_key="0" * 64)

    def from_elsewhere(self) -> GatewayHttp:
        """A client with an address, and so with limits, of its own; the caller closes it."""
        source = self.addresses.fresh()
        return GatewayHttp(f"http://{self.address}:{self.port}", timeout_s=CALL_S, source_address=source)

    def socket(self, *, source_address: str | None = None) -> GatewaySocket:
        """A WebSocket from a fresh address unless one is given; the caller closes it."""
        source = source_address or self.addresses.fresh()
        return GatewaySocket.connect(self.ws_url, timeout_s=CALL_S, source_address=source)


@dataclass
class Master:
    """A running master and the key it signs with."""

    process: Process
    address: str
    port: int
    key: SigningKey = field(repr=False)
    http: MasterHttp

    @property
    def base_url(self) -> str:
        return f"http://{self.address}:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://{self.address}:{self.port}/ws"

    def socket(self) -> MasterSocket:
        """A WebSocket; the caller closes it."""
        return MasterSocket.connect(self.ws_url, timeout_s=CALL_S)


@dataclass
class Relay:
    """A running relay."""

    process: Process
    udp: tuple[str, int]
    http: RelayHttp

    @property
    def relay_id(self) -> str:
        return self.http.health().relay_id

    def peer(self, source_address: str | None = None) -> RelayPeer:
        """An end at this relay, from its own address unless one is given; the caller closes it."""
        return RelayPeer(self.udp, timeout_s=0.25, source_address=source_address or self.udp[0])

    def counted(self) -> RelayCounters:
        """The counters once they stand still: a datagram can arrive before it is counted as forwarded."""
        earlier = self.http.metrics()
        while True:
            time.sleep(POLL_S)
            later = self.http.metrics()
            if later == earlier:
                return later
            earlier = later

    def expect_moved(self, before: RelayCounters, **expected: int) -> None:
        """The counters, those of packets and bytes read apart, move by exactly this much since ``before``."""

        def moved() -> bool:
            since = self.http.metrics().since(before)
            read = {"packets_rx", "bytes_rx"} - expected.keys()
            seen = {name: count for name, count in since.items() if name not in read}
            if seen != expected:
                raise NotYet(f"moved {seen}, expected {expected}")
            return True

        eventually(moved, within_s=2.0)
