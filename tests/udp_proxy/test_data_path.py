"""Real datagrams through a real proxy on 127.0.0.1: mechanism, never timing."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

import pytest

from drills.udp_proxy import flow as flow_module
from drills.udp_proxy import proxy as proxy_module
from drills.udp_proxy import sockets
from tests.udp_proxy.stand import Stand, standing, udp


@pytest.fixture
def stand() -> Iterator[Stand]:
    """A client, a proxy, an upstream."""
    with standing() as made:
        yield made


def test_packets_go_both_ways(stand: Stand) -> None:
    """And are counted both ways."""
    source = stand.passes(b"there")
    stand.upstream.sendto(b"and back", source)
    assert stand.received(stand.client) == [(b"and back", (stand.proxy.listen.host, stand.proxy.listen.port))]
    counts = stand.counts()
    for direction, size in (("upstream", 5), ("downstream", 8)):
        assert counts[direction] == {"received_packets": 1, "received_bytes": size, "sent_packets": 1,
                                     "sent_bytes": size, "refused_packets": 0}  # fmt: skip
    assert counts["losses"] == {"receive_buffers": 0, "sends": 0, "held": 0, "flows": 0}


@pytest.mark.parametrize("size", [0, 1, 1472, 65_507])
def test_datagrams_of_every_size_pass(stand: Stand, size: int) -> None:
    """From none to the largest that UDP has."""
    stand.passes(b"x" * size)


def test_each_client_has_a_source_of_its_own_and_gets_its_own_answers(stand: Stand) -> None:
    """And keeps it from packet to packet."""
    with contextlib.closing(udp()) as second:
        ours, theirs = stand.passes(b"one"), stand.passes(b"two", second)
        assert ours != theirs
        assert stand.passes(b"three") == ours
        stand.upstream.sendto(b"for the second", theirs)
        assert stand.received(second)[0][0] == b"for the second"
    flows = stand.say("GET", "/proxies/path")["flows"]
    assert [(flow["number"], flow["upstream_packets"]) for flow in flows] == [(0, 2), (1, 1)]


def test_a_flow_may_have_its_clients_own_address() -> None:
    """A service with limits for each address then sees as many as there are clients."""
    with standing(source="client") as stand, contextlib.closing(udp("127.0.0.7")) as second:
        assert stand.passes(b"one", second)[0] == "127.0.0.7"


def test_an_idle_flow_is_forgotten_and_begins_anew() -> None:
    """With another source; the one that was heard of lately stays."""
    with standing(idle_s=5.0) as stand:
        stand.passes(b"one")
        stand.proxy.forget_idle(time.monotonic_ns())
        assert stand.counts()["flows"] == 1
        stand.proxy.forget_idle(time.monotonic_ns() + 6_000_000_000)
        assert stand.counts()["flows"] == 0
        stand.passes(b"two")
        assert stand.counts()["flows_seen"] == 2


def test_an_upstream_that_refuses_kills_nothing(stand: Stand) -> None:
    """Its packets are lost, and counted; when it is back, the first packet gets through."""
    port = stand.upstream.getsockname()
    stand.passes(b"there")
    stand.upstream.close()
    for number in range(5):
        stand.send(b"%d" % number)
    stand.until(lambda: stand.counts()["upstream"]["received_packets"] == 6)
    stand.until(lambda: stand.counts()["upstream"]["refused_packets"])
    stand.upstream = udp(*port)
    stand.passes(b"back again")
    assert stand.counts()["losses"]["sends"] == 0


def test_what_dies_in_our_own_receive_buffer_is_counted(stand: Stand) -> None:
    """More than it holds while nobody reads: what did not come through is exactly what is shown as our loss."""
    assert stand.proxy._socket is not None
    stand.proxy._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    for number in range(100):
        stand.send(b"%03d" % number + b"x" * 500)
    lost = stand.counts()["losses"]["receive_buffers"]
    assert lost > 0
    stand.received(stand.upstream, 100 - lost)
    stand.say("POST", "/proxies/path", {"enabled": False})
    assert stand.counts()["losses"]["receive_buffers"] == lost


def test_no_more_flows_than_there_may_be(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes from others is our loss, and those that are there go on."""
    monkeypatch.setattr(proxy_module, "FLOWS_MAX", 1)
    stand.passes(b"one")
    with contextlib.closing(udp()) as second:
        stand.send(b"two", second)
        stand.until(lambda: stand.counts()["losses"]["flows"])
    stand.passes(b"three")


