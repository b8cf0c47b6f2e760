"""A stage, a load and a scene on which nothing is real but the order of things.

What happens is written into one list, the ``trail``, in the words of the tests: ``undo+``, ``do …``, ``look …``,
``mend …``, ``event …``, ``undo-``. Time passes when somebody waits, at once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from drills.errors import CannotRun
from drills.faults.canary import Bulk, Canary
from drills.probes.follower import Handshake, Visit
from drills.probes.witnesses import Tried
from drills.reference.releases import KNOWN_GOOD, RELEASES, Release
from drills.scene import Scene
from drills.signals import Signals
from drills.stage.base import Replaced
from drills.steps.back_up import Backup
from drills.view.teller import Teller
from drills.wavry.errors import Refused, Unreachable, WireError
from tests.udp_fakes import PROXIES, FakeUdpProxy

RUNNING, STOPPED, GONE = "S", "T", ""


@dataclass
class FakeJournal:
    """Keeps the events; ``on_event`` lets a test do something at the moment of one."""

    trail: list[str]
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def write(self, event: str, **fields: Any) -> None:
        self.trail.append(f"event {event}")
        self.events.append((event, fields))

    def named(self, name: str) -> list[dict[str, Any]]:
        """The fields of every event of this name."""
        return [fields for event, fields in self.events if event == name]


class FakeRunning:
    """What runs a service: it can be ended, stopped and continued. ``state``: as the kernel has it."""

    def __init__(self, trail: list[str], name: str, pid: int) -> None:
        self.trail, self.name, self.pid = trail, name, pid
        self.log = Path(f"/nowhere/logs/{name}.log")
        self.returncode: int | None = None
        self.state = RUNNING

    def exit_code(self) -> int | None:
        self.trail.append("look process")
        return self.returncode

    def standing_still(self) -> tuple[bool, str]:
        self.trail.append("look state")
        return self.state == STOPPED, f"process state {self.state or 'gone'}"

    def end(self, code: int) -> None:
        """It is gone, and this is how it ended."""
        self.returncode, self.state = code, GONE

    def __str__(self) -> str:
        return f"pid {self.pid}"


@dataclass
class FakeService:
    """A service with its process and, for relays, the id of it."""

    name: str
    kind: str
    running: FakeRunning | None = None
    relay_id: str = ""
    own_id: str = ""  # what the running relay would tell
    ready: bool = True
    starts: int = 0
    release: Release = RELEASES[KNOWN_GOOD]


class FakeStage:
    """Four services and two paths. ``deaf``: nothing done to it has an effect; ``refuses``: mending raises.

    It offers every fault, as containers do; ``lost`` is why its ground is gone.
    """

    name = "containers"
    heartbeat_s = 5.0

    def __init__(self, trail: list[str]) -> None:
        self.trail = trail
        self.deaf = self.refuses = False
        self.lost = ""
        self.policy_acts = True  # whether what crashed is started again by itself
        self.too_new: set[str] = set()  # services whose data the known-good release refuses
        self.slow: set[str] = set()  # services that live and are not ready
        self.kept: set[str] = set()  # services whose data was put away
        self.sources: tuple[str | None, str | None] = ("127.20.2.1", "127.20.2.2")
        self.on_mend: Callable[[], None] = lambda: None
        self.starts = 0
        self.patience_s: list[float] = []  # of every canary, in their order
        self.toxiproxy = FakeToxiproxy(self)
        self.udp_proxy = FakeUdpProxy(self)
        self.secrets = SimpleNamespace(admin_token="an admin token")
        self.variables = {"DRILLS_TOTP_KEY": "its own key"}
        self.told_keys: dict[str, str] = {}  # service -> the key that its running process has
        self.data = "all of it"  # on the gateway's volume: that, nothing, or sealed
        self.states: dict[str, str] = {}  # relay id -> as the master lists it
        self.public_key = bytes(32)  # of the master's signing key
        kinds = {"gateway": "gateway", "master": "master", "relay_a": "relay", "relay_b": "relay"}
        self.services = {name: FakeService(name, kind) for name, kind in kinds.items()}
        for name in self.services:
            self._run(name)

    def _run(self, name: str) -> None:
        service = self.services[name]
        self.starts += 1
        service.running = FakeRunning(self.trail, name, 1000 + self.starts)
        service.starts += 1
        self.told_keys[name] = self.variables["DRILLS_TOTP_KEY"]
        service.relay_id = ""
        if service.kind == "relay":
            service.own_id = f"{name}-{self.starts}"
            self.states[service.own_id] = "Active"

    def act(self, what: str, subject: str, *, mends: bool) -> None:
        """Note that something is done; refuse, where mending is to be refused."""
        self.trail.append(f"{'mend' if mends else 'do'} {what} {subject}")
        if mends:
            self.on_mend()
            if self.refuses:
                raise CannotRun(f"{what} {subject} is refused")

    def _has_all_it_needs(self, name: str) -> bool:
        """Whether what is started now is as it should be; ending what is not is part of the mending."""
        return name != "gateway" or (self.data == "all of it" and self.variables["DRILLS_TOTP_KEY"] == "its own key")

    def start(self, name: str) -> None:
        self.act("start", name, mends=self._has_all_it_needs(name))
        if not self.deaf and self._ended(name):
            self._run(name)

    def _ended(self, name: str) -> bool:
        running = self.services[name].running
        return running is None or running.returncode is not None

    def stop(self, name: str) -> int:
        return self._end("stop", name, 0)

    def kill(self, name: str) -> int:
        return self._end("kill", name, -9)

    def crash(self, name: str) -> None:
        self._end("crash", name, -9)

    def adopt(self, name: str) -> bool:
        self.act("adopt", name, mends=True)
        acts = self.policy_acts and not self.deaf and self._ended(name)
        if acts:
            self._run(name)
        return acts

    def _end(self, what: str, name: str, code: int) -> int:
        self.act(what, name, mends=not self._has_all_it_needs(name))
        running = self.services[name].running
        if running and not self.deaf:
            running.end(code)
        return code

    def rekey(self, name: str, key: Any) -> None:
        self.act("rekey", name, mends=key is None)
        if not self.deaf:
            self.public_key = key.public_key if key else bytes(32)

    def pause(self, name: str) -> None:
        self._set_state("pause", name, STOPPED, mends=False)

    def resume(self, name: str) -> None:
        self._set_state("resume", name, RUNNING, mends=True)

    def _set_state(self, what: str, name: str, state: str, *, mends: bool) -> None:
        self.act(what, name, mends=mends)
        running = self.services[name].running
        if running and running.returncode is None and not self.deaf:
            running.state = state

    def volume(self, name: str) -> FakeVolume:
        return FakeVolume(self, name)

    def change(self, name: str, **variables: str) -> None:
        self.trail.append(f"change {name}")
        if not self.deaf:
            self.variables |= variables

    def told(self, name: str, variable: str) -> str | None:
        self.trail.append("look environment")
        return self.told_keys.get(name)

    def await_ready(self, name: str, within_s: float = 20.0) -> None:
        self.trail.append("look ready")
        if self._ended(name) or name in self.slow:
            raise CannotRun(f"{name} is not ready")

    def version(self, name: str) -> str:
        self.trail.append("look version")
        return f"{name} {self.services[name].release.tag}"

    def kept_schema_version(self, name: str) -> int | None:
        return 1 if name in self.kept else None

    def replace(self, name: str, tag: str, *, keep: bool = False, put_back: bool = False) -> Replaced:
        self.act(f"{tag} put in place of", name, mends=tag == KNOWN_GOOD)
        running = self.services[name].running
        if running and not self.deaf:
            self.services[name].release = RELEASES[tag]
            running.end(0)
            self._run(name)
        if keep:
            self.kept.add(name)
        if put_back:
            assert name in self.kept
            self.too_new.discard(name)
        now = self.services[name].running
        if now and name in self.too_new and tag == KNOWN_GOOD:
            now.end(101)
        return Replaced(tag, f"{name} {tag}", seconds={"stopped_s": 0.1, "started_s": 0.2})

    def check_alive(self) -> None:
        if self.lost:
            raise CannotRun(self.lost)

    def direct_ways(self) -> dict[str, tuple[str, str]]:
        return {name: (f"{name}:1", f"{name}:2") for name in PROXIES[:2]}

    def flown(self, door: str) -> int:
        """In place of what came out at the other end of a door on the direct path."""
        self.trail.append(f"look through {door}")
        return 0 if self.udp_proxy.kept[door] else 20

    def on_path(self, path: str) -> tuple[str, ...]:
        return tuple(name for name in PROXIES if path == "ends" or name.startswith(path))

    def probe_sources(self) -> tuple[str | None, str | None]:
        return self.sources

    def http(self, name: str) -> str:
        return name

    def relays(self) -> list[str]:
        return [name for name, service in self.services.items() if service.kind == "relay"]

    def proxied(self, proxy: str) -> str:
        return f"{proxy}:1"

    def relay_http(self, url: str, *, timeout_s: float) -> FakeRelayHttp:
        """In place of RelayHttp."""
        return FakeRelayHttp(self.services[url])

    def master_http(self, url: str, *, timeout_s: float, admin_token: str | None = None) -> FakeMasterHttp:
        """In place of MasterHttp."""
        return FakeMasterHttp(self)

    def through(self, stage: FakeStage, proxy: str, patience_s: float = 1.0) -> Canary:
        """In place of the canary: what a request through this path would meet."""
        self.trail.append(f"look through {proxy}")
        self.patience_s.append(patience_s)
        toxics = self.toxiproxy.kept.get(proxy, {})
        if proxy in self.toxiproxy.disabled:
            return Canary("refused", 0.1)
        if ended := [attributes["timeout"] for kind, attributes in toxics.values() if kind == "timeout"]:
            return Canary("cut", ended[0]) if ended[0] else Canary("silence", patience_s * 1000)
        if any(kind == "reset_peer" for kind, _ in toxics.values()):
            return Canary("reset", 1.0)
        added = sum(attributes.get("latency", 0) for _, attributes in toxics.values())
        return Canary("ok", 2.0 + added) if added <= patience_s * 1000 else Canary("silence", patience_s * 1000)

    def bulk(self, stage: FakeStage, proxy: str, requests: int, patience_s: float) -> Bulk:
        """In place of the canary of many requests."""
        self.trail.append(f"look bulk {proxy}")
        sent, received, ms = 1500 * requests, 200 * requests, 5.0
        for kind, attributes in self.toxiproxy.kept.get(proxy, {}).values():
            if kind == "limit_data":
                return Bulk("cut", 1.0, sent, min(received, attributes["bytes"]), 0)
            ms += (sent + received) / 2 / attributes["rate"] if kind == "bandwidth" else 0.0
            slow = kind == "slicer"
            ms += (sent + received) / 2 / attributes["average_size"] * attributes["delay"] / 1000 if slow else 0.0
        return Bulk("ok", ms, sent, received, requests)

    def closed_after_ms(self, stage: FakeStage, proxy: str, stream: str, patience_s: float) -> float | None:
        """In place of the canary that waits for its end."""
        self.trail.append(f"look closing {proxy}")
        toxics = self.toxiproxy.kept.get(proxy, {}).values()
        open_ms = 2.0 + max((attributes["delay"] for kind, attributes in toxics if kind == "slow_close"), default=0)
        return open_ms if open_ms <= patience_s * 1000 else None


class FakeVolume:
    """The gateway's files, as three words."""

    def __init__(self, stage: FakeStage, name: str) -> None:
        self.stage, self.name = stage, name
        self.database = Path("/nowhere/gateway.db")

    def act(self, act: str, *paths: Path) -> dict[str, Any]:
        """One of ours; ``put_back`` and ``unseal`` mend."""
        if act == "look":
            self.stage.trail.append("read database")
            return {"rows": {"users": 3}, "integrity": "ok", "schema": "1", "usernames": ["a"], "sha256": "00"}
        self.stage.act(act, self.name, mends=act in ("put_back", "unseal"))
        after = {"remove": "nothing", "set_aside": "nothing", "seal": "sealed"}
        if not self.stage.deaf:
            self.stage.data = after.get(act, "all of it")
        return {}

    def backup(self, copy: Path) -> dict[str, Any]:
        self.stage.trail.append("backup")
        return {"taken_unix_s": 0.0}

    def restore(self, copy: Path) -> dict[str, Any]:
        self.stage.act("restore", self.name, mends=True)
        if not self.stage.deaf:
            self.stage.data = "all of it"
        return {}


