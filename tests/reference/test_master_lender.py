"""What a request for a relay gives on the reference master: two leases or a coded refusal."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from drills.reference.master.bodies import Feedback
from drills.reference.master.feedback import SESSIONS_KEPT, Sessions
from drills.reference.master.lender import Denied, Lent
from drills.reference.master.master import Master
from drills.reference.master.states import State
from drills.wavry.lease import decode, verify
from tests.reference.master_parts import KEY, WALL, at, master, relay


def with_relays(*relay_ids: str, lending: Master | None = None) -> Master:
    """A master with these relays Active at 0 s."""
    lending = lending or master()
    for relay_id in relay_ids:
        lending.registry.register(relay(relay_id), 0)
        lending.registry.heartbeat(relay_id, 0, 0)
    return lending


def lent_by(lending: Master, requester: str = "user_a", now_s: float = 0) -> Lent:
    """The leases of a request that must succeed."""
    lent = lending.lender.lend(requester, "user_b", None, at(now_s))
    assert isinstance(lent, Lent)
    return lent


def denied_by(lending: Master, requester: str = "user_a", target: str = "user_b", now_s: float = 0) -> int:
    """The code of a request that must fail."""
    denied = lending.lender.lend(requester, target, None, at(now_s))
    assert isinstance(denied, Denied)
    return denied.code


def test_both_ends_get_a_lease_for_one_session_on_one_relay() -> None:
    """Requester `server`, target `client`, as Wavry has it (D-09 kept); both signed, from 5 s ago for 900 s."""
    lent = lent_by(with_relays("a"))
    ours, theirs = (decode(verify(token, KEY.public_key)) for token in (lent.for_requester, lent.for_target))
    assert (ours.subject, ours.role, theirs.subject, theirs.role) == ("user_a", "server", "user_b", "client")
    assert {ours.session, theirs.session} == {lent.session}
    assert {ours.relay_id, theirs.relay_id, lent.relay_id} == {"a"}
    assert ours.key_id == KEY.key_id
    assert (ours.issued_at, ours.not_before) == (WALL, WALL - timedelta(seconds=5))
    assert ours.expires_at == WALL + timedelta(seconds=900)
    assert (ours.soft_kbps, ours.hard_kbps) == (50_000, 100_000)


def test_the_librarys_own_times_are_backdated_too() -> None:
    """A relay whose clock is 5 s behind does not refuse a fresh lease (D-20)."""
    claims = verify(lent_by(with_relays("a")).for_requester, KEY.public_key)
    assert (claims["iat"], claims["nbf"]) == ("2025-12-31T23:59:55Z", "2025-12-31T23:59:55Z")


def test_the_address_is_the_relays_first_endpoint_verbatim() -> None:
    """Whatever it says."""
    lending = master()
    lending.registry.register(relay("a", "Relay.example:4000", "10.0.0.1:4000"), 0)
    assert lent_by(lending).address == "Relay.example:4000"


def test_the_eleventh_lease_in_a_minute_is_denied_to_its_name_only() -> None:
    """429 until the window has moved on."""
    lending = with_relays("a")
    for _ in range(10):
        lent_by(lending)
    assert denied_by(lending) == 429
    lent_by(lending, "user_c")
    lending.registry.heartbeat("a", 0, 60)
    lent_by(lending, now_s=60)


def test_without_a_relay_the_request_is_answered_and_costs_nothing() -> None:
    """503 as often as asked, and a lease at once when a relay appears (D-26)."""
    lending = master()
    assert {denied_by(lending) for _ in range(20)} == {503}
    lent_by(with_relays("a", lending=lending))


def test_a_drained_or_silent_relay_is_no_relay() -> None:
    """The only relay drained, or silent for more than three beats: 503 (D-08)."""
    lending = with_relays("a")
    assert denied_by(lending, now_s=15.1) == 503
    lending.registry.set_state("a", State.DRAINING)
    assert denied_by(lending) == 503


def test_defect_selection_ignores_drain_lends_the_drained_relay() -> None:
    """With the defect the only relay, drained, is handed out."""
    lending = with_relays("a", lending=master("selection_ignores_drain"))
    lending.registry.set_state("a", State.DRAINING)
    assert lent_by(lending).relay_id == "a"


@pytest.mark.parametrize("target", ["", "x" * 256, "é" * 43])
def test_a_target_that_no_lease_can_name_is_denied(target: str) -> None:
    """400 for the empty name (D-27) and for one whose lease would not fit a relay's datagram; no quota spent."""
    lending = with_relays("a")
    assert denied_by(lending, target=target) == 400
    assert lending.lender.quota.left("user_a", 0) == 10


def test_the_longest_target_still_fits_a_relays_datagram() -> None:
    """255 bytes of JSON, escapes and all, make at most 1477 bytes of token (contract §2.4)."""
    lending = with_relays("6f1d2c3b-4a59-4687-9abc-def012345678")
    for target in ("x" * 255, "é" * 42, "😀" * 21, '"' * 127):
        lent = lending.lender.lend("user_" + target[:8], target, None, at(0))
        assert isinstance(lent, Lent)
        assert len(lent.for_target) <= 1477, target[0]


def test_no_lease_names_a_revoked_user() -> None:
    """403 whichever side is revoked (D-25)."""
    lending = with_relays("a")
    lending.memory.revoke("user_a")
    assert denied_by(lending) == 403
    assert denied_by(lending, "user_c", "user_a") == 403
    lent_by(lending, "user_c")


def test_without_a_provisioned_key_nothing_is_lent() -> None:
    """503, as /ready says, although a relay is there (D-05)."""
    lending = with_relays("a", lending=master(provisioned=False))
    assert denied_by(lending) == 503
    assert not lending.ready(0)


def test_what_is_lent_stays_out_of_print() -> None:
    """Neither lease is in the repr that a log line or a traceback would show."""
    assert "v4.public" not in repr(lent_by(with_relays("a")))


def feedback(session: UUID, relay_id: str, score: int) -> Feedback:
    """One end's opinion."""
    return Feedback(session, relay_id, score)


def test_each_end_of_a_session_may_rate_its_relay_once() -> None:
    """0.9 after one bad rating, 0.81 after two, and no third (D-29); 51 is good, 50 is not."""
    lending = with_relays("a")
    session = lent_by(lending).session
    assert [lending.rated(feedback(session, "a", score)) for score in (50, 0, 0)] == [True, True, False]
    assert lending.registry.relays()[0].success_rate == pytest.approx(0.81)
    assert lending.rated(feedback(lent_by(lending).session, "a", 51))
    assert lending.registry.relays()[0].success_rate == pytest.approx(0.829)


def test_strangers_cannot_rate_a_relay() -> None:
    """An unknown session, another relay than the session's, a relay that is gone: all ignored (D-29)."""
    lending = with_relays("a", "b")
    lent = lent_by(lending)
    other = "b" if lent.relay_id == "a" else "a"
    assert not lending.rated(feedback(uuid4(), "a", 0))
    assert not lending.rated(feedback(lent.session, other, 0))
    lending.sweep(700)
    lending.rated(feedback(lent.session, lent.relay_id, 0))
    assert lending.registry.relays() == []


def test_only_the_newest_sessions_are_kept() -> None:
    """The list is bounded: the oldest session is forgotten."""
    sessions, first = Sessions(), uuid4()
    sessions.opened(first, "a")
    for number in range(SESSIONS_KEPT):
        sessions.opened(UUID(int=number), "a")
    assert not sessions.take_rating(first, "a")
    assert sessions.take_rating(UUID(int=0), "a")
