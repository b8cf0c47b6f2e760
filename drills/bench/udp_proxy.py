"""What the UDP fault proxy costs beside one of the same kind that does nothing, in one run.

Its own rate: as many packets as come back while the sender always has some more on the way. Its own delay: one packet
after the other at a modest rate, what was asked for and the way without a proxy taken off. Proxy and sender each have a
CPU of their own; the two proxies take turns, so that what the machine does meanwhile meets both.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import select
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from drills.bench.processes import running
from drills.bench.rows import Row
from drills.errors import CannotRun

HOST = "127.0.0.1"
ROUNDS = 5
RATE_S, DELAY_S = 1.0, 2.0
LOSS, LATENCY_MS = 0.01, 20
PAYLOAD_BYTES = 200
WINDOW = 6000  # packets on the way: 20 ms of them at 200 000 a second, and some more
PACED_HZ = 1000
READY_S, SILENCE_S = 10.0, 0.5
UDP_SEGMENT, SEGMENTS = 103, 32  # linux/udp.h: the kernel cuts one send into so many packets
RATE_RATIO_MIN, DELAY_RATIO_MAX = 0.6, 2.0  # issue 6, part 1


@dataclass(frozen=True)
class Round:
    """One proxy in one round: packets a second taken, and ms at p50 and p99 beyond what was asked for."""

    per_s: float
    p50_ms: float
    p99_ms: float


def measured(work: Path) -> list[Row]:
    """Both proxies in turn, several rounds."""
    cpus = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cpus[0]})
    try:
        with _sink() as sink, _plain(sink, work, cpus[-1]) as plain, _fault(sink, work, cpus[-1]) as fault:
            direct = [_delays_ms(sink, sink.getsockname()) for _ in range(2)]
            floor_ms = median(_quantile(one, 0.5) for one in direct)
            found = [(_round(sink, plain, 0.0, 0.0, floor_ms), _round(sink, fault, LOSS, LATENCY_MS, floor_ms))
                     for _ in range(ROUNDS)]  # fmt: skip
    finally:
        os.sched_setaffinity(0, cpus)
    return rows([one for one, _ in found], [one for _, one in found])


def rows(plain: list[Round], fault: list[Round]) -> list[Row]:
    """The median of the rounds' figures and of their ratios."""
    rates = [ours.per_s / theirs.per_s for theirs, ours in zip(plain, fault, strict=True)]
    tails = [ours.p99_ms / theirs.p99_ms for theirs, ours in zip(plain, fault, strict=True)]
    spent = [theirs.per_s / ours.per_s for theirs, ours in zip(plain, fault, strict=True)]
    rate, plain_rate = (median(one.per_s for one in which) for which in (fault, plain))
    return [
        Row("udp_proxy", "time a packet, to that of a proxy that does nothing", 1e6 / rate, "µs",
            ratio=median(spent), ratio_limit=1 / RATE_RATIO_MIN,
            says=f"{rate:.0f} packets a second beside {plain_rate:.0f}, {median(rates):.2f} × its rate (at least "
                 f"{RATE_RATIO_MIN} ×), with {LOSS:.0%} loss and {LATENCY_MS} ms; rounds {_spread(rates)}"),
        Row("udp_proxy", "added delay p99, to that of a proxy that does nothing", median(one.p99_ms for one in fault),
            "ms", ratio=median(tails), ratio_limit=DELAY_RATIO_MAX,
            says=f"beyond {LATENCY_MS} ms and the way without a proxy, at {PACED_HZ} a second; its own "
                 f"{median(one.p99_ms for one in plain):.3f} ms; p50 {median(one.p50_ms for one in fault):.3f} and "
                 f"{median(one.p50_ms for one in plain):.3f} ms; rounds {_spread(tails)}"),
    ]  # fmt: skip


def _spread(ratios: list[float]) -> str:
    return " ".join(f"{ratio:.2f}" for ratio in ratios)


def _round(sink: socket.socket, proxy: tuple[str, int], loss: float, asked_ms: float, floor_ms: float) -> Round:
    taken = _rate(sink, proxy) / (1.0 - loss)
    beyond = [one - asked_ms - floor_ms for one in _delays_ms(sink, proxy)]
    return Round(taken, _quantile(beyond, 0.5), _quantile(beyond, 0.99))


