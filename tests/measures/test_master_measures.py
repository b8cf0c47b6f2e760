"""What the measures of a master's outage take for evidence, and what they do not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from drills.measures.evidence import Evidence
from drills.objectives import CLAIMS
from tests.record_builder import A, B, RecordBuilder, ns, sound


def measured(claim: str, builder: RecordBuilder) -> Evidence:
    """One claim in the fault window."""
    record = builder.over().record()
    return CLAIMS[claim].measure(record, record.windows["fault"], CLAIMS[claim])


def restart(**story: object) -> RecordBuilder:
    """A sound master_restart, told in this way."""
    return sound(0).restarted(**story)  # type: ignore[arg-type]


ABOUT_AN_OUTAGE = ("master_back_s", "relays_back_s", "ready_is_truthful", "key_identity_unchanged",
                   "drain_survives_master_restart", "master_loss_noticed_s")  # fmt: skip


@pytest.mark.parametrize("claim", ABOUT_AN_OUTAGE)
@pytest.mark.parametrize(
    ("fault", "subject"), [("restart", "relay_a"), ("down", "ends_to_gateway"), ("drain", "relay_a")]
)
def test_what_does_not_concern_the_master_is_no_outage(claim: str, fault: str, subject: str) -> None:
    """However well the master looks."""
    builder = sound(0).fault(fault, subject, 12.0, 13.0, relay_id=A)
    for tenth in range(100, 290):
        builder.seen(tenth / 10, {A: 100, B: 100})
    assert "the master was not taken away" in measured(claim, builder).missing


def test_the_master_is_back_from_when_it_was_let() -> None:
    """How long it was kept away is the drill's doing."""
    evidence = measured("master_back_s", sound(0).restarted(back_s=12.6))
    assert evidence.figure == pytest.approx(12.634 - 12.2)


def test_a_look_begun_before_the_mending_proves_nothing() -> None:
    """The old process may have answered it."""
    builder = sound(0).fault("restart", "master", 12.0, 12.25, mending_ns=ns(12.2)).seen(12.19, {A: 1, B: 1})
    assert measured("master_back_s", builder).missing


def test_several_paths_are_one_outage_that_ends_with_the_last() -> None:
    """A master that nobody reaches is black-holed path by path."""
    builder = sound(0)
    for number, path in enumerate(("relay_b_to_master", "relay_a_to_master", "ends_to_master")):
        builder.fault("black_hole", path, 12.0 + number, 16.0 + number, mending_ns=ns(16.0 + number))
    for tenth in range(100, 290):
        at_s = tenth / 10 + 0.01
        ages = {A: 100.0, B: 100.0 if not 12.0 < at_s < 19.5 else 5000.0}
        builder.seen(at_s, ages)
        builder.event(at_s, "relays.seen", asked_ns=ns(at_s), relays=[
            {"relay_id": name, "state": "Active", "age_ms": age} for name, age in ages.items()
        ])  # fmt: skip
    assert measured("relays_back_s", builder).figure == pytest.approx(1.5, abs=0.05)


def test_relays_are_counted_from_the_masters_first_answer() -> None:
    """A master that is late makes no relay late."""
    evidence = measured("relays_back_s", restart(back_s=16.0, relays_s={A: 16.1, B: 16.4}))
    assert evidence.figure == pytest.approx(0.4, abs=0.06)


def test_another_relay_in_the_place_of_one_is_not_it() -> None:
    """The baseline are ids: a relay that was not restarted has the one it had."""
    builder = restart(relays_s={A: 12.8, "somebody": 12.9})
    builder.events = [event for event in builder.events if not (event.name == "relays.seen" and event.ns < ns(12.0))]
    builder.look(11.9, "Active", age_ms=1)
    builder.event(22.0, "step.unmet", step="await_master_whole", reason="not listed, or silent: relay_b")
    evidence = measured("relays_back_s", builder)
    assert evidence.past and evidence.samples == 2


@pytest.mark.parametrize(
    ("age_ms", "ready", "lies"),
    [(1000, True, 0), (1600, True, 0), (1900, True, 30), (1400, False, 0), (1000, False, 29)],
)
def test_an_age_at_the_border_proves_no_lie(age_ms: float, ready: bool, lies: int) -> None:
    """Three heartbeats are 1500 ms here: what lies within half a beat of them may be either."""
    builder = sound(0).fault("restart", "master", 12.0, 12.25, mending_ns=ns(12.2))
    for tenth in range(30):
        builder.seen(13.0 + tenth / 10, {A: age_ms}, ready=ready)
    assert measured("ready_is_truthful", builder).figure == lies