@dataclass
class FakeWitnesses:
    """The drill's own accounts at a gateway that knows only what is on its volume."""

    stage: FakeStage
    known: Any = field(
        default_factory=lambda: SimpleNamespace(name="known", tokens={"its first": "", "its second": ""})
    )
    second: Any = "somebody else"
    made: int = 0
    revoked: list[str] = field(default_factory=list)

    def bind(self, witness: Any, what: str) -> Tried:
        self.stage.trail.append(f"look token {what}")
        return self._answered(what not in self.revoked, 401)

    def log_out(self, witness: Any, what: str) -> Tried:
        self.revoked.append(what)
        return self._answered(True, 401)

    def log_in(self, witness: Any, what: str = "") -> Tried:
        self.stage.trail.append("look login")
        return self._answered(self.stage.data != "nothing", 401)

    def register(self) -> tuple[Any, Tried]:
        self.stage.trail.append("look registration")
        self.made += 1
        return SimpleNamespace(name=f"new{self.made}"), self._answered(self.stage.data != "sealed", 500)

    def _answered(self, ok: bool, status: int) -> Tried:
        if self.stage._ended("gateway"):
            return Tried(False, None, "connection refused", 0, 0)
        return Tried(ok, None if ok else status, "" if ok else f"{status} no", 0, 0)


