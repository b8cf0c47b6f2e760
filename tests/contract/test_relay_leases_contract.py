"""What a relay says to leases, and what it counts: contract-master-relay §4.3 to §4.5."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from struct import pack
from typing import Any
from uuid import UUID, uuid4

import pytest

from drills.wavry import packets
from drills.wavry.lease import SigningKey, sign_payload
from drills.wavry.packets import Ack, Reject
from drills.wavry.relay import RelayPeer
from tests.contract.desk import Desk
from tests.contract.fake_master import FakeMaster, instant, whole
from tests.contract.services import Stage, Target, eventually

DROPPED_AND_PRESENTED = {"dropped_packets": 1, "lease_present_packets": 1}
INVALID = {**DROPPED_AND_PRESENTED, "invalid_packets": 1}
UNSIGNED = {**DROPPED_AND_PRESENTED, "auth_reject_packets": 1}
OTHER_RELAY = {**DROPPED_AND_PRESENTED, "wrong_relay_rejects": 1}
EXPIRED = {**UNSIGNED, "expired_lease_rejects": 1}
ACCEPTED = {"lease_present_packets": 1}


def _header(session: UUID, kind: int = packets.PRESENT) -> bytes:
    return packets.header_of(kind, session.bytes)


# --- §4.3: before a packet is looked at by its kind -------------------------------------------------------

MALFORMED: dict[str, Callable[[bytes], bytes]] = {
    "19 bytes": lambda header: header[:19],
    "wrong magic": lambda header: b"\x58" + header[1:],
    "wrong version": lambda header: header[:1] + b"\x02" + header[2:],
    "unknown type": lambda header: header[:2] + b"\x07" + header[3:],
    "nil session": lambda header: header[:4] + bytes(16),
    "an ACK, which only relays send": lambda header: header[:2] + b"\x02" + header[3:],
    "a REJECT, which only relays send": lambda header: header[:2] + b"\x03" + header[3:],
}


@pytest.mark.parametrize("spoilt", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_datagram_is_dropped_in_silence(
    desk: Desk, peer: RelayPeer, spoilt: Callable[[bytes], bytes]
) -> None:
    """§4.3 steps 0, 2 and 5: read and counted, invalid, no answer."""
    before = desk.relay.counted()
    datagram = spoilt(_header(uuid4(), packets.RENEW))
    peer.send(datagram)
    desk.relay.expect_moved(before, packets_rx=1, bytes_rx=len(datagram), dropped_packets=1, invalid_packets=1)
    assert peer.receive_raw(0) is None


def test_the_limit_per_address_rejects_leases_and_drops_the_rest(stage: Stage, fake_master: FakeMaster) -> None:
    """§4.3 step 3: packets 1 to N of a second pass; then PRESENT and RENEW get REJECT 6, FORWARD silence."""
    relay = stage.relay(fake_master.base_url, "--ip-rate-limit-pps", "3")
    session = uuid4()
    with relay.peer() as peer:
        before = relay.counted()
        for _ in range(3):
            assert peer.renew(session) == Reject.EXPIRED
        assert peer.renew(session) == Reject.RATE_LIMITED
        assert peer.asked(_header(session)) == Reject.RATE_LIMITED
        peer.forward(session, 1)
        relay.expect_moved(
            before,
            lease_renew_packets=3,
            session_not_found_packets=3,
            rate_limited_packets=3,
            dropped_packets=6,
        )
        time.sleep(1.05)  # the window is the subject
        assert peer.renew(session) == Reject.EXPIRED


def test_a_relay_at_its_threshold_sheds_new_sessions_only(stage: Stage, fake_master: FakeMaster) -> None:
    """§4.3 step 4, §3.6: at 50 % of 2 sessions a new one gets REJECT 4 unread, a known one its ACK; not ready."""
    relay = stage.relay(fake_master.base_url, "--max-sessions", "2", "--load-shed-threshold-pct", "50")
    desk = Desk(relay, fake_master, relay.relay_id)
    first = uuid4()
    with relay.peer() as peer, relay.peer() as other:
        desk.presented(peer, first, "client")
        before = relay.counted()
        assert other.asked(_header(uuid4())) == Reject.SESSION_FULL
        relay.expect_moved(before, dropped_packets=1, overload_shed_packets=1)
        desk.presented(other, first, "server")
        assert relay.http.ready().ready is False
        assert relay.http.http.call("GET", "/ready").status == 503
        assert (relay.http.health().active_sessions, relay.http.health().total_sessions) == (1, 1)


def test_a_relay_for_no_sessions_is_full(stage: Stage, fake_master: FakeMaster) -> None:
    """§4.4 row "pool full": with --max-sessions 0 a valid lease gets REJECT 4 and is counted as full."""
    relay = stage.relay(fake_master.base_url, "--max-sessions", "0")
    desk = Desk(relay, fake_master, relay.relay_id)
    session = uuid4()
    with relay.peer() as peer:
        before = relay.counted()
        assert peer.present(session, "client", desk.lease(session)) == Reject.SESSION_FULL
        relay.expect_moved(before, **DROPPED_AND_PRESENTED, session_full_rejects=1)


# --- §4.4: LEASE_PRESENT ----------------------------------------------------------------------------------

BODIES: dict[str, tuple[bytes, Reject | None]] = {
    "a payload of two bytes": (b"\x00\x00", None),
    "role byte 2": (pack("!BH", 2, 1) + b"x", None),
    "a token longer than the datagram": (pack("!BH", 0, 9) + b"x", None),
    "an empty token": (pack("!BH", 0, 0), Reject.INVALID_SIGNATURE),
    "a token that is not UTF-8": (pack("!BH", 0, 2) + b"\xff\xfe", None),
}


@pytest.mark.parametrize(("body", "answer"), BODIES.values(), ids=BODIES.keys())
def test_a_present_that_cannot_be_read_is_invalid(
    desk: Desk, peer: RelayPeer, body: bytes, answer: Reject | None
) -> None:
    """§4.4 rows 1 to 3: silent, but REJECT 2 for an empty token; always counted as invalid."""
    desk.expect(peer, _header(uuid4()) + body, answer, INVALID)


TOKENS: dict[str, Callable[[Desk, UUID], str]] = {
    "no token of this kind": lambda desk, session: "not a token",
    "another version": lambda desk, session: desk.lease(session).replace("v4.", "v2.", 1),
    "not base64url": lambda desk, session: "v4.public.!!!",
    "one letter changed": lambda desk, session: _with_one_letter_changed(desk.lease(session)),
    "another key's": lambda desk, session: sign_payload(
        json.dumps(desk.master.claims(desk.relay_id, session, "client")).encode(), SigningKey.generate()
    ),
    "without exp": lambda desk, session: desk.lease(session, exp=None),
    "without iat": lambda desk, session: desk.lease(session, iat=None),
    "without nbf": lambda desk, session: desk.lease(session, nbf=None),
    "exp a number": lambda desk, session: desk.lease(session, exp=4_000_000_000),
    "exp in the past": lambda desk, session: desk.lease(session, exp=whole(-2)),
}


def _with_one_letter_changed(token: str) -> str:
    middle = len(token) // 2
    return token[:middle] + ("A" if token[middle] != "A" else "B") + token[middle + 1 :]


@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS.keys())
def test_a_token_that_is_not_ours_is_rejected_as_unsigned(
    desk: Desk, peer: RelayPeer, token: Callable[[Desk, UUID], str]
) -> None:
    """§4.4 row 4: shape, signature and the library's own times; REJECT 2."""
    session = uuid4()
    datagram = packets.present(session, "client", token(desk, session))
    desk.expect(peer, datagram, Reject.INVALID_SIGNATURE, UNSIGNED)


