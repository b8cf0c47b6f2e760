"""Each row of contract-master-relay.md §4.4, §4.5 and §4.8, with the counters it moves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from drills.reference.relay.admission import Keys
from drills.reference.relay.pipeline import Limits
from drills.wavry import lease, packets
from drills.wavry.lease import SigningKey
from drills.wavry.packets import Ack, Reject
from tests.reference.relay_bench import CLIENT, HOST, KEY, SESSION, STRANGER, UNIX_S, Bench, paired

REFUSED = {"lease_present_packets": 1, "dropped_packets": 1}
SILENT = REFUSED | {"invalid_packets": 1}
UNPROVEN = REFUSED | {"auth_reject_packets": 1}


def payload_of(role: int, length: int, token: bytes) -> bytes:
    return packets.header_of(packets.PRESENT, SESSION.bytes) + bytes([role]) + length.to_bytes(2, "big") + token


def test_a_valid_lease_is_acknowledged() -> None:
    """The ACK tells the session's expiry, 300 s from now, and the limits of the claims."""
    bench = Bench()
    assert bench.presents() == Ack(SESSION, int(UNIX_S + 300) * 1000, 50000, 100000)
    assert bench.moved() == {"lease_present_packets": 1}


def test_a_repeated_present_does_not_extend_the_lease() -> None:
    """Idempotent: an ACK each time, always with the first expiry."""
    bench = Bench()
    first = bench.presents()
    assert bench.after(50).presents() == first


def test_limits_are_at_least_1000_kbps_and_in_order() -> None:
    """soft = max(slimit, 1000); hard = max(hlimit, soft)."""
    bench = Bench()
    ack = bench.presents(soft_kbps=1, hard_kbps=1)
    assert isinstance(ack, Ack) and (ack.soft_kbps, ack.hard_kbps) == (1000, 1000)
    ack = bench.presents(soft_kbps=9000, hard_kbps=2000)
    assert isinstance(ack, Ack) and (ack.soft_kbps, ack.hard_kbps) == (9000, 9000)


@pytest.mark.parametrize(
    "datagram",
    [payload_of(1, 0, b"")[:22], payload_of(2, 1, b"x"), payload_of(1, 2, b"x"), payload_of(1, 2, b"\xff\xfe")],
)
def test_an_unreadable_present_is_dropped_in_silence(datagram: bytes) -> None:
    """Too short, bad role byte, length beyond the datagram, token that is not text."""
    bench = Bench()
    assert bench.answer(datagram, CLIENT) is None
    assert bench.moved() == SILENT


def test_an_empty_token_is_answered() -> None:
    """REJECT 2, counted as invalid."""
    bench = Bench()
    assert bench.answer(payload_of(1, 0, b""), CLIENT) is Reject.INVALID_SIGNATURE
    assert bench.moved() == SILENT


@pytest.mark.parametrize("token", ["garbage", "v4.public.!!!", "v4.public.AAAA"])
def test_a_token_that_is_none_is_unproven(token: str) -> None:
    """Shape and base64."""
    bench = Bench()
    assert bench.answer(packets.present(SESSION, "client", token), CLIENT) is Reject.INVALID_SIGNATURE
    assert bench.moved() == UNPROVEN


def test_another_masters_token_is_unproven() -> None:
    """A good lease, signed with another key."""
    bench = Bench()
    token = lease.mint(bench.claims(), SigningKey(b"\x08" * 32))
    assert bench.answer(packets.present(SESSION, "client", token), CLIENT) is Reject.INVALID_SIGNATURE
    assert bench.moved() == UNPROVEN


def test_a_token_with_a_footer_is_accepted() -> None:
    """Contract 4.4: a footer, if any, is accepted."""
    bench = Bench()
    token = lease.mint(bench.claims(), KEY, footer="footer")
    assert isinstance(bench.answer(packets.present(SESSION, "client", token), CLIENT), Ack)