class FakeRelayHttp:
    """A relay's own pages."""

    def __init__(self, service: FakeService) -> None:
        self.service = service

    def __enter__(self) -> FakeRelayHttp:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def _reach(self) -> None:
        if self.service.running is None or self.service.running.returncode is not None:
            raise Unreachable("connection refused")

    def health(self) -> SimpleNamespace:
        self._reach()
        return SimpleNamespace(relay_id=self.service.own_id, active_sessions=0)

    def ready(self) -> SimpleNamespace:
        self._reach()
        return SimpleNamespace(ready=self.service.ready)


@dataclass
class FakeGatewayHttp:
    """A gateway with accounts; ``failures`` are raised first, one a call."""

    accounts: dict[str, str] = field(default_factory=dict)  # email -> password
    failures: list[WireError] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)

    def reached(self, url: str, *, timeout_s: float) -> FakeGatewayHttp:
        """In place of GatewayHttp."""
        self.urls.append(url)
        return self

    def __enter__(self) -> FakeGatewayHttp:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def register(self, email: str, password: str, **_: str) -> SimpleNamespace:
        if self.failures:
            raise self.failures.pop(0)
        self.accounts[email] = password
        return SimpleNamespace(token="a token")

    def login(self, email: str, password: str) -> None:
        if self.failures:
            raise self.failures.pop(0)
        if self.accounts.get(email) != password:
            raise Refused(401, "Invalid credentials")


