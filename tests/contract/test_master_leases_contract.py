"""Leases and signalling over the master's WebSocket: contract-master-relay §2.4, §2.8, §2.10."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest

from drills.wavry.errors import Refused
from drills.wavry.lease import verify
from drills.wavry.master import Forwarded, MasterError, MasterSocket, RelayCredentials, RelayState
from drills.wavry.packets import Ack, Reject
from tests.contract.services import CALL_S, Master, Stage, Target, eventually

SILENCE_S = 0.15
_numbers = itertools.count(1)


@dataclass
class Pair:
    """Two bound ends of one test."""

    requester: MasterSocket
    target: MasterSocket
    requester_name: str
    target_name: str


def _token() -> str:
    """A token whose first 8 characters nobody shares (§2.10)."""
    return f"{next(_numbers):08d}-the-rest-of-a-token"


@pytest.fixture
def pair(master: Master) -> Iterator[Pair]:
    with master.socket() as requester, master.socket() as other:
        names = requester.bind(_token()), other.bind(_token())
        _settled(requester, names[0])
        _settled(other, names[1])
        yield Pair(requester, other, *names)


def _settled(socket: MasterSocket, own_name: str) -> None:
    """A BIND has no answer: an offer to oneself shows that it has been read (§2.10)."""
    socket.send_offer(own_name, "settled")
    assert socket.receive(CALL_S) == Forwarded("OFFER", own_name, "settled")


@pytest.fixture
def relay_id(master: Master) -> Iterator[str]:
    """The only relay that can be chosen; banned afterwards."""
    relay_id = str(uuid4())
    master.http.register_relay(relay_id, [f"198.18.{next(_numbers)}.9:4000"])
    master.http.heartbeat(relay_id, 0)
    yield relay_id
    master.http.update_state(relay_id, RelayState.BANNED)


def _leased(socket: MasterSocket, within_s: float = CALL_S) -> RelayCredentials:
    message = socket.receive(within_s)
    assert isinstance(message, RelayCredentials), message
    return message


ROLES = ("server", "client")  # requester's and target's, as on the wire (D-09: a requester that is a client is lost)


# --- §2.10: leases ----------------------------------------------------------------------------------------


def test_both_ends_get_a_lease_for_one_session(master: Master, pair: Pair, relay_id: str) -> None:
    """§2.4, §2.10: one session, one relay, its first endpoint, two roles, signed; good for 900 s."""
    pair.requester.request_relay(pair.target_name)
    ours, theirs = _leased(pair.requester), _leased(pair.target)
    assert (ours.session, ours.relay_id, ours.address) == (theirs.session, theirs.relay_id, theirs.address)
    assert ours.relay_id == relay_id and ours.address.endswith(".9:4000")
    for lease, name, role in zip((ours, theirs), (pair.requester_name, pair.target_name), ROLES, strict=True):
        claims = verify(lease.token, master.key.public_key)
        assert _fixed(claims) == {
            "sub": name,
            "wavry_id": name,
            "sid": str(ours.session),
            "role": role,
            "rid": relay_id,
            "kid": master.key.key_id,
            "slimit": 50_000,
            "hlimit": 100_000,
        }
        assert _lasts_s(claims, "iat_rfc3339", "exp_rfc3339") == pytest.approx(900, abs=1)
        assert _lasts_s(claims, "nbf_rfc3339", "iat_rfc3339") == pytest.approx(5, abs=1)
        assert _lasts_s(claims, "iat", "exp") == 3600
        assert len(lease.token) < 1477


def _fixed(claims: dict[str, Any]) -> dict[str, Any]:
    return {name: claim for name, claim in claims.items() if not name.startswith(("iat", "nbf", "exp"))}


def _lasts_s(claims: dict[str, Any], start: str, end: str) -> float:
    return (datetime.fromisoformat(claims[end]) - datetime.fromisoformat(claims[start])).total_seconds()


def test_a_lease_is_taken_by_a_real_relay(stage: Stage) -> None:
    """§2.10, §4.4, D-09: the tokens of a master open a session at a relay of the same target, roles as claimed."""
    master = stage.master()
    relay = stage.relay(master.base_url)
    with master.socket() as requester, master.socket() as other, relay.peer() as one, relay.peer() as two:
        requester.bind(_token())
        name = other.bind(_token())
        _settled(other, name)
        eventually(lambda: master.http.ready().ready)
        requester.request_relay(name)
        ours, theirs = _leased(requester), _leased(other)
        assert ours.address == f"{relay.udp[0]}:{relay.udp[1]}"
        assert one.present(ours.session, "client", ours.token) == Reject.INVALID_SIGNATURE
        assert isinstance(one.present(ours.session, "server", ours.token), Ack)
        assert isinstance(two.present(theirs.session, "client", theirs.token), Ack)
        one.forward(ours.session, 1, b"through")
        arrived = two.receive(1.0)
        assert arrived is not None and arrived.body == b"through"


def test_the_lifetime_of_a_lease_is_clamped(stage: Stage) -> None:
    """§2.2: WAVRY_MASTER_LEASE_TTL_SECS from 60 to 3600, 900 when it cannot be read."""
    for setting, ttl_s in (("5", 60), ("99999", 3600), ("soon", 900)):
        assert stage.master({"WAVRY_MASTER_LEASE_TTL_SECS": setting}).http.health().lease_ttl_s == ttl_s


def test_the_eleventh_lease_in_a_minute_is_refused(master: Master, pair: Pair, relay_id: str) -> None:
    """§2.10: ten per name in 60 s, then ERROR 429; another name is not touched."""
    for _ in range(10):
        pair.requester.request_relay(pair.target_name)
        _leased(pair.requester)
        _leased(pair.target)
    pair.requester.request_relay(pair.target_name)
    refused = pair.requester.receive(CALL_S)
    assert isinstance(refused, MasterError) and refused.code == 429
    pair.target.request_relay(pair.requester_name)
    _leased(pair.target)


def test_a_target_that_is_not_there(master: Master, pair: Pair, relay_id: str) -> None:
    """§2.10 step 5: the requester gets its lease all the same."""
    pair.requester.request_relay("user_nowhere0")
    assert _leased(pair.requester).relay_id == relay_id


def test_no_relay_to_give(target: Target, master: Master, pair: Pair) -> None:
    """§2.10 step 3, D-26: Wavry answers nothing; a sound master says so with an ERROR."""
    pair.requester.request_relay(pair.target_name)
    answer = pair.requester.receive(target.expects(sound=CALL_S, wavry=SILENCE_S))
    assert isinstance(answer, target.expects(sound=MasterError, wavry=type(None)))


def test_an_unbound_socket_gets_no_lease(master: Master, relay_id: str) -> None:
    """§2.10: ignored before BIND."""
    with master.socket() as socket:
        socket.request_relay("user_nowhere0")
        assert socket.receive(SILENCE_S) is None


@pytest.mark.parametrize("state", [RelayState.DRAINING, RelayState.QUARANTINED, RelayState.BANNED])
def test_no_lease_names_a_relay_that_is_taken_out(master: Master, pair: Pair, relay_id: str, state: RelayState) -> None:
    """§2.8: Draining, Quarantined and Banned are never chosen, though they beat."""
    other_id = str(uuid4())
    master.http.register_relay(other_id, [f"198.18.{next(_numbers)}.9:4000"])
    master.http.heartbeat(other_id, 0)
    master.http.update_state(relay_id, state)
    named = Counter[str]()
    for _ in range(10):
        pair.requester.request_relay(pair.target_name)
        named[_leased(pair.requester).relay_id] += 1
    master.http.update_state(other_id, RelayState.BANNED)
    assert named == {other_id: 10}


def test_leases_spread_over_equal_relays(master: Master, relay_id: str) -> None:
    """§2.8: two idle Active relays share about equally: of 40, each gets at least 6 (missed once in 700,000 runs)."""
    other_id = str(uuid4())
    master.http.register_relay(other_id, [f"198.18.{next(_numbers)}.9:4000"])
    master.http.heartbeat(other_id, 0)
    named = Counter[str]()
    with master.socket() as socket:
        for _ in range(4):
            socket.bind(_token())
            for _ in range(10):
                socket.request_relay("user_nowhere0")
                named[_leased(socket).relay_id] += 1
    master.http.update_state(other_id, RelayState.BANNED)
    assert named.keys() == {relay_id, other_id} and min(named.values()) >= 6


def test_a_revoked_name(target: Target, master: Master, pair: Pair, relay_id: str) -> None:
    """§2.11, D-25: Wavry goes on giving leases to a revoked name; a sound master refuses."""
    master.http.revoke(pair.requester_name)
    pair.requester.request_relay(pair.target_name)
    answer = pair.requester.receive(CALL_S)
    assert isinstance(answer, target.expects(sound=MasterError, wavry=RelayCredentials))


def test_an_empty_target(target: Target, master: Master, pair: Pair, relay_id: str) -> None:
    """§2.10 step 6, D-27: Wavry's socket is deaf afterwards; a sound master goes on reading."""
    pair.requester.request_relay("")
    pair.requester.send_offer(pair.target_name, "still there?")
    heard = pair.target.receive(target.expects(sound=CALL_S, wavry=SILENCE_S))
    assert (heard is not None) == target.expects(sound=True, wavry=False)