@pytest.mark.parametrize(
    ("raw", "answer", "counters"),
    [
        # the library's claims: present, text, RFC 3339, in time
        ({"iat": None}, Reject.INVALID_SIGNATURE, UNPROVEN),
        ({"nbf": 5}, Reject.INVALID_SIGNATURE, UNPROVEN),
        ({"exp": "soon"}, Reject.INVALID_SIGNATURE, UNPROVEN),
        ({"exp": "2025-12-31T23:59:59Z"}, Reject.INVALID_SIGNATURE, UNPROVEN),
        ({"iat": "2026-01-01T00:00:31Z"}, Reject.INVALID_SIGNATURE, UNPROVEN),
        ({"nbf": "2026-01-01T00:00:31Z"}, Reject.INVALID_SIGNATURE, UNPROVEN),
        ({"sub": 5}, Reject.INVALID_SIGNATURE, UNPROVEN),
        # the claims themselves
        ({"sub": None}, None, SILENT),
        ({"sid": None}, None, SILENT),
        ({"role": None}, None, SILENT),
        ({"exp_rfc3339": None}, None, SILENT),
        ({"exp_rfc3339": "soon"}, None, SILENT),
        ({"slimit": -1}, None, SILENT),
        ({"sid": str(UUID(int=0))}, None, SILENT),
        ({"sid": str(UUID(int=5))}, None, SILENT),
        ({"sub": "  "}, None, SILENT),
        ({"role": "server"}, Reject.INVALID_SIGNATURE, UNPROVEN),
        ({"role": "spectator"}, Reject.INVALID_SIGNATURE, UNPROVEN),
        ({"rid": None}, Reject.WRONG_RELAY, REFUSED | {"wrong_relay_rejects": 1}),
        ({"rid": "another"}, Reject.WRONG_RELAY, REFUSED | {"wrong_relay_rejects": 1}),
        ({"kid": "another"}, Reject.INVALID_SIGNATURE, UNPROVEN),
        ({"kid": None}, Reject.INVALID_SIGNATURE, UNPROVEN),
        ({"exp_rfc3339": "2025-12-31T23:59:30Z"}, Reject.EXPIRED, UNPROVEN | {"expired_lease_rejects": 1}),
        ({"exp_rfc3339": "2026-01-01T01:00:31Z"}, None, SILENT),
        ({"nbf_rfc3339": "2026-01-01T00:00:31Z"}, None, SILENT),
        ({"iat_rfc3339": "2026-01-01T00:00:31Z"}, None, SILENT),
        ({"iat_rfc3339": "2025-12-31T23:59:59Z", "exp_rfc3339": "2025-12-31T23:59:59Z"}, None, SILENT),
    ],
)
def test_a_claim_that_does_not_hold_is_refused(
    raw: dict[str, Any], answer: Reject | None, counters: dict[str, int]
) -> None:
    """The rows of 4.4 from the library's checks to the plausibility of the times."""
    bench = Bench()
    assert bench.answer(packets.present(SESSION, "client", bench.token(raw=raw)), CLIENT) is answer
    assert bench.moved() == counters


@pytest.mark.parametrize(
    "raw",
    [
        {"iat": "2026-01-01T00:00:30Z", "nbf": "2026-01-01T00:00:30Z"},  # D-20: Wavry allows nothing here
        {"exp_rfc3339": "2025-12-31T23:59:31Z", "iat_rfc3339": "2025-12-31T23:50:00Z"},
        {"exp_rfc3339": "2026-01-01T01:00:30Z"},
        {"nbf_rfc3339": "2026-01-01T00:00:30Z", "iat_rfc3339": "2026-01-01T00:00:30Z"},
        {"iat_rfc3339": None, "nbf_rfc3339": None, "slimit": None, "hlimit": None},
    ],
)
def test_clocks_may_differ_by_thirty_seconds(raw: dict[str, Any]) -> None:
    """The tolerance, at its edge, on every time; and the optional claims may be missing."""
    bench = Bench()
    assert isinstance(bench.answer(packets.present(SESSION, "client", bench.token(raw=raw)), CLIENT), Ack)


def test_without_a_pinned_key_id_none_is_asked_for() -> None:
    """A master that answered no key id."""
    bench = Bench()
    bench.pipeline.desk.keys = Keys(KEY.public_key)
    assert isinstance(bench.presents(key_id="any"), Ack)


def test_new_keys_take_effect_at_once() -> None:
    """After a re-registration brought another key, its leases are accepted and the old ones are not (D-05)."""
    bench = Bench()
    newer = SigningKey(b"\x08" * 32)
    bench.pipeline.desk.keys = Keys(newer.public_key, newer.key_id)
    assert bench.presents() is Reject.INVALID_SIGNATURE
    token = lease.mint(bench.claims(key_id=newer.key_id), newer)
    assert isinstance(bench.answer(packets.present(SESSION, "client", token), CLIENT), Ack)


