"""The WebSocket logic of the reference master: names, forwarding, leases, silence (contract §2.10)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from drills.reference.master.master import Master
from drills.reference.master.switchboard import Close, Effect, Send
from drills.wavry.lease import decode, verify
from tests.reference.master_parts import KEY, at, master, relay

ALICE, BOB, CAROL = 1, 2, 3  # sockets


def said(board: Master, socket: int, **message: Any) -> list[Effect]:
    """What a message leads to."""
    return board.switchboard.received(socket, json.dumps(message), at(0))


def bound(*heads: str) -> Master:
    """A master with a relay, and sockets 1, 2, … bound to these heads."""
    board = master()
    board.registry.register(relay("relay", "127.0.0.1:4000"), 0)
    for socket, head in enumerate(heads, start=1):
        assert said(board, socket, type="BIND", token=f"{head}-and-more") == []
    return board


def texts(effects: list[Effect]) -> list[tuple[int, dict[str, Any]]]:
    """Who is sent what."""
    return [(effect.socket, json.loads(effect.text)) for effect in effects if isinstance(effect, Send)]


def test_the_first_eight_characters_of_the_token_are_the_name() -> None:
    """Characters, not bytes; a shorter token is the whole name; BIND has no answer."""
    board = bound("alice123", "grüße·äö")
    ((socket, _),) = texts(said(board, ALICE, type="CANDIDATE", target_username="user_grüße·äö", candidate="c"))
    assert socket == BOB
    said(board, CAROL, type="BIND", token="abc")
    assert texts(said(board, ALICE, type="CANDIDATE", target_username="user_abc", candidate="c"))[0][0] == CAROL


@pytest.mark.parametrize(
    ("message", "delivered"),
    [
        ({"type": "OFFER", "sdp": "s", "public_addr": "1.2.3.4:5"}, {"sdp": "s", "public_addr": "1.2.3.4:5"}),
        ({"type": "OFFER", "sdp": "s"}, {"sdp": "s", "public_addr": None}),
        ({"type": "ANSWER", "sdp": "s", "more": 1}, {"sdp": "s", "public_addr": None}),
        ({"type": "CANDIDATE", "candidate": "c"}, {"candidate": "c"}),
    ],
)
def test_signals_reach_the_target_with_the_senders_name(message: dict[str, Any], delivered: dict[str, Any]) -> None:
    """The name is swapped, absent optional fields become null, unknown ones are dropped."""
    board = bound("alice123", "bob45678")
    effects = said(board, ALICE, target_username="user_bob45678", **message)
    assert texts(effects) == [(BOB, {"type": message["type"], "target_username": "user_alice123", **delivered})]


def test_a_request_brings_credentials_to_both_ends() -> None:
    """One session, one relay, one address; the requester's lease says server, the target's client."""
    board = bound("alice123", "bob45678")
    (to, ours), (other, theirs) = texts(said(board, ALICE, type="REQUEST_RELAY", target_username="user_bob45678"))
    assert (to, other) == (ALICE, BOB)
    assert ours["type"] == theirs["type"] == "RELAY_CREDENTIALS"
    assert ours["addr"] == "127.0.0.1:4000"
    assert {key: ours[key] for key in ("relay_id", "addr", "session_id")} == {
        key: theirs[key] for key in ("relay_id", "addr", "session_id")
    }
    leases = [decode(verify(message["token"], KEY.public_key)) for message in (ours, theirs)]
    assert [lease.role for lease in leases] == ["server", "client"]
    assert {str(lease.session) for lease in leases} == {ours["session_id"]}


def test_a_target_without_a_socket_costs_the_requester_nothing() -> None:
    """The requester still gets its own credentials, the target's are lost (kept from the contract)."""
    board = bound("alice123")
    effects = said(board, ALICE, type="REQUEST_RELAY", target_username="user_nobody12", region="eu-west")
    assert [to for to, _ in texts(effects)] == [ALICE]
    assert said(board, ALICE, type="OFFER", target_username="user_nobody12", sdp="s") == []


def test_the_eleventh_request_is_answered_with_429() -> None:
    """Ten succeed, then ERROR."""
    board = bound("alice123")
    answers = [texts(said(board, ALICE, type="REQUEST_RELAY", target_username="user_b"))[0][1] for _ in range(11)]
    assert [answer["type"] for answer in answers] == ["RELAY_CREDENTIALS"] * 10 + ["ERROR"]
    assert answers[-1]["code"] == 429