# --- §2.10: the upgrade and signalling --------------------------------------------------------------------


@pytest.mark.parametrize("origin", ["http://localhost:1420", "HTTP://LOCALHOST:1420/", "tauri://localhost"])
def test_a_listed_origin_is_let_in(master: Master, origin: str) -> None:
    """§2.10: trimmed, without the trailing slash, in any case."""
    MasterSocket.connect(master.ws_url, timeout_s=CALL_S, origin=origin).close()


@pytest.mark.parametrize("origin", [None, "http://example.org"])
def test_another_origin_is_refused(master: Master, origin: str | None) -> None:
    """§2.10: a missing or unlisted Origin is 403 (D-14: Wavry's own client sends none)."""
    with pytest.raises(Refused) as refused:
        MasterSocket.connect(master.ws_url, timeout_s=CALL_S, origin=origin)
    assert refused.value.status == 403


def test_signals_are_passed_on_under_the_senders_name(pair: Pair) -> None:
    """§2.10: OFFER, ANSWER and CANDIDATE, optional fields as null."""
    pair.requester.send_offer(pair.target_name, "an offer", "192.0.2.1:5")
    assert pair.target.receive(CALL_S) == Forwarded("OFFER", pair.requester_name, "an offer", "192.0.2.1:5")
    pair.target.send_answer(pair.requester_name, "an answer")
    assert pair.requester.receive(CALL_S) == Forwarded("ANSWER", pair.target_name, "an answer")
    pair.target.send_candidate(pair.requester_name, "a candidate")
    assert pair.requester.receive(CALL_S) == Forwarded("CANDIDATE", pair.target_name, "a candidate")