def test_an_identity_over_its_limit_is_refused() -> None:
    """The limit is per subject, in a window of one second."""
    bench = Bench(Limits(identity_pps=2))
    assert isinstance(bench.presents(), Ack) and isinstance(bench.presents(), Ack)
    bench.moved()
    assert bench.presents() is Reject.RATE_LIMITED
    assert bench.moved() == REFUSED | {"rate_limited_packets": 1, "identity_rate_limited_packets": 1}
    assert isinstance(bench.presents("server"), Ack)
    assert isinstance(bench.after(1.1).presents(), Ack)


def test_a_pool_without_places_is_full() -> None:
    """Only reachable with no sessions allowed at all."""
    bench = Bench(Limits(sessions_max=0))
    assert bench.presents() is Reject.SESSION_FULL
    assert bench.moved() == REFUSED | {"session_full_rejects": 1}


def test_a_role_belongs_to_who_took_it_first() -> None:
    """Another subject's valid lease for a taken role is refused, counted in nothing but the drops."""
    bench = Bench()
    bench.presents()
    bench.moved()
    assert bench.presents(subject="user_other", source=STRANGER) is Reject.INVALID_SIGNATURE
    assert bench.moved() == REFUSED


def test_a_present_from_a_new_address_moves_the_peer() -> None:
    """The old address is a stranger from then on, and the move is counted (D-15)."""
    bench = paired()
    bench.forwards(500)
    bench.moved()
    assert isinstance(bench.presents(source=STRANGER), Ack)
    assert bench.moved() == {"lease_present_packets": 1, "nat_rebind_events": 1}
    assert not bench.forwards(501, CLIENT)
    assert bench.forwards(501, STRANGER)


def test_a_peer_at_a_new_address_may_number_anew() -> None:
    """Its window starts over (D-16); the other peer's does not."""
    bench = paired()
    bench.forwards(500)
    bench.forwards(500, HOST)
    bench.presents(source=STRANGER)
    assert bench.forwards(1, STRANGER)
    assert not bench.forwards(1, HOST)


def test_a_present_from_the_same_address_keeps_the_window() -> None:
    """A doubled PRESENT must not open a session to replays (D-16)."""
    bench = paired()
    bench.forwards(500)
    bench.moved()
    bench.presents()
    assert not bench.forwards(500)
    assert "nat_rebind_events" not in bench.moved()


def test_a_present_on_a_lapsed_session_opens_it_anew() -> None:
    """A fresh lease, and the other peer has to present again (D-32)."""
    bench = paired(Limits(lease_s=5, idle_s=60))
    bench.after(6)
    ack = bench.presents()
    assert isinstance(ack, Ack) and ack.expires_unix_ms == int(bench.unix_s + 5) * 1000
    assert bench.moved() == {"lease_present_packets": 1, "cleanup_expired_sessions": 1}
    assert not bench.forwards(1)
    assert isinstance(bench.presents("server", subject="user_another_host"), Ack)
    assert bench.forwards(1)


def test_a_renewal_extends_the_lease_for_both() -> None:
    """300 s from now, whoever asks."""
    bench = paired()
    bench.after(200)
    ack = bench.renews(HOST)
    assert isinstance(ack, Ack) and ack.expires_unix_ms == int(UNIX_S + 500) * 1000
    assert bench.moved() == {"lease_renew_packets": 1}
    assert bench.after(299).forwards(1)


def test_a_renewal_of_an_unknown_session_is_expired() -> None:
    """The cheap probe that tells a peer its session is gone."""
    bench = Bench()
    assert bench.renews(CLIENT) is Reject.EXPIRED
    assert bench.moved() == {"lease_renew_packets": 1, "dropped_packets": 1, "session_not_found_packets": 1}


def test_a_stranger_cannot_renew() -> None:
    """REJECT 2, counted as unknown peer."""
    bench = paired()
    assert bench.renews(STRANGER) is Reject.INVALID_SIGNATURE
    assert bench.moved() == {"lease_renew_packets": 1, "dropped_packets": 1, "unknown_peer_packets": 1}


