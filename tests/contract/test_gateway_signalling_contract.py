"""Signalling over the gateway's WebSocket: contract-gateway §5."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from drills.wavry.errors import Closed, Refused
from drills.wavry.gateway import (
    Account,
    Answer,
    AnswerRift,
    BindLimited,
    Bound,
    Candidate,
    EmbeddedRelayCredentials,
    GatewayError,
    GatewayMessage,
    GatewaySocket,
    Offer,
    OfferRift,
    TokenRefused,
)
from tests.contract.services import CALL_S, Gateway, Stage, Target, eventually

SILENCE_S = 0.15


@dataclass
class End:
    """One account with its bound socket."""

    account: Account
    socket: GatewaySocket

    @property
    def name(self) -> str:
        return self.account.username

    def hears(self) -> GatewayMessage | None:
        return self.socket.receive(CALL_S)


@pytest.fixture(scope="module")
def accounts(gateway: Gateway) -> tuple[Account, Account]:
    return gateway.new_account(), gateway.new_account()


def _bound(gateway: Gateway, account: Account) -> End:
    socket = gateway.socket()
    socket.bind(account.token)
    assert socket.receive(CALL_S) == Bound()
    return End(account, socket)


@pytest.fixture
def ends(gateway: Gateway, accounts: tuple[Account, Account]) -> Iterator[tuple[End, End]]:
    """Two bound ends; the gateway has forgotten them before the next test begins."""
    one, other = _bound(gateway, accounts[0]), _bound(gateway, accounts[1])
    yield one, other
    one.socket.close()
    other.socket.close()
    eventually(lambda: gateway.http.health().active_ws_connections == 0)


@pytest.fixture
def socket(gateway: Gateway) -> Iterator[GatewaySocket]:
    """A socket that has not bound."""
    with gateway.socket() as socket:
        yield socket


def _expect_refused(socket: GatewaySocket, message: str) -> None:
    """This error, and then the end of the connection."""
    assert socket.receive(CALL_S) == GatewayError(message)
    with pytest.raises(Closed):
        socket.receive(CALL_S)


# --- §5.1: the upgrade ------------------------------------------------------------------------------------


@pytest.mark.parametrize("origin", ["http://localhost:3000", "HTTP://127.0.0.1:1420/", "tauri://localhost"])
def test_a_listed_origin_is_let_in(gateway: Gateway, origin: str) -> None:
    """§5.1: without the trailing slash, in any case."""
    GatewaySocket.connect(gateway.ws_url, timeout_s=CALL_S, origin=origin).close()


@pytest.mark.parametrize("origin", [None, "http://example.org"])
def test_another_origin_is_refused(gateway: Gateway, origin: str | None) -> None:
    """§5.1: missing or unlisted is 403 (D40: no client that Wavry ships sends one)."""
    with pytest.raises(Refused) as refused:
        GatewaySocket.connect(gateway.ws_url, timeout_s=CALL_S, origin=origin)
    assert refused.value.status == 403


def test_sixteen_sockets_from_one_address(gateway: Gateway) -> None:
    """§1.2, §5.1: the seventeenth is 429; a place is free again once a socket has ended."""
    source = gateway.addresses.fresh()
    sockets = [gateway.socket(source_address=source) for _ in range(16)]
    with pytest.raises(Refused) as refused:
        gateway.socket(source_address=source)
    assert refused.value.status == 429
    sockets.pop().close()
    sockets.append(eventually(lambda: gateway.socket(source_address=source)))
    for socket in sockets:
        socket.close()


def test_a_full_gateway(stage: Stage) -> None:
    """§5.1: 503 once WAVRY_WS_MAX_CONNECTIONS are open, whatever the address."""
    gateway = stage.gateway({"WAVRY_WS_MAX_CONNECTIONS": "1"})
    with gateway.socket() as first:
        first.socket.send({"type": "Bound"})
        assert isinstance(first.receive(CALL_S), GatewayError), "it is counted only once it is open (§5.3)"
        with pytest.raises(Refused) as refused:
            gateway.socket()
    assert refused.value.status == 503


# --- §5.3: Bind -------------------------------------------------------------------------------------------


def test_a_bound_name_is_counted(gateway: Gateway, accounts: tuple[Account, Account]) -> None:
    """§3.7, §5.3: /health counts bound names, not sockets."""
    with gateway.socket() as silent:
        assert gateway.http.health().active_ws_connections == 0
        silent.bind(accounts[0].token)
        assert silent.receive(CALL_S) == Bound()
        assert gateway.http.health().active_ws_connections == 1
    eventually(lambda: gateway.http.health().active_ws_connections == 0)


@pytest.mark.parametrize(("token", "said"), [("short", "Invalid token format"), ("0" * 64, "Invalid Token")])
def test_a_bind_with_a_bad_token(socket: GatewaySocket, token: str, said: str) -> None:
    """§5.3: the error, then the end; no Close frame is promised."""
    socket.bind(token)
    _expect_refused(socket, said)


def test_a_second_bind_on_one_socket(gateway: Gateway, accounts: tuple[Account, Account]) -> None:
    """§5.3: ``Already bound``, and closed."""
    end = _bound(gateway, accounts[0])
    end.socket.bind(accounts[0].token)
    _expect_refused(end.socket, "Already bound")
    end.socket.close()
    eventually(lambda: gateway.http.health().active_ws_connections == 0)


def test_the_eleventh_bind_in_a_minute(gateway: Gateway) -> None:
    """§2.5, §5.3: 10 per address in 60 s, good or bad: what makes a reconnect storm of 14 take a minute (§9)."""
    source = gateway.addresses.fresh()
    for attempt in range(11):
        with gateway.socket(source_address=source) as socket:
            socket.bind("0" * 64)
            _expect_refused(socket, "Invalid Token" if attempt < 10 else "Bind rate limit exceeded")


def test_a_socket_that_is_asked_for_bound_is(gateway: Gateway, accounts: tuple[Account, Account]) -> None:
    """In one call; a token that is not taken is told apart from a limit that says nothing about it."""
    source = gateway.addresses.fresh()
    GatewaySocket.bound(gateway.ws_url, accounts[0].token, timeout_s=CALL_S, source_address=source).close()
    for _ in range(9):
        with pytest.raises(TokenRefused):
            GatewaySocket.bound(gateway.ws_url, "0" * 64, timeout_s=CALL_S, source_address=source)
    with pytest.raises(BindLimited):
        GatewaySocket.bound(gateway.ws_url, accounts[0].token, timeout_s=CALL_S, source_address=source)
    eventually(lambda: gateway.http.health().active_ws_connections == 0)


UNBOUND: dict[str, tuple[Callable[[GatewaySocket], Any], str]] = {
    "an offer": (lambda socket: socket.send_offer("someone", "sdp"), "Bind required before signaling"),
    "a relay request": (lambda socket: socket.request_relay("someone"), "Bind required before signaling"),
    "not JSON": (lambda socket: socket.socket.send_text("nonsense"), "Invalid JSON"),
    "an unknown type": (lambda socket: socket.socket.send({"type": "Nonsense", "payload": {}}), "Invalid JSON"),
    "the master's dialect": (lambda socket: socket.socket.send({"type": "BIND", "token": "0" * 64}), "Invalid JSON"),
    "a binary frame": (lambda socket: socket.socket.send_binary(b"{}"), "Binary messages are not supported"),
}


@pytest.mark.parametrize(("send", "said"), UNBOUND.values(), ids=UNBOUND.keys())
def test_what_ends_an_unbound_socket(socket: GatewaySocket, send: Callable[[GatewaySocket], Any], said: str) -> None:
    """§5.3, D-14: rows that close."""
    send(socket)
    _expect_refused(socket, said)


def test_a_message_only_the_gateway_sends(socket: GatewaySocket) -> None:
    """§5.3 last row: an error, and the socket stays."""
    socket.socket.send({"type": "Error", "payload": {"message": "no"}})
    assert socket.receive(CALL_S) == GatewayError("Unsupported client message type")
    socket.socket.send({"type": "Bound"})
    assert socket.receive(CALL_S) == GatewayError("Unsupported client message type")


# --- §5.3: forwarding -------------------------------------------------------------------------------------

SIGNALS: dict[str, tuple[Callable[[End, str], None], Callable[[str], GatewayMessage]]] = {
    "Offer": (lambda end, to: end.socket.send_offer(to, "sdp"), lambda name: Offer(name, "sdp")),
    "Answer": (lambda end, to: end.socket.send_answer(to, "sdp"), lambda name: Answer(name, "sdp")),
    "Candidate": (lambda end, to: end.socket.send_candidate(to, "at"), lambda name: Candidate(name, "at")),
    "OFFER_RIFT": (lambda end, to: end.socket.send_offer_rift(to, "aGk="), lambda name: OfferRift(name, "aGk=")),
    "ANSWER_RIFT": (lambda end, to: end.socket.send_answer_rift(to, "aGk="), lambda name: AnswerRift(name, "aGk=")),
    "the longest offer": (
        lambda end, to: end.socket.send_offer(to, "x" * 32_768),
        lambda name: Offer(name, "x" * 32_768),
    ),
}


@pytest.mark.parametrize(("send", "arrives"), SIGNALS.values(), ids=SIGNALS.keys())
def test_a_signal_arrives_under_the_senders_name(
    ends: tuple[End, End], send: Callable[[End, str], None], arrives: Callable[[str], GatewayMessage]
) -> None:
    """§5.2, §5.3: to the target and back to oneself; no acknowledgement."""
    one, other = ends
    send(one, other.name)
    assert other.hears() == arrives(one.name)
    send(one, one.name)
    assert one.hears() == arrives(one.name)


OVERSIZE: dict[str, tuple[Callable[[GatewaySocket], None], str]] = {
    "Offer": (lambda socket: socket.send_offer("someone", "x" * 32_769), "Invalid OFFER payload"),
    "Answer": (lambda socket: socket.send_answer("someone", "x" * 32_769), "Invalid ANSWER payload"),
    "Candidate": (lambda socket: socket.send_candidate("someone", "x" * 4097), "Invalid CANDIDATE payload"),
    "OFFER_RIFT": (lambda socket: socket.send_offer_rift("someone", "x" * 8193), "Invalid OFFER_RIFT payload"),
    "a target that is no name": (lambda socket: socket.send_offer("a b", "sdp"), "Invalid OFFER payload"),
    "a relay for no name": (lambda socket: socket.request_relay("a b"), "Invalid target username"),
}


@pytest.mark.parametrize(("send", "said"), OVERSIZE.values(), ids=OVERSIZE.keys())
def test_a_signal_against_the_rules(ends: tuple[End, End], send: Callable[[GatewaySocket], None], said: str) -> None:
    """§5.3: an error, and the socket stays."""
    one, other = ends
    send(one.socket)
    assert one.hears() == GatewayError(said)
    one.socket.send_offer(other.name, "sdp")
    assert other.hears() == Offer(one.name, "sdp")


def test_order_is_kept(ends: tuple[End, End]) -> None:
    """§5.3: twenty candidates arrive as they were sent."""
    one, other = ends
    for number in range(20):
        one.socket.send_candidate(other.name, str(number))
    assert [other.hears() for _ in range(20)] == [Candidate(one.name, str(number)) for number in range(20)]


def test_a_target_that_is_not_connected(target: Target, ends: tuple[End, End]) -> None:
    """§5.3, D20: Wavry says nothing; a sound gateway tells the sender, as it does over HTTP (§3.6)."""
    one, _ = ends
    one.socket.send_offer("nobody-at-all", "sdp")
    heard = one.socket.receive(target.expects(sound=CALL_S, wavry=SILENCE_S))
    assert isinstance(heard, target.expects(sound=GatewayError, wavry=type(None)))


def test_a_target_written_in_capitals(target: Target, ends: tuple[End, End]) -> None:
    """§5.3, D32: names are stored in lower case; Wavry then compares letter by letter and delivers nothing."""
    one, other = ends
    one.socket.send_offer(other.name.upper(), "sdp")
    heard = other.socket.receive(target.expects(sound=CALL_S, wavry=SILENCE_S))
    assert heard == target.expects(sound=Offer(one.name, "sdp"), wavry=None)


def test_a_ping_is_answered(ends: tuple[End, End]) -> None:
    """§5.2: pings count as messages, and the socket goes on."""
    one, other = ends
    one.socket.socket.ping()
    one.socket.send_offer(other.name, "sdp")
    assert other.hears() == Offer(one.name, "sdp")


def test_the_601st_message_in_a_minute(gateway: Gateway, accounts: tuple[Account, Account]) -> None:
    """§5.2, §5.3: ``Rate limit exceeded``, and closed; Bind was the first."""
    end = _bound(gateway, accounts[0])
    for _ in range(599):
        end.socket.send_candidate(end.name, "")
        assert end.hears() == Candidate(end.name, "")
    end.socket.send_candidate(end.name, "")
    _expect_refused(end.socket, "Rate limit exceeded")
    end.socket.close()
    eventually(lambda: gateway.http.health().active_ws_connections == 0)


def test_a_newer_socket_replaces_the_older(target: Target, gateway: Gateway, accounts: tuple[Account, Account]) -> None:
    """§5.3, D2: the older is told; when it closes, Wavry forgets the newer one."""
    older = _bound(gateway, accounts[0])
    newer = _bound(gateway, accounts[0])
    assert older.hears() == GatewayError("Session replaced by a newer connection")
    newer.socket.send_offer(newer.name, "to me")
    assert newer.hears() == Offer(newer.name, "to me")
    older.socket.close()
    if target.expects(sound=False, wavry=True):
        eventually(lambda: gateway.http.health().active_ws_connections == 0)
    newer.socket.send_offer(newer.name, "to me again")
    forgotten = target.expects(sound=None, wavry=SILENCE_S)
    heard = newer.socket.receive(forgotten or CALL_S)
    assert heard == target.expects(sound=Offer(newer.name, "to me again"), wavry=None)
    newer.socket.close()
    eventually(lambda: gateway.http.health().active_ws_connections == 0)


def test_a_logout_and_the_socket_bound_with_it(target: Target, gateway: Gateway) -> None:
    """§3.4, D26: Wavry's socket goes on signalling after the logout; a sound gateway ends it."""
    account = gateway.new_account()
    end = _bound(gateway, account)
    with gateway.from_elsewhere() as http:
        assert http.logout(account.token) is True
    if target.expects(sound=True, wavry=False):
        with pytest.raises(Closed):
            while end.hears() is not None:
                pass
    else:
        end.socket.send_offer(end.name, "still here")
        assert end.hears() == Offer(end.name, "still here")
    end.socket.close()
    eventually(lambda: gateway.http.health().active_ws_connections == 0)