@pytest.mark.parametrize(
    "text", ["not JSON", '{"type":"NONSENSE"}', '{"type":"OFFER"}', '{"type":"Bind","payload":{}}']
)
def test_what_the_master_does_not_know_is_ignored(pair: Pair, text: str) -> None:
    """§2.10: malformed, unknown and non-text frames get no answer and close nothing."""
    pair.requester.socket.send_text(text)
    pair.requester.socket.send_binary(b"\x00")
    _settled(pair.requester, pair.requester_name)


def _peers_once_still(master: Master) -> int:
    """How many peers are bound, once the sockets of earlier tests have left the count."""
    looks: list[int] = []

    def stands_still() -> bool:
        looks.append(master.http.health().peers_connected)
        return len(looks) >= 5 and len(set(looks[-5:])) == 1

    eventually(stands_still)
    return looks[-1]


def test_peers_are_counted_while_bound(master: Master) -> None:
    """§2.6, §2.10: peers_connected counts bound names; an ended connection leaves the count."""
    before = _peers_once_still(master)
    with master.socket() as socket:
        _settled(socket, socket.bind(_token()))
        assert master.http.health().peers_connected == before + 1
    eventually(lambda: master.http.health().peers_connected == before)


def test_a_name_taken_over(target: Target, master: Master) -> None:
    """§2.10, D-28: the newer BIND gets the messages; when the older socket closes, Wavry forgets the newer one."""
    token = _token()
    with master.socket() as older, master.socket() as newer:
        name = older.bind(token)
        _settled(older, name)
        newer.bind(token)
        _settled(newer, name)
        before = master.http.health().peers_connected
        older.close()
        gone = target.expects(sound=False, wavry=True)
        if gone:
            eventually(lambda: master.http.health().peers_connected < before)
        newer.send_offer(name, "still mine?")
        assert (newer.receive(SILENCE_S if gone else CALL_S) is None) == gone