CLAIMS: dict[str, tuple[dict[str, Any], Reject | None, dict[str, int]]] = {
    "without sub": ({"sub": None}, None, INVALID),
    "sub blank": ({"sub": " "}, None, INVALID),
    "without sid": ({"sid": None}, None, INVALID),
    "sid of another session": ({"sid": str(uuid4())}, None, INVALID),
    "sid nil": ({"sid": str(UUID(int=0))}, None, INVALID),
    "without role": ({"role": None}, None, INVALID),
    "role of the other end": ({"role": "server"}, Reject.INVALID_SIGNATURE, UNSIGNED),
    "role unknown": ({"role": "viewer"}, Reject.INVALID_SIGNATURE, UNSIGNED),
    "without rid": ({"rid": None}, Reject.WRONG_RELAY, OTHER_RELAY),
    "rid of another relay": ({"rid": str(uuid4())}, Reject.WRONG_RELAY, OTHER_RELAY),
    "kid of another key": ({"kid": "k0123456789abcdef"}, Reject.INVALID_SIGNATURE, UNSIGNED),
    "without exp_rfc3339": ({"exp_rfc3339": None}, None, INVALID),
    "exp_rfc3339 no time": ({"exp_rfc3339": "soon"}, None, INVALID),
}

TIMES: dict[str, tuple[dict[str, float], Reject | None, dict[str, int]]] = {
    "lapsed 32 s ago": ({"iat": -900, "nbf": -905, "exp": -32}, Reject.EXPIRED, EXPIRED),
    "good for more than an hour": ({"exp": 3660}, None, INVALID),
    "not before 40 s from now": ({"nbf": 40}, None, INVALID),
    "issued 40 s from now": ({"iat": 40}, None, INVALID),
    "lapsing before it is issued": ({"iat": 20, "exp": 10}, None, INVALID),
}