# --- §5.4: the gateway's own relay ------------------------------------------------------------------------


def test_both_ends_get_the_same_credentials(gateway: Gateway, ends: tuple[End, End]) -> None:
    """§5.4: one token, one session, the advertised address; counted in /health."""
    one, other = ends
    before = gateway.http.health().active_relay_sessions
    one.socket.request_relay(other.name)
    ours = one.hears()
    assert isinstance(ours, EmbeddedRelayCredentials)
    assert other.hears() == ours
    assert ours.address == gateway.relay_address and len(ours.token) == 64
    assert gateway.http.health().active_relay_sessions == before + 1


def test_a_relay_session_with_nobody(target: Target, ends: tuple[End, End]) -> None:
    """§5.4, D21: Wavry makes one for a target that does not exist; a sound gateway tells the requester."""
    one, _ = ends
    one.socket.request_relay("nobody-at-all")
    assert isinstance(one.hears(), target.expects(sound=GatewayError, wavry=EmbeddedRelayCredentials))


def test_no_room_for_another_relay_session(stage: Stage) -> None:
    """§5.4: at WAVRY_RELAY_SESSION_LIMIT the requester is told, and the socket stays."""
    gateway = stage.gateway({"WAVRY_RELAY_SESSION_LIMIT": "0"})
    one, other = _bound(gateway, gateway.new_account()), _bound(gateway, gateway.new_account())
    for _ in range(2):
        one.socket.request_relay(other.name)
        assert one.hears() == GatewayError("Relay session capacity reached")
    one.socket.close()
    other.socket.close()