@pytest.mark.parametrize("state", ["Draining", "Quarantined", "Banned"])
def test_a_relay_that_gets_no_leases_makes_nobody_ready(state: str) -> None:
    """However lately it was heard."""
    builder = sound(0).fault("restart", "master", 12.0, 12.25, mending_ns=ns(12.2))
    builder.seen(13.0, {A: 1}, ready=True, state=state).seen(13.1, {A: 1}, ready=False, state=state)
    builder.seen(13.2, {A: 1}, ready=False, state=state)
    assert measured("ready_is_truthful", builder).figure == 1


def test_a_503_of_one_look_may_have_been_overtaken() -> None:
    """Twice running it was not."""
    builder = sound(0).fault("restart", "master", 12.0, 12.25, mending_ns=ns(12.2))
    for number, ready in enumerate([False, True, False, False, True]):
        builder.seen(13.0 + number / 4, {A: 100}, ready=ready)
    assert measured("ready_is_truthful", builder).figure == 1


def test_a_key_that_was_never_seen_before_is_not_called_unchanged() -> None:
    """Nobody knows what it was."""
    builder = sound(0).fault("restart", "master", 12.0, 12.25, mending_ns=ns(12.2)).seen(13.0, {A: 1})
    assert measured("key_identity_unchanged", builder).missing


@pytest.mark.parametrize(
    ("before", "after", "outcome", "refused"),
    [
        (True, True, "server end: reject invalid_signature", 1),
        (True, False, "server end: reject invalid_signature", 0),
        (False, True, "server end: reject invalid_signature", 0),
        (None, None, "server end: reject invalid_signature", 0),
        (True, False, "server end: silence", 0),
        (True, True, "accepted", 0),
    ],
)
def test_only_who_says_ready_before_and_after_breaks_a_promise(
    before: bool | None, after: bool | None, outcome: str, refused: int
) -> None:
    """And only by a refusal: silence may be the way there."""
    builder = sound(0).event(15.0, "lease.tried", asked_ns=ns(14.9), service="relay_a", outcome=outcome,
                             ready_before=before, ready_after=after)  # fmt: skip
    evidence = measured("ready_relays_accept_leases", builder)
    assert (evidence.figure, evidence.samples) == (refused, 1)


def test_a_ready_relay_that_says_nothing_to_a_lease_is_not_known_to_accept_it() -> None:
    """Nor to refuse it; a refusal stays one whatever else was not answered."""
    builder = sound(0)
    facts = {"service": "relay_a", "ready_before": True, "ready_after": True}
    builder.event(15.0, "lease.tried", asked_ns=ns(14.9), outcome="server end: silence", **facts)
    assert "neither accepted nor refused" in measured("ready_relays_accept_leases", builder).missing
    builder.event(16.0, "lease.tried", asked_ns=ns(15.9), outcome="client end: reject wrong_relay", **facts)
    assert measured("ready_relays_accept_leases", builder).figure == 1.0


def test_leases_that_are_not_given_are_asked_for_all_the_same() -> None:
    """Nobody who says ready refused one; others' leases do not count."""
    builder = sound(0)
    for why in ("try", "sample"):
        builder.event(15.0, "lease.none", why=why, reason="no relay is available")
    evidence = measured("ready_relays_accept_leases", builder)
    assert (evidence.figure, evidence.samples) == (0.0, 1)


@pytest.mark.parametrize(
    ("relays", "past", "figure"),
    [({"relay_a": 13.0, "relay_b": 14.5}, False, 2.5), ({"relay_a": 13.0, "relay_b": None}, True, 4.0)],
)
def test_the_slowest_relay_decides_when_an_outage_was_noticed(
    relays: dict[str, float | None], past: bool, figure: float
) -> None:
    """One that never notices was waited for until the end."""
    evidence = measured("master_loss_noticed_s", sound(0).unreachable(relays))
    assert evidence.past is past
    assert evidence.figure == pytest.approx(figure, abs=0.1)


@pytest.mark.parametrize("claim", ["master_back_s", "relays_back_s", "drain_survives_master_restart"])
def test_an_outage_that_was_not_seen_to_land_proves_nothing(claim: str) -> None:
    """Neither way."""
    builder: Callable[[], RecordBuilder] = lambda: sound(0).drained().restarted(landed=False)  # noqa: E731
    assert "was not seen to land" in measured(claim, builder()).missing