def test_a_lapsed_session_cannot_be_renewed() -> None:
    """REJECT 1, counted as expired."""
    bench = paired(Limits(lease_s=5))
    assert bench.after(5).renews(CLIENT) is Reject.EXPIRED
    assert bench.moved() == {
        "lease_renew_packets": 1,
        "dropped_packets": 1,
        "auth_reject_packets": 1,
        "expired_lease_rejects": 1,
    }


def test_a_lone_peer_can_renew() -> None:
    """A peer that waits for the other keeps its place (D-33)."""
    bench = Bench()
    bench.presents()
    for _ in range(10):
        assert isinstance(bench.after(50).renews(CLIENT), Ack)
    assert isinstance(bench.presents("server"), Ack)
    assert bench.forwards(1)


def test_the_sweep_tells_lapsed_from_idle() -> None:
    """Idle is strictly more than 60 s; a session that is both counts as lapsed."""
    bench = paired()
    bench.after(60).pipeline.sweep(bench.now)
    assert bench.moved() == {}
    bench.after(0.1).pipeline.sweep(bench.now)
    assert bench.moved() == {"cleanup_idle_sessions": 1}
    bench.presents()
    bench.moved()
    bench.after(300).pipeline.sweep(bench.now)
    assert bench.moved() == {"cleanup_expired_sessions": 1}
    assert len(bench.pipeline.pool) == 0


@pytest.mark.parametrize("keeps", ["present", "renew", "forward"])
def test_use_keeps_a_session_from_idling(keeps: str) -> None:
    """PRESENT, RENEW and a forwarded FORWARD refresh it; a dropped one does not."""
    bench = paired()
    bench.after(50)
    if keeps == "present":
        bench.presents()
    elif keeps == "renew":
        bench.renews(CLIENT)
    else:
        bench.forwards(1)
    bench.after(50)
    bench.forwards(1, STRANGER)
    bench.pipeline.sweep(bench.now)
    assert len(bench.pipeline.pool) == 1
    bench.after(10.1).pipeline.sweep(bench.now)
    assert len(bench.pipeline.pool) == 0


def test_load_counts_half_open_sessions() -> None:
    """They fill the pool, so the master has to know (D-34)."""
    bench = Bench(Limits(sessions_max=4, shed_percent=100))
    for number in (1, 2, 3):
        bench.presents(session=UUID(int=number))
    pool = bench.pipeline.pool
    assert (pool.load_percent, pool.active(bench.now), len(pool)) == (75, 0, 3)
    assert Bench(Limits(sessions_max=0)).pipeline.pool.load_percent == 100


def test_a_lease_of_an_hour_is_the_longest() -> None:
    """A master whose clock is a little ahead may still give one (D-20)."""
    bench = Bench()
    expires = bench.claims().issued_at + timedelta(seconds=3601)
    assert isinstance(bench.presents(expires_at=expires), Ack)


# Defects, each beside its sound twin


def test_the_sound_relay_refuses_none_of_thirty_presents() -> None:
    """Sound twin of relay_refuses_one_present_in_ten."""
    bench = Bench()
    assert all(isinstance(bench.presents(session=UUID(int=n)), Ack) for n in range(1, 31))


def test_relay_refuses_one_present_in_ten_refuses_the_tenth_valid_one() -> None:
    """Invalid ones do not count towards ten."""
    bench = Bench(defects="relay_refuses_one_present_in_ten")
    bench.presents(key_id="wrong")
    answers = [bench.presents(session=UUID(int=n)) for n in range(1, 21)]
    assert [n for n, answer in enumerate(answers, 1) if answer is Reject.INVALID_SIGNATURE] == [10, 20]


def test_a_candidates_relay_refuses_the_tenth_valid_one_as_well() -> None:
    """The defect of the same kind that only a candidate has."""
    bench = Bench(defects="handshake_fails_one_in_ten")
    answers = [bench.presents(session=UUID(int=n)) for n in range(1, 21)]
    assert [n for n, answer in enumerate(answers, 1) if answer is Reject.INVALID_SIGNATURE] == [10, 20]


def test_forgotten_sessions_are_unknown_at_once() -> None:
    """What drain_cuts_sessions does when the relay learns that it is drained."""
    bench = paired()
    assert bench.forwards(1)
    bench.pipeline.forget_all_sessions()
    assert not bench.forwards(2)
    assert bench.renews(HOST) is Reject.EXPIRED