def test_an_empty_target_is_answered_and_the_socket_goes_on() -> None:
    """ERROR 400, then a valid request works (D-27)."""
    board = bound("alice123")
    assert texts(said(board, ALICE, type="REQUEST_RELAY", target_username=""))[0][1]["code"] == 400
    assert said(board, ALICE, type="REQUEST_RELAY", target_username="user_b") != []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '"BIND"',
        "[" * 100_000,
        '{"type":"PING"}',
        '{"type":7}',
        '{"type":"BIND"}',
        '{"type":"BIND","token":null}',
        '{"type":"OFFER","target_username":"user_bob45678"}',
        '{"type":"OFFER","target_username":"user_bob45678","sdp":"s","public_addr":1}',
        '{"type":"OFFER_RIFT","target_username":"user_bob45678","hello_base64":"aGk="}',
        '{"type":"ANSWER_RIFT","target_username":"user_bob45678","ack_base64":"aGk="}',
        '{"type":"RELAY_CREDENTIALS","relay_id":"a","token":"t","addr":"b","session_id":"c"}',
        '{"type":"ERROR","code":1,"message":"m"}',
        '{"type":"REQUEST_RELAY","target_username":"user_bob45678","region":7}',
        '{"type":"CANDIDATE","target_username":"user_bob45678","candidate":"\\ud800"}',
        '{"type":"CANDIDATE","target_username":"user_bob45678","candidate":"c"} x',
    ],
)
def test_what_is_not_understood_is_ignored_without_an_answer(text: str) -> None:
    """No reply, nothing forwarded, nothing thrown; the RIFT messages are dropped as Wavry's master drops them."""
    board = bound("alice123", "bob45678")
    assert board.switchboard.received(ALICE, text, at(0)) == []


def test_a_socket_that_has_not_bound_is_ignored() -> None:
    """Neither leases nor forwarding."""
    board = bound("alice123")
    assert said(board, CAROL, type="REQUEST_RELAY", target_username="user_alice123") == []
    assert said(board, CAROL, type="OFFER", target_username="user_alice123", sdp="s") == []


def test_closing_an_older_socket_never_unregisters_the_newer() -> None:
    """The newer one receives before and after; when it goes, the name is gone (D-28)."""
    board = bound("alice123", "alice123", "carol123")
    for _ in range(2):
        effects = said(board, CAROL, type="OFFER", target_username="user_alice123", sdp="s")
        assert [to for to, _ in texts(effects)] == [BOB]
        board.switchboard.gone(ALICE)
    board.switchboard.gone(BOB)
    assert said(board, CAROL, type="OFFER", target_username="user_alice123", sdp="s") == []
    assert board.switchboard.peers_connected == 1


def test_a_second_bind_adds_a_name_and_all_go_with_the_socket() -> None:
    """The socket receives for both and speaks as the newer; closing it frees both (Wavry keeps the first)."""
    board = bound("alice123", "bob45678")
    said(board, ALICE, type="BIND", token="second12")
    for name in ("user_alice123", "user_second12"):
        ((to, _),) = texts(said(board, BOB, type="CANDIDATE", target_username=name, candidate="c"))
        assert to == ALICE
    ((_, message),) = texts(said(board, ALICE, type="CANDIDATE", target_username="user_bob45678", candidate="c"))
    assert message["target_username"] == "user_second12"
    board.switchboard.gone(ALICE)
    assert board.switchboard.peers_connected == 1


def test_a_revoked_name_is_told_and_its_sockets_are_closed() -> None:
    """Every socket that bound it, the older ones too; binding it again is answered the same way (D-25)."""
    board = bound("alice123", "alice123", "bob45678")
    board.memory.revoke("user_alice123")
    effects = board.switchboard.revoked("user_alice123")
    assert [(to, message["code"]) for to, message in texts(effects)] == [(ALICE, 403), (BOB, 403)]
    assert [effect for effect in effects if isinstance(effect, Close)] == [Close(ALICE), Close(BOB)]
    again = said(board, 9, type="BIND", token="alice123")
    assert (texts(again)[0][1]["code"], again[-1]) == (403, Close(9))
    assert texts(said(board, CAROL, type="REQUEST_RELAY", target_username="user_alice123"))[0][1]["code"] == 403
