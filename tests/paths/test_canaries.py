"""A canary over a real proxy: both directions, its own counts, and nothing left of it."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from drills.errors import CannotRun
from drills.paths.canaries import flying
from drills.paths.notes import seen
from drills.record import Journal, Span, read_events
from drills.stage.udp_proxy import UdpProxyServer
from tests.udp_proxy.stand import HOST, Stand, udp
from tests.udp_proxy.test_program import running

WITHIN_S = 20.0


def stage_of(server: UdpProxyServer, listen: str) -> Any:
    """A stage with one path."""
    return SimpleNamespace(
        udp_proxy=server, on_path=lambda path: ("clients_to_relay_a",), udp_ways=lambda name: (listen, ""),
        probe_sources=lambda: (HOST, "127.0.0.2"), block=SimpleNamespace(host=HOST),
    )  # fmt: skip


def until(done: Any) -> None:
    """Wait, within bounds."""
    deadline = time.monotonic() + WITHIN_S
    while not done():
        assert time.monotonic() < deadline, "not within its time"
        threading.Event().wait(0.01)


def test_a_canary_measures_each_direction_of_a_path_by_itself(tmp_path: Path) -> None:
    """Upstream swallowed, downstream whole; the journal has what the proxy lost by itself."""
    with running() as (_, toxiproxy), udp() as relay:
        server = UdpProxyServer(HOST, toxiproxy.port)
        server.create("clients_to_relay_a", f"{HOST}:{free_port()}", Stand.name(relay))
        listen = server.show("clients_to_relay_a")["listen"]
        journal = Journal(tmp_path / "journal.jsonl")
        with flying(stage_of(server, listen), journal) as canaries:
            assert canaries
            notes = canaries.by_proxy["clients_to_relay_a"].notes
            until(lambda: len(notes["downstream"].arrivals) > 5)
            server.add_toxic("clients_to_relay_a", "hole", "blackhole", "upstream", {})
            from_ns = time.monotonic_ns()
            until(lambda: len(notes["upstream"].sent_ns) > 60)
            until(lambda: read_events(tmp_path / "journal.jsonl"))
            to_ns = time.monotonic_ns() - 100_000_000
            up, down = (seen(notes[stream], Span(from_ns, to_ns)) for stream in ("upstream", "downstream"))
            assert up.sent > 10 and up.lost == up.sent
            assert down.sent > 10 and down.lost < down.sent / 2
            assert server.toxics("clients_to_relay_a") == ("hole",)
            server.remove_toxic("clients_to_relay_a", "hole")
            server.remove_toxic("clients_to_relay_a", "hole")
        assert {event.name for event in read_events(tmp_path / "journal.jsonl")} == {"udp_proxy.second"}
        server.unwatch("clients_to_relay_a")
        assert "canary" not in server.show("clients_to_relay_a")


def free_port() -> int:
    """One that nobody has right now."""
    with udp() as sock:
        return int(sock.getsockname()[1])


def test_a_proxy_that_does_not_answer_is_an_error_of_the_family(tmp_path: Path) -> None:
    """Named, and within bounds."""
    with pytest.raises(CannotRun, match=r"UDP proxy at 127\.0\.0\.1:9"):
        UdpProxyServer(HOST, 9).version()


def test_what_the_proxy_refuses_is_an_error_that_says_why() -> None:
    """With the proxy's own words."""
    with running() as (_, toxiproxy), pytest.raises(CannotRun, match="404"):
        UdpProxyServer(HOST, toxiproxy.port).add_toxic("nobody", "x", "loss", "upstream", {"probability": 0.5})


def test_no_canary_flies_where_nothing_stands_in_the_way() -> None:
    """Drills without a UDP fault have no proxy and no canary."""
    with flying(SimpleNamespace(udp_proxy=None), Journal(None)) as canaries:  # type: ignore[arg-type]
        assert canaries is None
