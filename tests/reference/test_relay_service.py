"""A whole relay: its endpoints and calls against a master of a few lines, its exit codes as a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from drills.reference.defects import Defects
from drills.reference.relay.master_link import MUTE_BEATS, _patience_s, reachable
from drills.reference.relay.options import HostPort, parse_options
from drills.reference.relay.service import CannotServe, run
from drills.reference.relay.udp import bound_udp
from drills.reference.timers import Timers
from drills.wavry import lease, packets
from drills.wavry.lease import LeaseClaims, SigningKey
from drills.wavry.packets import Ack, Reject
from tests.reference.relay_bench import KEY, SESSION, Bench

FAST = Timers(100)  # a heartbeat every 50 ms
BOUND_S = 10.0


class Master:
    """Remembers what it was called with; answers what it is told to."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any], str | None]] = []
        self.statuses: dict[str, list[int]] = {"register": [], "heartbeat": []}  # next answers; then 200
        self.state: str | None = None
        self.public_key = KEY.public_key
        self.stopped = False  # as SIGSTOP leaves it: calls arrive and are not answered
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        verb = request.match_info["verb"]
        self.calls.append((verb, await request.json(), request.headers.get("Authorization")))
        if self.stopped:
            await asyncio.sleep(BOUND_S)
        status = self.statuses[verb].pop(0) if self.statuses[verb] else 200
        if status != 200:
            return web.Response(status=status)
        if verb == "register":
            key = {"master_public_key": list(self.public_key), "master_key_id": KEY.key_id}
            return web.json_response({"heartbeat_interval_ms": 50} | key)
        return web.json_response({"ok": True} | ({"state": self.state} if self.state else {}))

    async def identity(self, request: web.Request) -> web.Response:
        return web.json_response({"public_key": self.public_key.hex(), "key_id": KEY.key_id, "version": "1.0"})

    def verbs(self) -> list[str]:
        return [verb for verb, _, _ in self.calls]


@asynccontextmanager
async def standing_master(tells_its_key: bool = True) -> AsyncIterator[Master]:
    master = Master()
    application = web.Application()
    application.router.add_post("/v1/relays/{verb}", master.answer)
    if tells_its_key:
        application.router.add_get("/.well-known/wavry-id", master.identity)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    master.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield master
    finally:
        await runner.cleanup()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def until(true: Callable[[], bool], what: str) -> None:
    """Wait for something, with a bound and a witness."""
    deadline = time.monotonic() + BOUND_S
    while not true():
        assert time.monotonic() < deadline, f"{what}: not within {BOUND_S} s"
        await asyncio.sleep(0.005)


class Relay:
    """A relay in this process, and two ends beside it."""

    def __init__(self, master: Master, defects: str = "", *arguments: str) -> None:
        self.health_port = free_port()
        self.udp_port = free_port()
        ports = ["--listen", f"127.0.0.1:{self.udp_port}", "--health-listen", f"127.0.0.1:{self.health_port}"]
        to_master = ["--master-url", master.url, "--master-auth-token", "secret-token"]
        self.options = parse_options([*ports, *to_master, *arguments], {}, FAST)
        self.running = asyncio.create_task(run(self.options, FAST, Defects.parse(defects.split(","))))
        self.ends = [bound_udp(HostPort("127.0.0.1", 0)) for _ in range(2)]

    async def get(self, path: str) -> tuple[int, str]:
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"http://127.0.0.1:{self.health_port}{path}") as answer,
        ):
            return answer.status, await answer.text()

    async def exchange(self, end: int, datagram: bytes, receiver: int | None = None) -> bytes:
        loop = asyncio.get_running_loop()
        await loop.sock_sendto(self.ends[end], datagram, ("127.0.0.1", self.udp_port))
        received = loop.sock_recv(self.ends[end if receiver is None else receiver], 2048)
        return await asyncio.wait_for(received, BOUND_S)

    async def pair(self, relay_id: str) -> None:
        """Seat both ends with leases of the present."""
        bench = Bench()
        bench.elapsed_s = time.time() - bench.unix_s
        for end, role in enumerate(("client", "server")):
            claims: LeaseClaims = bench.claims(role, relay_id=relay_id)
            datagram = packets.present(SESSION, role, lease.mint(claims, KEY))
            assert isinstance(packets.parse_ack(await self.exchange(end, datagram)), Ack)

    async def stop(self) -> None:
        self.running.cancel()
        for end in self.ends:
            end.close()
        await asyncio.wait([self.running], timeout=BOUND_S)