class FakeMasterHttp:
    """The master's list of relays and its operator's page."""

    def __init__(self, stage: FakeStage) -> None:
        self.stage = stage

    def __enter__(self) -> FakeMasterHttp:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def update_state(self, relay_id: str, state: str) -> None:
        mends = str(state) == "Active"
        self.stage.trail.append(f"{'mend' if mends else 'do'} {state} {relay_id}")
        if mends:
            self.stage.on_mend()
            if self.stage.refuses:
                raise Refused(404, "no such relay")
        if not self.stage.deaf:
            self.stage.states[relay_id] = str(state)

    def identity(self) -> SimpleNamespace:
        self.stage.trail.append("look identity")
        return SimpleNamespace(public_key=self.stage.public_key, key_id=f"k{self.stage.public_key.hex()[:16]}")

    def relays(self) -> list[SimpleNamespace]:
        self.stage.trail.append("look relays")
        return [SimpleNamespace(relay_id=one, state=state) for one, state in self.stage.states.items()]


class FakeToxiproxy:
    """Toxics and switches, in memory. ``stuck``: toxics of these names cannot be removed."""

    def __init__(self, stage: FakeStage) -> None:
        self.stage = stage
        self.kept: dict[str, dict[str, tuple[str, dict[str, int]]]] = {}
        self.disabled: set[str] = set()
        self.stuck: set[str] = set()

    def add_toxic(self, name: str, toxic: str, kind: str, stream: str, attributes: dict[str, int]) -> None:
        self.stage.act(f"add {toxic}", name, mends=False)
        if not self.stage.deaf:
            self.kept.setdefault(name, {})[toxic] = (kind, attributes)

    def remove_toxic(self, name: str, toxic: str) -> None:
        self.stage.act(f"remove {toxic}", name, mends=True)
        if toxic in self.stuck:
            raise CannotRun(f"{toxic} is stuck")
        if not self.stage.deaf:
            self.kept.get(name, {}).pop(toxic, None)

    def set_enabled(self, name: str, on: bool) -> None:
        self.stage.act("enable" if on else "disable", name, mends=on)
        if not self.stage.deaf:
            (self.disabled.discard if on else self.disabled.add)(name)


