"""Toxiproxy behind its narrow module: bounded, read back, and no server mistaken for another."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from drills.errors import CannotRun
from drills.stage.addresses import claimed
from drills.stage.children import spawn
from drills.stage.processes import toxiproxy_program
from drills.stage.toxiproxy import ToxiproxyServer
from tests.stage.fake_toxiproxy import FakeServer, serving


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    """A fake server, and a time-out that fits into a test."""
    monkeypatch.setattr("drills.stage.toxiproxy.API_TIMEOUT_S", 0.15)
    with serving() as fake:
        yield fake


@pytest.fixture
def server(fake: FakeServer) -> ToxiproxyServer:
    """Our side of it, with one proxy."""
    server = ToxiproxyServer("127.0.0.1", fake.port)
    server.create("path", "127.20.1.215:3000", "127.20.1.220:3000")
    return server


def test_a_toxic_is_put_on_and_taken_off(fake: FakeServer, server: ToxiproxyServer) -> None:
    """And read from the server each time."""
    server.add_toxic("path", "slow", "latency", "upstream", {"latency": 50, "jitter": 5})
    assert server.toxics("path") == ("slow",)
    assert fake.proxies["path"]["toxics"][0]["stream"] == "upstream"
    server.remove_toxic("path", "slow")
    assert server.toxics("path") == ()


def test_a_misspelt_attribute_is_noticed(server: ToxiproxyServer) -> None:
    """Toxiproxy drops it in silence; a fault of nothing would be measured."""
    with pytest.raises(CannotRun, match=r"asked for upstream \{'latencyy': 50\}"):
        server.add_toxic("path", "slow", "latency", "upstream", {"latencyy": 50})


def test_a_proxy_is_switched_off_and_on(fake: FakeServer, server: ToxiproxyServer) -> None:
    """And asked whether it is."""
    server.set_enabled("path", False)
    assert not fake.proxies["path"]["enabled"]
    server.set_enabled("path", True)
    assert server.enabled("path")


def test_a_switch_without_effect_is_noticed(fake: FakeServer, server: ToxiproxyServer) -> None:
    """A path that should be down and is not."""
    fake.ignores_switch = True
    with pytest.raises(CannotRun, match="did not disable path"):
        server.set_enabled("path", False)


def test_an_answer_of_500_is_no_success(fake: FakeServer, server: ToxiproxyServer) -> None:
    """The library takes it for one; a path that could not be opened again would be called mended."""
    fake.fail = "POST /proxies/path"
    with pytest.raises(CannotRun, match=r"500.*address already in use"):
        server.set_enabled("path", True)
    fake.fail = "POST /proxies"
    with pytest.raises(CannotRun, match="could not create other: 500"):
        server.create("other", "127.20.1.215:3000", "127.20.1.220:3000")


@pytest.mark.parametrize("hang", ["GET /version", "GET /proxies", "POST /proxies"])
def test_a_server_that_hangs_is_given_up_in_time(fake: FakeServer, server: ToxiproxyServer, hang: str) -> None:
    """The library would wait for ever."""
    fake.hang = hang
    began = time.monotonic()
    with pytest.raises(CannotRun, match="timed out"):
        if hang == "GET /version":
            server.version()
        else:
            server.set_enabled("path", False)
    assert time.monotonic() - began < 2.0


def test_a_removal_that_hangs_and_is_done_is_survived(fake: FakeServer, server: ToxiproxyServer) -> None:
    """The answer never comes; the toxic is gone, which is what was wanted."""
    server.add_toxic("path", "slow", "latency", "upstream", {"latency": 50})
    fake.hang, fake.hang_does = "DELETE", True
    server.remove_toxic("path", "slow")
    assert server.toxics("path") == ()


def test_a_removal_that_hangs_and_is_not_done_is_an_error_in_time(fake: FakeServer, server: ToxiproxyServer) -> None:
    """A fault that stays must not be called mended, and nobody waits for ever."""
    server.add_toxic("path", "slow", "latency", "upstream", {"latency": 50})
    fake.hang = "DELETE"
    began = time.monotonic()
    with pytest.raises(CannotRun, match="could not remove slow from path"):
        server.remove_toxic("path", "slow")
    assert time.monotonic() - began < 2.0


def test_a_toxic_that_is_not_there_is_as_good_as_removed(server: ToxiproxyServer) -> None:
    """A signal may have come before it was added; its mending is called all the same."""
    server.remove_toxic("path", "never_added")


def test_a_proxy_that_does_not_exist_is_named(server: ToxiproxyServer) -> None:
    """Not an error of some library."""
    with pytest.raises(CannotRun, match="no proxy nowhere"):
        server.set_enabled("nowhere", False)


def test_two_servers_are_not_mixed_up(fake: FakeServer, server: ToxiproxyServer) -> None:
    """The library keeps host and port on a class, for all servers of a process."""
    with serving() as second_fake:
        second = ToxiproxyServer("127.0.0.1", second_fake.port)
        second.create("path", "127.21.1.215:3000", "127.21.1.220:3000")
        server.set_enabled("path", False)
        assert second.enabled("path")
        assert not server.enabled("path")
        second.add_toxic("path", "slow", "latency", "upstream", {"latency": 50})
        assert server.toxics("path") == ()


def test_a_server_that_is_not_there_is_a_drill_that_cannot_run() -> None:
    """With its address."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(CannotRun, match=f"127.0.0.1:{port} could not list the toxics"):
        ToxiproxyServer("127.0.0.1", port).toxics("path")


def test_the_environments_proxies_are_not_used(server: ToxiproxyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """An office's HTTP proxy has no business between a drill and its own stage."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert server.version() == "2.12.0"


def test_the_real_server_keeps_what_it_is_asked_for(tmp_path: Path) -> None:
    """Proxies, toxics, switches and refusals of the toxiproxy-server that drills run with; without it, an error."""
    with claimed() as block:
        _real_server_keeps_what_it_is_asked_for(block.address(1, 215), tmp_path)


def _real_server_keeps_what_it_is_asked_for(host: str, folder: Path) -> None:
    child = spawn("toxiproxy", [toxiproxy_program(), "-host", host, "-port", "8474"], {}, folder)
    try:
        server = ToxiproxyServer(host, 8474)
        _await(server)
        with socket.create_server((host, 9000)) as behind:
            behind.settimeout(5.0)
            server.create("path", f"{host}:9001", f"{host}:9000")
            with pytest.raises(CannotRun, match="address already in use"):
                server.create("second", f"{host}:9001", f"{host}:9000")
            server.add_toxic("path", "slow", "latency", "downstream", {"latency": 5, "jitter": 1})
            with pytest.raises(CannotRun, match="asked for"):
                server.add_toxic("path", "misspelt", "latency", "upstream", {"latencyy": 5})
            assert set(server.toxics("path")) == {"slow", "misspelt"}
            server.remove_toxic("path", "slow")
            server.remove_toxic("path", "misspelt")
            assert server.toxics("path") == ()
            server.set_enabled("path", False)
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((host, 9001), timeout=5.0)
            server.set_enabled("path", True)
            with socket.create_connection((host, 9001), timeout=5.0), behind.accept()[0] as reached:
                assert reached.getpeername()[0].startswith("127.")
    finally:
        child.kill()


def _await(server: ToxiproxyServer) -> None:
    """Wait until the server answers; the last refusal is the witness."""
    deadline = time.monotonic() + 10.0
    while True:
        try:
            server.version()
        except CannotRun:
            if time.monotonic() > deadline:
                raise
        else:
            return