def test_a_flow_that_gets_no_socket_is_our_loss(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the next packet tries again."""

    def none(family: object) -> None:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as without:
        without.setattr(flow_module, "udp_socket", none)
        stand.send(b"one")
        stand.until(lambda: stand.counts()["losses"]["flows"])
    stand.passes(b"two")


@pytest.mark.parametrize(("stream", "delayed"), [("upstream", True), ("downstream", False)])
def test_latency_delays_its_own_direction(stand: Stand, stream: str, delayed: bool) -> None:
    """By no less than was asked for; the bounds are far apart, for this is no measurement."""
    source = stand.passes(b"warm")
    stand.toxic("latency", stream, latency=200)
    began = time.monotonic()
    stand.send(b"there")
    stand.received(stand.upstream)
    there_s = time.monotonic() - began
    began = time.monotonic()
    stand.upstream.sendto(b"back", source)
    stand.received(stand.client)
    slow_s, quick_s = (there_s, time.monotonic() - began) if delayed else (time.monotonic() - began, there_s)
    assert 0.2 <= slow_s < 5.0
    assert quick_s < slow_s or quick_s < 0.2


def test_a_black_hole_is_one_way(stand: Stand) -> None:
    """The other way stays open."""
    source = stand.passes(b"warm")
    stand.toxic("blackhole", "upstream")
    stand.send(b"gone")
    stand.until(lambda: stand.counts()["acted"]["blackhole_upstream"] == 1)
    stand.upstream.sendto(b"back", source)
    assert stand.received(stand.client)[0][0] == b"back"
    stand.say("DELETE", "/proxies/path/toxics/blackhole_upstream")
    stand.passes(b"open again")


def test_a_rebind_gives_a_new_port_and_silence_at_the_old_one(stand: Stand) -> None:
    """What the upstream sends to the new one arrives; what it sends to the old one is neither delivered nor refused."""
    old = stand.passes(b"before")
    stand.toxic("rebind")
    new = stand.passes(b"after")
    assert new != old
    assert stand.passes(b"later") == new
    stand.upstream.sendto(b"to the old", old)
    stand.upstream.sendto(b"to the new", new)
    assert stand.received(stand.client)[0][0] == b"to the new"
    stand.upstream.sendto(b"again", new)  # an ICMP error would have been told here at the latest
    assert stand.received(stand.client)[0][0] == b"again"


def test_the_same_seed_loses_the_same_packets() -> None:
    """In two programs, one packet at a time or all at once; another seed loses others."""

    def survivors(seed: int, together: bool) -> list[bytes]:
        with standing(seed) as stand:
            stand.toxic("loss", probability=0.3)
            for number in range(100):
                stand.send(b"%02d" % number)
                if not together:
                    stand.loop.round(0)
            acted = stand.until(lambda: stand.counts()["upstream"]["received_packets"] == 100 and stand.counts())
            left = 100 - acted["acted"]["loss_upstream"]
            return [payload for payload, _ in stand.received(stand.upstream, left)]

    first = survivors(1, together=True)
    assert 50 < len(first) < 90
    assert survivors(1, together=False) == first
    assert survivors(2, together=True) != first


def test_a_proxy_that_is_switched_off_forgets_what_it_holds(stand: Stand) -> None:
    """And passes new packets when it is on again."""
    stand.passes(b"warm")
    stand.toxic("latency", latency=300)
    stand.send(b"held")
    stand.until(lambda: stand.loop.held.due_ns())
    stand.say("POST", "/proxies/path", {"enabled": False})
    assert stand.loop.held.due_ns() is None
    stand.say("POST", "/proxies/path", {"enabled": True})
    stand.say("DELETE", "/proxies/path/toxics/latency_upstream")
    stand.passes(b"again")


@pytest.mark.parametrize("text", ["127.0.0.1", "host:80", "127.0.0.1:99999", "::1:80", "[::g]:80", "1.2.3:80", ":80"])
def test_what_is_no_numeric_address_is_refused(text: str) -> None:
    """Names too: to look one up would keep packets waiting."""
    assert sockets.Address.parsed(text) is None


def test_numeric_addresses_are_shown_as_they_are_read() -> None:
    """Also those of IPv6."""
    for text in ("127.0.0.1:8475", "[::1]:80", "0.0.0.0:0"):
        assert str(sockets.Address.parsed(text)) == text
    assert str(sockets.Address.parsed("localhost:80")) == "127.0.0.1:80"