def within_a_loop(story: Callable[[Master], Coroutine[Any, Any, None]], *, tells_its_key: bool = True) -> None:
    async def told() -> None:
        async with standing_master(tells_its_key) as master:
            await story(master)

    asyncio.run(told())


def test_a_relay_registers_answers_beats_and_carries(capsys: pytest.CaptureFixture[str]) -> None:
    """The whole happy path over real sockets, and no secret in what it logs."""

    async def story(master: Master) -> None:
        relay = Relay(master, "", "--region", "eu-west", "--asn", "64500")
        try:
            await until(lambda: master.verbs()[:3] == ["register", "heartbeat", "heartbeat"], "two heartbeats")
            _, registered, bearer = master.calls[0]
            relay_id = registered.pop("relay_id")
            assert bearer == "Bearer secret-token"
            assert registered == {
                "endpoints": [f"127.0.0.1:{relay.udp_port}"],
                "region": "eu-west",
                "asn": 64500,
                "max_sessions": 100,
                "max_bitrate_kbps": 20000,
                "features": ["ipv4"],
            }
            assert master.calls[1][1] == {"relay_id": relay_id, "load_pct": 0.0}
            await relay.pair(relay_id)
            forward = packets.forward(SESSION, 1, b"hello")
            assert await relay.exchange(0, forward, receiver=1) == forward
            assert await relay.exchange(1, forward, receiver=0) == forward
            status, text = await relay.get("/health")
            health = json.loads(text)
            metrics = health.pop("metrics")
            assert (status, health) == (
                200,
                {
                    "relay_id": relay_id,
                    "status": "ok",
                    "ready": True,
                    "has_master_key": True,
                    "registered_with_master": True,
                    "active_sessions": 1,
                    "total_sessions": 1,
                    "max_sessions": 100,
                    "uptime_secs": 0,
                },
            )
            assert len(metrics) == 23 and metrics["packets_forwarded"] == 2
            assert json.loads((await relay.get("/metrics"))[1]) == metrics
            assert await relay.get("/ready") == (200, json.dumps({"relay_id": relay_id, "ready": True}))
            prometheus = (await relay.get("/metrics/prometheus"))[1]
            assert f'wavry_relay_packets_forwarded{{relay_id="{relay_id}"}} 2\n' in prometheus
            assert prometheus.count("# TYPE") == 25 and prometheus.count(" counter\n") == 23
            await until(lambda: master.calls[-1][1].get("load_pct") == 1.0, "the load told")
        finally:
            await relay.stop()

    within_a_loop(story)
    told = capsys.readouterr()
    assert "secret-token" not in told.out + told.err and "v4.public" not in told.out + told.err


def test_a_forgotten_relay_registers_again_under_its_id() -> None:
    """404 to a heartbeat: at once, and the next heartbeat follows at once."""

    async def story(master: Master) -> None:
        master.statuses["heartbeat"] = [200, 404]
        relay = Relay(master)
        try:
            await until(lambda: len(master.calls) >= 5, "five calls")
            assert master.verbs()[:5] == ["register", "heartbeat", "heartbeat", "register", "heartbeat"]
            assert len({call["relay_id"] for _, call, _ in master.calls}) == 1
        finally:
            await relay.stop()

    within_a_loop(story)


