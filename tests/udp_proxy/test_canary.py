"""A canary goes by the same toxics to an upstream of its own, and nobody else's fates depend on it."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.udp_proxy.stand import Stand, standing, udp

WRONG = [7, {}, {"client": "127.0.0.1:1"}, {"client": "127.0.0.1:0", "upstream": "127.0.0.1:1"}]


@pytest.fixture
def stand() -> Iterator[Stand]:
    """A path with a client and an upstream."""
    with standing() as stand:
        yield stand


@pytest.fixture
def canary(stand: Stand) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A canary on the path: its two ends."""
    with udp() as client, udp() as upstream:
        told = {"client": Stand.name(client), "upstream": Stand.name(upstream)}
        assert stand.say("POST", "/proxies/path", {"canary": told})["canary"] == told
        yield client, upstream


Ends = tuple[socket.socket, socket.socket]


def test_a_canary_reaches_its_own_upstream_and_others_do_not(stand: Stand, canary: Ends) -> None:
    """The same listening socket, told apart by the client's address."""
    stand.send(b"canary", canary[0])
    assert stand.received(canary[1])[0][0] == b"canary"
    stand.passes(b"client")


def test_a_canary_takes_nobodys_number(stand: Stand, canary: Ends) -> None:
    """Decisions depend on a flow's number: with a canary or without, the first client is flow 0."""
    stand.send(b"canary", canary[0])
    stand.received(canary[1])
    stand.passes(b"client")
    assert sorted(flow["number"] for flow in stand.say("GET", "/proxies/path")["flows"]) == [-1, 0]


def test_toxics_act_on_a_canary(stand: Stand, canary: Ends) -> None:
    """What it meets is what everybody meets: its second packet comes, its first was swallowed."""
    stand.toxic("blackhole")
    stand.send(b"swallowed", canary[0])
    stand.until(lambda: stand.counts()["acted"]["blackhole_upstream"])
    stand.say("DELETE", "/proxies/path/toxics/blackhole_upstream")
    stand.send(b"passed", canary[0])
    assert stand.received(canary[1])[0][0] == b"passed"


def test_a_canary_can_be_taken_off(stand: Stand, canary: Ends) -> None:
    """Its flow ends with it."""
    stand.send(b"canary", canary[0])
    stand.received(canary[1])
    assert "canary" not in stand.say("POST", "/proxies/path", {"canary": None})
    assert stand.say("GET", "/proxies/path")["flows"] == []


@pytest.mark.parametrize("wrong", WRONG)
def test_a_canary_that_is_not_understood_is_refused(stand: Stand, wrong: object) -> None:
    """As any other field."""
    assert stand.ask("POST", "/proxies/path", {"canary": wrong}).status == 400