@pytest.mark.parametrize(("changed", "answer", "moved"), CLAIMS.values(), ids=CLAIMS.keys())
def test_a_lease_with_a_wrong_claim_is_refused(
    desk: Desk, peer: RelayPeer, changed: dict[str, Any], answer: Reject | None, moved: dict[str, int]
) -> None:
    """§4.4 rows 5 to 9: a well-signed token whose claims do not fit."""
    session = uuid4()
    desk.expect(peer, packets.present(session, "client", desk.lease(session, **changed)), answer, moved)


@pytest.mark.parametrize(("changed_s", "answer", "moved"), TIMES.values(), ids=TIMES.keys())
def test_a_lease_outside_its_time_is_refused(
    desk: Desk, peer: RelayPeer, changed_s: dict[str, float], answer: Reject | None, moved: dict[str, int]
) -> None:
    """§4.4 rows 10 and 11: the ``*_rfc3339`` times, with 30 s of tolerance."""
    session = uuid4()
    changed = {f"{name}_rfc3339": instant(from_now_s) for name, from_now_s in changed_s.items()}
    desk.expect(peer, packets.present(session, "client", desk.lease(session, **changed)), answer, moved)


def test_a_lease_is_taken_for_30_s_past_its_end(desk: Desk, peer: RelayPeer) -> None:
    """§4.4 row 10 (observed: taken at 25 s, refused at 33 s)."""
    times = {"iat_rfc3339": instant(-900), "nbf_rfc3339": instant(-905), "exp_rfc3339": instant(-25)}
    desk.presented(peer, uuid4(), "client", **times)


def test_a_lease_from_a_clock_a_little_ahead(target: Target, desk: Desk, peer: RelayPeer) -> None:
    """§4.4 row 4, D-20: Wavry's library allows its ``iat`` no tolerance, though 30 s are meant."""
    session = uuid4()
    answer = peer.present(session, "client", desk.lease(session, iat=whole(3), nbf=whole(3)))
    expected = target.expects(sound=Ack, wavry=Reject)
    assert isinstance(answer, expected)


def test_a_footer_and_trailing_bytes_are_no_matter(desk: Desk, peer: RelayPeer) -> None:
    """§4.2, §4.4 row 4: a signed footer is accepted, bytes after the token are ignored."""
    session = uuid4()
    claims = json.dumps(desk.master.claims(desk.relay_id, session, "client")).encode()
    token = sign_payload(claims, desk.master.key, b"a footer")
    before = desk.relay.counted()
    assert isinstance(peer.asked(packets.present(session, "client", token) + b"and more"), Ack)
    desk.relay.expect_moved(before, **ACCEPTED)


def test_the_limit_per_identity_rejects_with_reason_6(stage: Stage, fake_master: FakeMaster) -> None:
    """§4.4 row "identity limit": REJECT 6, counted in both limits' counters; another identity is not touched."""
    relay = stage.relay(fake_master.base_url, "--identity-rate-limit-pps", "2")
    desk = Desk(relay, fake_master, relay.relay_id)
    with relay.peer() as peer:
        session = uuid4()
        token = desk.lease(session, subject="user_busy")
        before = relay.counted()
        answers = [peer.present(session, "client", token) for _ in range(3)]
        assert [isinstance(answer, Ack) for answer in answers] == [True, True, False]
        assert answers[2] == Reject.RATE_LIMITED
        relay.expect_moved(
            before,
            lease_present_packets=3,
            dropped_packets=1,
            rate_limited_packets=1,
            identity_rate_limited_packets=1,
        )
        desk.presented(peer, uuid4(), "client", subject="user_calm")


def test_a_role_belongs_to_its_first_identity(desk: Desk, peer: RelayPeer, other_peer: RelayPeer) -> None:
    """§4.4 last row: another identity in a taken role gets REJECT 2, counted as dropped only."""
    session = uuid4()
    desk.presented(peer, session, "client", subject="user_first")
    before = desk.relay.counted()
    answer = other_peer.present(session, "client", desk.lease(session, subject="user_other"))
    assert answer == Reject.INVALID_SIGNATURE
    desk.relay.expect_moved(before, **DROPPED_AND_PRESENTED)


