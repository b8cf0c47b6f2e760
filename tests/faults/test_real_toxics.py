"""Every fault on a TCP path, put on and taken off at the toxiproxy-server that drills run with.

What stands behind the proxy is a small HTTP/1.1 server of the tests. Without the program it is an error, not a skip.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from drills.errors import CannotRun
from drills.faults.table import FAULTS
from drills.stage.addresses import claimed
from drills.stage.children import spawn
from drills.stage.processes import toxiproxy_program
from drills.stage.toxiproxy import ToxiproxyServer
from tests.fakes import FakeScene


class Answers(BaseHTTPRequestHandler):
    """`/health`, as gateway and master have it: kept alive until somebody asks to close."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = b'{"status":"ok"}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return None


class RealTime(FakeScene):
    """A scene whose clock is the real one: what toxics do takes time."""

    def now_ns(self) -> int:
        return time.monotonic_ns()

    def pause(self, seconds: float) -> None:
        threading.Event().wait(seconds)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """A server, a proxy before it, and what a fault needs of a stage to find it."""
    with claimed() as block, served(block.address(1, 220)):
        host = block.address(1, 215)
        child = spawn(
            "toxiproxy", [toxiproxy_program(), "-host", host, "-port", "8474"], {}, tmp_path_factory.mktemp("x")
        )
        try:
            server = ToxiproxyServer(host, 8474)
            for _ in range(500):
                try:
                    server.version()
                    break
                except CannotRun:
                    threading.Event().wait(0.02)
            server.create("path", f"{host}:9001", f"{block.address(1, 220)}:9000")
            yield SimpleNamespace(toxiproxy=server, proxied=lambda proxy: f"{host}:9001")
        finally:
            child.kill()


@contextmanager
def served(host: str) -> Iterator[None]:
    """The server, for as long as the context lasts."""
    with ThreadingHTTPServer((host, 9000), Answers) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join(5.0)


TRIES = 3  # a canary that a busy machine holds up proves nothing, and is right not to: then once more
DIRECTED: dict[str, dict[str, Any]] = {
    "latency": {"latency_ms": 60}, "bandwidth": {"rate_kb_per_s": 40}, "black_hole": {}, "timeout": {"timeout_ms": 100},
    "slicer": {"average_size": 200, "delay_us": 4000}, "reset_peer": {}, "slow_close": {"delay_ms": 150},
    "limit_data": {"bytes": 500},
}  # fmt: skip


@pytest.mark.parametrize("direction", ["upstream", "downstream", "both"])
@pytest.mark.parametrize("name", sorted(DIRECTED))
def test_a_toxic_is_measured_on_and_off(tmp_path: Path, path: SimpleNamespace, name: str, direction: str) -> None:
    """In each direction; the receipt has both measurements, and nothing is left on the path."""
    scene = RealTime(tmp_path)
    scene.stage = path
    arguments = FAULTS[name].arguments(direction=direction, **DIRECTED[name])
    said = []
    for _ in range(TRIES):
        with FAULTS[name].injected(scene, "path", arguments) as receipt:
            pass
        assert receipt.landed and receipt.mended
        said += [receipt.landed.measured, receipt.mended.measured]
        if receipt.landed.seen and receipt.mended.seen:
            break
    else:
        pytest.fail("; ".join(said))
    assert path.toxiproxy.toxics("path") == ()


def test_every_toxic_of_toxiproxy_is_a_fault() -> None:
    """Those of https://github.com/Shopify/toxiproxy#toxics, `timeout` 0 as black_hole, and the switched-off proxy."""
    assert {*DIRECTED, "down"} == {name for name, fault in FAULTS.items() if fault.on == "proxy"}