def test_a_refused_registration_is_tried_again() -> None:
    """403 and 500 are retried, and until then the health port is closed."""

    async def story(master: Master) -> None:
        master.statuses["register"] = [403, 500]
        relay = Relay(master)
        try:
            await until(lambda: "register" in master.verbs(), "the first try")
            with pytest.raises(aiohttp.ClientConnectionError):
                await relay.get("/health")
            await until(lambda: "heartbeat" in master.verbs(), "a heartbeat")
            assert master.verbs().count("register") == 3
        finally:
            await relay.stop()

    within_a_loop(story)


def test_a_failing_master_makes_the_relay_unready_and_the_sixth_failure_register() -> None:
    """500 six times; the data plane does not care."""

    async def story(master: Master) -> None:
        relay = Relay(master)
        try:
            await until(lambda: "heartbeat" in master.verbs(), "a heartbeat")
            await relay.pair(master.calls[0][1]["relay_id"])
            master.statuses["heartbeat"] = [500] * 6
            before = len(master.calls)
            await until(lambda: len(master.statuses["heartbeat"]) < 5, "a failure")
            assert (await relay.get("/ready"))[0] == 503
            forward = packets.forward(SESSION, 1, b"hello")
            assert await relay.exchange(0, forward, receiver=1) == forward
            await until(lambda: master.verbs().count("register") == 2, "a second registration")
            assert master.verbs()[before:].index("register") <= 7
        finally:
            await relay.stop()

    within_a_loop(story)


def test_a_foreign_master_ends_a_relay_that_was_given_a_key() -> None:
    """Every lease would be refused, so it says so instead of serving nobody (D-05)."""

    async def story(master: Master) -> None:
        relay = Relay(master, "", "--master-public-key", "00" * 32)
        await asyncio.wait([relay.running], timeout=BOUND_S)
        with pytest.raises(CannotServe, match="master-public-key"):
            relay.running.result()
        await relay.stop()

    within_a_loop(story)


@pytest.mark.parametrize("tells_its_key", [True, False])
def test_a_relay_with_sessions_outlives_a_master_with_another_key(tells_its_key: bool) -> None:
    """It keeps the explicit key, keeps trying, and stays unready while it does (D-05).

    A master that tells its key is not even registered with: it would take the relay for one that it can lend.
    """

    async def story(master: Master) -> None:
        relay = Relay(master, "", "--master-public-key", KEY.public_hex)
        try:
            await until(lambda: "heartbeat" in master.verbs(), "a heartbeat")
            master.public_key = bytes(32)
            master.statuses["heartbeat"] = [404]
            await until(lambda: not master.statuses["heartbeat"], "being forgotten")
            registered = 1 if tells_its_key else 3
            if tells_its_key:
                await asyncio.sleep(0.2)  # time for several tries, which come after 10, 20 and 40 ms
            await until(lambda: master.verbs().count("register") >= registered, "tries to register again")
            assert (await relay.get("/ready"))[0] == 503
            assert (master.verbs().count("register") == 1) is tells_its_key
            master.public_key = KEY.public_key
            await until(lambda: master.verbs()[-1] == "heartbeat", "a heartbeat again")
        finally:
            await relay.stop()

    within_a_loop(story, tells_its_key=tells_its_key)


@pytest.mark.parametrize("defect", ["relay_ignores_new_key", "relay_refuses_leases_after_rejoining"])
def test_a_ready_relay_that_refuses_leases_is_a_defect(defect: str) -> None:
    """Registered again it says ready, and a lease signed with the master's key of the day is rejected (D-05)."""

    async def story(master: Master) -> None:
        relay = Relay(master, defect)
        try:
            await until(lambda: "heartbeat" in master.verbs(), "a heartbeat")
            relay_id = master.calls[0][1]["relay_id"]
            signs = SigningKey.generate() if defect == "relay_ignores_new_key" else KEY
            master.public_key = signs.public_key
            master.statuses["heartbeat"] = [404]
            await until(lambda: master.verbs().count("register") == 2, "a second registration")
            await until(lambda: master.verbs()[-1] == "heartbeat", "a heartbeat again")
            assert (await relay.get("/ready"))[0] == 200
            bench = Bench()
            bench.elapsed_s = time.time() - bench.unix_s
            token = lease.mint(bench.claims("client", relay_id=relay_id), signs)
            answer = await relay.exchange(0, packets.present(SESSION, "client", token))
            assert packets.parse_reject(answer) is Reject.INVALID_SIGNATURE
        finally:
            await relay.stop()

    within_a_loop(story)