def _quantile(values: list[float], share: float) -> float:
    if not values:
        raise CannotRun("no packet came through")
    return sorted(values)[int(share * (len(values) - 1))]


@contextlib.contextmanager
def _sink() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * 1024 * 1024)
        sink.setblocking(False)
        sink.bind((HOST, 0))
        yield sink


@contextlib.contextmanager
def _plain(sink: socket.socket, work: Path, cpu: int) -> Iterator[tuple[str, int]]:
    command = [sys.executable, "-m", "drills.bench.udp_plain", "{}:{}".format(*sink.getsockname())]
    with running(command, work / "plain.log") as process:
        os.sched_setaffinity(process.pid, {cpu})
        yield HOST, _said(work / "plain.log")


@contextlib.contextmanager
def _fault(sink: socket.socket, work: Path, cpu: int) -> Iterator[tuple[str, int]]:
    with running([sys.executable, "-m", "drills.udp_proxy", "--port", "0"], work / "fault.log") as process:
        os.sched_setaffinity(process.pid, {cpu})
        api = _said(work / "fault.log")
        asked = {"name": "path", "listen": f"{HOST}:0", "upstream": "{}:{}".format(*sink.getsockname())}
        port = int(_told(api, "/proxies", asked)["listen"].rpartition(":")[2])
        for kind, attributes in (("loss", {"probability": LOSS}), ("latency", {"latency": LATENCY_MS})):
            _told(api, "/proxies/path/toxics", {"type": kind, "stream": "upstream", "attributes": attributes})
        yield HOST, port


def _said(log: Path) -> int:
    """The port in a proxy's first line."""
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        if found := re.search(r"127\.0\.0\.1:(\d+)", log.read_text()):
            return int(found[1])
        time.sleep(0.02)
    raise CannotRun(f"{log.stem}: no address within {READY_S:g} s")


def _told(port: int, path: str, body: Mapping[str, object]) -> dict[str, str]:
    connection = http.client.HTTPConnection(HOST, port, timeout=READY_S)
    connection.request("POST", path, json.dumps(body))
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    if answer.status >= 300:
        raise CannotRun(f"the fault proxy refused {path}: {text.decode()}")
    return dict(json.loads(text))


def _rate(sink: socket.socket, to: tuple[str, int]) -> float:
    """Packets a second that come out while there are always some on the way in."""
    _drain(sink)
    out, missing_since = 0, time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect(to)
        sender.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, PAYLOAD_BYTES)
        burst, on_the_way = bytes(PAYLOAD_BYTES * SEGMENTS), 0
        began = time.monotonic()
        began_counting = 0.0
        while (now := time.monotonic()) - began < RATE_S + 0.2:
            if not began_counting and now - began > 0.2:  # the first ones are still held
                began_counting, out = now, 0
            while on_the_way < WINDOW:
                sender.send(burst)
                on_the_way += SEGMENTS
            came = _drain(sink)
            out += came
            on_the_way -= came
            if came:
                missing_since = now
            elif now - missing_since > 0.05:  # what is missing was lost, as asked for
                on_the_way, missing_since = 0, now
        took_s = time.monotonic() - began_counting
    _silence(sink)
    return out / took_s


def _delays_ms(sink: socket.socket, to: tuple[str, int]) -> list[float]:
    """How long packets took that were sent one by one."""
    found: list[float] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect(to)
        due, until = time.monotonic(), time.monotonic() + DELAY_S
        while (now := time.monotonic()) < until + SILENCE_S:
            if due <= now < until:
                sender.send(b"%d" % time.monotonic_ns())
                due += 1 / PACED_HZ
            wait_s = max(0.0, min(due - time.monotonic(), SILENCE_S) if now < until else 0.01)
            if select.select([sink], [], [], wait_s)[0]:
                with contextlib.suppress(BlockingIOError):
                    found.append((time.monotonic_ns() - int(sink.recv(64))) / 1e6)
    return found


def _drain(sink: socket.socket) -> int:
    count = 0
    with contextlib.suppress(BlockingIOError):
        while sink.recv(2048):
            count += 1
    return count


def _silence(sink: socket.socket) -> None:
    while select.select([sink], [], [], SILENCE_S)[0]:
        _drain(sink)