@dataclass
class FakeLoad:
    """Remembers what it was told; ``on_leave`` is what the sessions do about it."""

    told: list[list[str]] = field(default_factory=list)
    on_leave: Callable[[list[str]], None] = lambda relay_ids: None

    def visits(self, per_s: float) -> None:
        return None

    def flush(self) -> None:
        return None

    def leave(self, relay_ids: list[str]) -> None:
        self.told.append(relay_ids)
        self.on_leave(relay_ids)


@dataclass
class FakeFollower:
    """What the journal is said to have told so far."""

    sessions: dict[int, str] = field(default_factory=dict)
    reregistered: set[str] = field(default_factory=set)
    visits: list[Visit] = field(default_factory=list)
    handshakes: list[Handshake] = field(default_factory=list)
    long_stop_ended_ns: int = 0


class FakeScene(Scene):
    """A scene whose clock moves when somebody waits; ``at`` holds what happens at which second."""

    def __init__(self, folder: Path) -> None:
        self.trail: list[str] = []
        self.clock_ns = 1_000_000_000
        self.at: list[tuple[float, Callable[[], None]]] = []
        self.on_hold: Callable[[], None] = lambda: None
        super().__init__(
            stage=FakeStage(self.trail), load=FakeLoad(), load_settings=SimpleNamespace(path_s=0.0),
            journal=FakeJournal(self.trail), folder=folder, heartbeat_s=5.0, signals=Signals(), follower=FakeFollower(),
        )  # fmt: skip
        self.stage.udp_proxy.now_ns = self.now_ns  # type: ignore[union-attr,assignment]
        self.witnesses = FakeWitnesses(self.stage)  # type: ignore[assignment]
        self.backups = {"gateway": Backup(Path("/nowhere/copy.db"), "its own key", {})}

    @property
    def now_s(self) -> float:
        """Seconds since the beginning."""
        return self.clock_ns / 1e9 - 1.0

    def now_ns(self) -> int:
        return self.clock_ns

    def pause(self, seconds: float) -> None:
        self.stage.check_alive()
        self.clock_ns += int(max(seconds, 0.001) * 1e9)
        for due in [one for one in self.at if one[0] <= self.now_s]:
            self.at.remove(due)
            due[1]()

    def signals_held(self) -> contextlib.AbstractContextManager[None]:
        self.on_hold()
        return super().signals_held()

    @contextlib.contextmanager
    def undo_record(self, fault: str, subject: str) -> Iterator[None]:
        with super().undo_record(fault, subject):
            self.trail.append("undo+")
            try:
                yield
            finally:
                self.trail.append("undo-")


@dataclass
class FakePeer:
    """One end at a relay's UDP port; ``wire`` is shared by both ends."""

    wire: FakeWire
    end: str = ""

    def __enter__(self) -> FakePeer:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def present(self, session: UUID, role: str, token: str) -> object:
        self.end = role
        return self.wire.answers[role]

    def forward(self, session: UUID, sequence: int, body: bytes) -> None:
        if self.end in self.wire.carries:
            self.wire.arrived.append(("client" if self.end == "server" else "server", body))

    def receive(self, timeout_s: float) -> object | None:
        mine = next((one for one in self.wire.arrived if one[0] == self.end), None)
        if mine:
            self.wire.arrived.remove(mine)
        return mine


@dataclass
class FakeWire:
    """What a relay answers to each role, and from which ends it carries packets."""

    answers: dict[str, object]
    carries: set[str]
    arrived: list[tuple[str, bytes]] = field(default_factory=list)
    sources: list[str | None] = field(default_factory=list)  # where the ends were asked to send from

    def peer(self, address: tuple[str, int], *, timeout_s: float, source_address: str | None) -> FakePeer:
        """In place of RelayPeer."""
        self.sources.append(source_address)
        return FakePeer(self)


class FakeTeller(Teller):
    """Keeps what it is told to say, and which runs to draw."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self.watched: list[Path] = []

    def __call__(self, text: str) -> None:
        self.said.append(text)

    def watch(self, folder: Path) -> None:
        self.watched.append(folder)