def test_relay_stops_without_master_for_some_heartbeats() -> None:
    """Also where it was back at once: packets that come meanwhile are lost; the sound relay carries them."""

    async def story(master: Master) -> None:
        relay = Relay(master, "relay_stops_without_master")
        try:
            await until(lambda: "heartbeat" in master.verbs(), "a heartbeat")
            await relay.pair(master.calls[0][1]["relay_id"])
            master.statuses["heartbeat"] = [500]
            await until(lambda: not master.statuses["heartbeat"], "a failure")
            loop = asyncio.get_running_loop()
            lost = packets.forward(SESSION, 1, b"lost")
            await loop.sock_sendto(relay.ends[0], lost, ("127.0.0.1", relay.udp_port))
            told = len(master.calls)
            await until(lambda: len(master.calls) > told + MUTE_BEATS + 1, "good heartbeats")
            carried = packets.forward(SESSION, 2, b"carried")
            assert await relay.exchange(0, carried, receiver=1) == carried
        finally:
            await relay.stop()

    within_a_loop(story)


def test_relay_times_out_early_and_the_sound_relay_waits_for_two_heartbeats() -> None:
    """By how long either would wait for an answer."""
    timers = Timers(divisor=10.0)
    assert _patience_s(timers, Defects()) == timers.heartbeat_timeout_s == 1.0
    assert _patience_s(timers, Defects.parse(["relay_times_out_early"])) == 0.4


def test_relay_waits_for_ever_for_a_stopped_master() -> None:
    """It never says that it is not registered (D-24)."""

    async def story(master: Master) -> None:
        relay = Relay(master, "relay_waits_for_ever")
        try:
            await until(lambda: "heartbeat" in master.verbs(), "a heartbeat")
            master.stopped = True
            told = len(master.calls)
            await until(lambda: len(master.calls) > told, "a heartbeat that is not answered")
            await asyncio.sleep(0.3)  # three times as long as the sound relay waits
            assert len(master.calls) == told + 1
            assert (await relay.get("/ready"))[0] == 200
        finally:
            await relay.stop()

    within_a_loop(story)


def test_a_stopped_master_is_a_failed_heartbeat() -> None:
    """Two heartbeats is all a call is given, so the relay soon says that it is not registered (D-24)."""

    async def story(master: Master) -> None:
        relay = Relay(master)
        try:
            await until(lambda: "heartbeat" in master.verbs(), "a heartbeat")
            master.stopped = True
            told = len(master.calls)
            await until(lambda: len(master.calls) >= told + 2, "a heartbeat after the one that was not answered")
            assert (await relay.get("/ready"))[0] == 503
        finally:
            await relay.stop()

    within_a_loop(story)


def test_a_wildcard_is_registered_as_an_address_of_this_machine() -> None:
    """The one on the way to the master (D-07); a concrete address stays, and so does one that cannot be found."""

    async def story(master: Master) -> None:
        for listening, found in [("0.0.0.0", "127.0.0.1"), ("127.0.0.7", "127.0.0.7")]:
            assert await reachable(HostPort(listening, 4000), master.url) == HostPort(found, 4000)
        assert (await reachable(HostPort("::", 4000), "http://127.0.0.1:1")).is_wildcard

    within_a_loop(story)


@pytest.mark.parametrize("defect", ["", "drain_cuts_sessions"])
def test_a_drained_relay_keeps_its_sessions_unless_drain_cuts_sessions(defect: str) -> None:
    """Sound: a drain stops new leases only. The defect forgets every session when it learns of it."""

    async def story(master: Master) -> None:
        relay = Relay(master, defect)
        try:
            await until(lambda: "heartbeat" in master.verbs(), "a heartbeat")
            await relay.pair(master.calls[0][1]["relay_id"])
            master.state = "Draining"
            told = len(master.calls)
            await until(lambda: len(master.calls) >= told + 3, "three more heartbeats")
            health = json.loads((await relay.get("/health"))[1])
            assert health["total_sessions"] == (0 if defect else 1)
        finally:
            await relay.stop()

    within_a_loop(story)