def test_an_ack_tells_the_sessions_end_and_its_limits(desk: Desk, peer: RelayPeer) -> None:
    """§4.2, §4.4: 36 bytes, expiry 300 s from creation, soft at least 1000, hard at least soft."""
    session = uuid4()
    presented_ms = time.time() * 1000
    datagram = packets.present(session, "client", desk.lease(session, slimit=1, hlimit=500))
    peer.send(datagram)
    raw = peer.receive_raw(1.0)
    assert raw is not None and len(raw) == 36
    ack = packets.parse_ack(raw)
    assert ack.expires_unix_ms == pytest.approx(presented_ms + 300_000, abs=500)
    assert (ack.session, ack.soft_kbps, ack.hard_kbps) == (session, 1000, 1000)


def test_presenting_again_is_acked_and_extends_nothing(desk: Desk, peer: RelayPeer) -> None:
    """§4.4: idempotent; the expiry stays that of the creation (D-13's other half)."""
    session = uuid4()
    first = desk.presented(peer, session, "client")
    eventually(lambda: time.time() * 1000 > first.expires_unix_ms - 300_000 + 120)
    again = desk.presented(peer, session, "client")
    assert again.expires_unix_ms == pytest.approx(first.expires_unix_ms, abs=60)


# --- §4.5: LEASE_RENEW ------------------------------------------------------------------------------------


def test_renewing_an_unknown_session_is_expired(desk: Desk, peer: RelayPeer) -> None:
    """§4.5: the only cheap way for a peer to learn that its session is gone."""
    before = desk.relay.counted()
    assert peer.renew(uuid4()) == Reject.EXPIRED
    desk.relay.expect_moved(before, lease_renew_packets=1, dropped_packets=1, session_not_found_packets=1)


def test_renewing_extends_for_both_and_only_for_peers(desk: Desk, peer: RelayPeer, other_peer: RelayPeer) -> None:
    """§4.5: ACK with now + 300 s for either peer; a stranger's address gets REJECT 2 (D-15: also our own new one)."""
    session = uuid4()
    first = desk.presented(peer, session, "client")
    desk.presented(other_peer, session, "server")
    eventually(lambda: time.time() * 1000 > first.expires_unix_ms - 300_000 + 120)
    renewed = other_peer.renew(session)
    assert isinstance(renewed, Ack)
    assert renewed.expires_unix_ms >= first.expires_unix_ms + 100
    assert desk.presented(peer, session, "client").expires_unix_ms == pytest.approx(renewed.expires_unix_ms, abs=60)
    with desk.relay.peer() as stranger:
        before = desk.relay.counted()
        assert stranger.renew(session) == Reject.INVALID_SIGNATURE
        desk.relay.expect_moved(before, lease_renew_packets=1, dropped_packets=1, unknown_peer_packets=1)


def test_a_lone_peer_renewing(target: Target, desk: Desk, peer: RelayPeer) -> None:
    """§4.5, D-33: Wavry refuses to renew a session whose other end has not come yet."""
    session = uuid4()
    desk.presented(peer, session, "client")
    answer = peer.renew(session)
    assert isinstance(answer, target.expects(sound=Ack, wavry=Reject))


@pytest.fixture(scope="module")
def short_desk(stage: Stage, fake_master: FakeMaster) -> Desk:
    """A relay whose sessions last one second and are not swept."""
    relay = stage.relay(fake_master.base_url, "--lease-duration-secs", "1", "--cleanup-interval-secs", "60")
    return Desk(relay, fake_master, relay.relay_id)


def test_a_lapsed_session_is_expired_and_cannot_be_renewed(short_desk: Desk) -> None:
    """§4.5, §4.6, §4.8: after the lease FORWARD counts as not active, RENEW gets REJECT 1."""
    session = uuid4()
    with short_desk.relay.peer() as peer, short_desk.relay.peer() as other:
        ack = short_desk.presented(peer, session, "client")
        short_desk.presented(other, session, "server")
        eventually(lambda: time.time() * 1000 > ack.expires_unix_ms + 20)
        before = short_desk.relay.counted()
        peer.forward(session, 1)
        assert peer.renew(session) == Reject.EXPIRED
        short_desk.relay.expect_moved(
            before,
            dropped_packets=2,
            session_not_active_packets=1,
            lease_renew_packets=1,
            auth_reject_packets=1,
            expired_lease_rejects=1,
        )


def test_presenting_on_a_lapsed_session(target: Target, short_desk: Desk) -> None:
    """§4.4, D-32: Wavry ACKs with an expiry that is now and forwards nothing; a sound relay starts the lease anew."""
    session = uuid4()
    with short_desk.relay.peer() as peer:
        first = short_desk.presented(peer, session, "client")
        eventually(lambda: time.time() * 1000 > first.expires_unix_ms + 100)
        again = short_desk.presented(peer, session, "client")
        left_ms = again.expires_unix_ms - time.time() * 1000
        assert left_ms == pytest.approx(target.expects(sound=1000.0, wavry=0.0), abs=200)