@pytest.mark.parametrize(("defect", "least_s", "most_s"), [("", 0.0, 0.035), ("relay_adds_40ms", 0.04, 1.0)])
def test_relay_adds_40ms_and_the_sound_relay_does_not(defect: str, least_s: float, most_s: float) -> None:
    """Order is kept; the fastest of five tries is what is judged, because the machine may be busy."""

    async def story(master: Master) -> None:
        relay = Relay(master, defect)
        try:
            await until(lambda: "heartbeat" in master.verbs(), "a heartbeat")
            await relay.pair(master.calls[0][1]["relay_id"])
            took = []
            for number in range(5):
                begun = time.monotonic()
                await relay.exchange(0, packets.forward(SESSION, number, b""), receiver=1)
                took.append(time.monotonic() - begun)
            assert least_s <= min(took) < most_s
        finally:
            await relay.stop()

    within_a_loop(story)


def test_relay_returns_late_registers_sixteen_heartbeats_after_its_start() -> None:
    """16 × 50 ms here; the sound twin registers at once, as every other test shows."""

    async def story(master: Master) -> None:
        begun = time.monotonic()
        relay = Relay(master, "relay_returns_late")
        try:
            await until(lambda: "register" in master.verbs(), "a registration")
            assert time.monotonic() - begun >= 16 * FAST.heartbeat_s
        finally:
            await relay.stop()

    within_a_loop(story)


def process(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "drills.reference.relay", *arguments],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def loopback(udp_port: int, health_port: int) -> list[str]:
    ports = ["--listen", f"127.0.0.1:{udp_port}", "--health-listen", f"127.0.0.1:{health_port}"]
    return [*ports, "--master-url", "http://127.0.0.1:1"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_relay_with_0(number: signal.Signals) -> None:
    """Also one that is still trying to register (D-06)."""
    with process(*loopback(free_port(), free_port())) as relay:
        assert relay.stdout is not None
        lines = iter(relay.stdout.readline, "")
        assert any("failed to connect to master: " in line for line in lines)
        begun = time.monotonic()
        relay.send_signal(number)
        assert relay.wait(BOUND_S) == 0
        assert time.monotonic() - begun < 2.0
        assert f"Received {number.name}, initiating graceful shutdown..." in relay.stdout.read()


@pytest.mark.parametrize("taken", ["UDP", "TCP"])
def test_a_taken_port_ends_a_relay_with_1(taken: str) -> None:
    """No other port is taken instead (D-37), and nothing is registered."""
    with socket.socket(type=socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
        udp.bind(("127.0.0.1", 0))
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        ports = [udp.getsockname()[1], free_port()] if taken == "UDP" else [free_port(), tcp.getsockname()[1]]
        with process(*loopback(*ports)) as relay:
            assert relay.wait(BOUND_S) == 1
            assert relay.stderr is not None and f"cannot listen on {taken}" in relay.stderr.read()


@pytest.mark.parametrize(
    ("environment", "code", "told"),
    [
        ({"DRILLS_DEFECTS": "relay_sings"}, 2, "unknown defect relay_sings"),
        ({"DRILLS_TIME_DIVISOR": "0"}, 2, "DRILLS_TIME_DIVISOR"),
        ({"WAVRY_RELAY_LISTEN": "198.18.0.1:4000"}, 1, "WAVRY_RELAY_ALLOW_PUBLIC_BIND"),
    ],
)
def test_a_relay_that_must_not_start_says_why(environment: dict[str, str], code: int, told: str) -> None:
    """A misspelt defect must never pass for a sound system."""
    with process(**environment) as relay:
        assert relay.wait(BOUND_S) == code
        assert relay.stderr is not None and told in relay.stderr.read()
