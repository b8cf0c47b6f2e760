"""Every invariant has a record in which it holds, one in which it is violated, and others that prove nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy
import pytest

from drills.invariants.base import Checked, Standing
from drills.invariants.table import INVARIANTS
from drills.measures.packets import FRAME, INPUT
from drills.record import Record
from drills.verdict import Outcome, judge
from tests.record_builder import A, B, RecordBuilder, ns, promise, scenario_of, sound, tiers_of

Make = Callable[[], RecordBuilder]
HOLDS, VIOLATED, UNKNOWN = Standing.HOLDS, Standing.VIOLATED, Standing.UNKNOWN
TIMES = numpy.arange(11.0, 19.0, 0.05)


def finished(builder: RecordBuilder, **more: object) -> Record:
    """The record of a run that ended well, with what today's load says at its end."""
    record = builder.over().record()
    facts = {"altered": 0, "strays": 0, "late": 0, **more}
    events = tuple(
        replace(event, fields={**event.fields, **facts}) if event.name == "generator.finished" else event
        for event in record.events
    )
    made = Record(record.folder, events, record.provenance)
    made.__dict__["packets"] = record.packets
    return made


def checked(name: str, builder: RecordBuilder, **more: object) -> Checked:
    """How one invariant stands over the record."""
    return INVARIANTS[name].check(finished(builder, **more))


def flowing(lost: object = False) -> RecordBuilder:
    """One session on relay-a that sends from 11 to 19 s."""
    builder = sound(0).setup(10.9, 1, kind="resident")
    pointed(builder, 10.9, A)
    for direction in (INPUT, FRAME):
        builder.packets(1, direction, TIMES, lost=lost)
    return builder.ended(19.0, 1, kind="resident")


def pointed(builder: RecordBuilder, at_s: float, relay_id: str) -> RecordBuilder:
    """A lease that the session goes by from then on, acknowledged to both ends."""
    builder.event(at_s, "lease.given", session=1, relay_id=relay_id, cause="setup", asked_ns=ns(at_s - 0.02),
                  given_ns=ns(at_s - 0.015), pointed_ns=ns(at_s))  # fmt: skip
    return acknowledged(builder, at_s - 0.01, relay_id, "handshake", 300.0)


def acknowledged(builder: RecordBuilder, at_s: float, relay_id: str, event: str, ends_after_s: float,
                 outcome: str = "ack") -> RecordBuilder:  # fmt: skip
    """A PRESENT or RENEW and what became of it."""
    ends_ns = ns(at_s + ends_after_s) if outcome == "ack" else 0
    return builder.event(at_s, event, session=1, relay_id=relay_id, outcome=outcome, sent_ns=ns(at_s - 0.001),
                         answered_ns=ns(at_s), expires_ns=ends_ns)  # fmt: skip


# -- no lease to a draining or banned relay ----------------------------------------------------------------------------


def held_back(state: Callable[[float], str | None], lease: str = B, every_s: float = 0.1) -> RecordBuilder:
    """Looks at the master's list all along, and a lease every tenth of a second between them."""
    builder = sound(0)
    for tenth in range(100, 150):
        if tenth % round(10 * every_s) == 0:
            builder.look(tenth / 10, state(tenth / 10))
        builder.lease(tenth / 10 + 0.05, lease)
    return builder


LEASES = "no_lease_to_draining_or_banned"


@pytest.mark.parametrize("state", ["Draining", "Banned"])
def test_leases_for_others_hold_it(state: str) -> None:
    """While a relay was held back for certain."""
    one = checked(LEASES, held_back(lambda at_s: state))
    assert (one.outcome, one.looked_at) == (HOLDS, 48)


@pytest.mark.parametrize("state", ["Draining", "Banned"])
def test_a_lease_for_a_relay_that_is_held_back_violates_it(state: str) -> None:
    """With the first of them as witnesses."""
    one = checked(LEASES, held_back(lambda at_s: state, lease=A))
    assert one.outcome is VIOLATED
    assert f"was given {A}, listed as {state}" in one.witnesses[0]


def test_leases_while_nobody_is_held_back_prove_nothing() -> None:
    """Nor does a record without any."""
    assert checked(LEASES, held_back(lambda at_s: "Active", lease=A)).outcome is UNKNOWN
    assert checked(LEASES, sound(0)).outcome is UNKNOWN


def test_a_lease_at_the_edge_of_a_drain_is_no_violation() -> None:
    """Two looks before it and one after must say so: whatever lies within a look of a change is not known."""
    builder = sound(0)
    for at_s, state in ((10.0, "Active"), (10.1, "Draining"), (10.2, "Draining"), (10.3, "Active")):
        builder.look(at_s, state)
    for at_s in (10.05, 10.15, 10.25):
        builder.lease(at_s, A)
    assert checked(LEASES, builder).outcome is UNKNOWN


def test_a_lease_while_nobody_looked_is_no_violation() -> None:
    """The looks lie a second apart, two heartbeats: the drain may have been over and begun again."""
    assert checked(LEASES, held_back(lambda at_s: "Draining", lease=A, every_s=1.0)).outcome is UNKNOWN


# -- nothing after the end of a lease ----------------------------------------------------------------------------------

ENDS = "nothing_after_lease_end"


def lapsing(ends_after_s: float, *, heard: bool = True, renewed: str = "", clock_steps_s: float = 0.0) -> RecordBuilder:
    """A session whose first lease ends so soon after 11 s; ``renewed``: what became of a RENEW at 12 s."""
    builder = sound(0).setup(10.9, 1, kind="resident")
    builder.event(10.9, "lease.given", session=1, relay_id=A, cause="setup", asked_ns=ns(10.8), given_ns=ns(10.85),
                  pointed_ns=ns(10.9))  # fmt: skip
    acknowledged(builder, 10.89, A, "handshake", ends_after_s)
    if renewed:
        acknowledged(builder, 12.0, A, "renewal", 300.0, renewed)
    if clock_steps_s:
        builder.event(13.5, "machine.second", waited_ms={}, wall_minus_monotonic_ns=round(clock_steps_s * 1e9))
    for direction in (INPUT, FRAME):
        builder.packets(1, direction, TIMES, lost=numpy.greater(TIMES, 10.89 + ends_after_s) & (not heard))
    return builder.ended(19.0, 1)


def test_packets_after_the_end_that_are_not_heard_hold_it() -> None:
    """Somebody tried, and nothing came."""
    one = checked(ENDS, lapsing(3.0, heard=False))
    assert (one.outcome, one.looked_at > 50) == (HOLDS, True)


def test_packets_that_are_heard_after_the_end_violate_it() -> None:
    """Sent a second and more after it; the witness names the packet."""
    one = checked(ENDS, lapsing(3.0))
    assert one.outcome is VIOLATED
    assert "1.01 s after the end that relay-a had said" in one.witnesses[0]


def test_a_second_past_the_end_is_within_what_clocks_may_differ() -> None:
    """The session ends before anything is certain."""
    assert checked(ENDS, lapsing(7.2)).outcome is UNKNOWN


@pytest.mark.parametrize(("renewed", "expected"), [("ack", UNKNOWN), ("silence", UNKNOWN), ("reject", VIOLATED)])
def test_a_renewal_extends_a_lease_or_may_have(renewed: str, expected: Standing) -> None:
    """One that was refused does not, and one whose answer was not heard may have."""
    assert checked(ENDS, lapsing(3.0, renewed=renewed)).outcome is expected


def test_a_clock_that_steps_makes_an_end_uncertain() -> None:
    """By as much as it stepped, there and back."""
    assert checked(ENDS, lapsing(3.0, clock_steps_s=5.0)).outcome is UNKNOWN
    assert checked(ENDS, lapsing(3.0, clock_steps_s=0.5)).outcome is VIOLATED


def test_an_answer_without_an_end_proves_nothing() -> None:
    """As in records that were made before the load wrote it down."""
    builder = lapsing(3.0)
    builder.events = [
        replace(event, fields={key: value for key, value in event.fields.items() if key != "expires_ns"})
        for event in builder.events
    ]
    assert checked(ENDS, builder).outcome is UNKNOWN


# -- a refused token stays refused -------------------------------------------------------------------------------------

TOKENS = "refused_token_stays_refused"


def shown(*uses: tuple[float, str, bool]) -> RecordBuilder:
    """Tokens that were shown, each with its answer 10 ms later."""
    builder = sound(0)
    for at_s, mark, accepted in uses:
        builder.event(at_s + 0.01, "token.used", fingerprint=mark, accepted=accepted, used_ns=ns(at_s))
    return builder


def test_a_token_that_is_refused_again_holds_it() -> None:
    """And so does another that is accepted."""
    one = checked(TOKENS, shown((11, "one", True), (12, "one", False), (13, "one", False), (14, "other", True)))
    assert (one.outcome, one.looked_at) == (HOLDS, 1)


def test_a_token_that_is_accepted_after_a_refusal_violates_it() -> None:
    """The mark of the token is the witness, and the two moments."""
    one = checked(TOKENS, shown((12, "one", False), (13, "one", True)))
    assert (one.outcome, one.witnesses) == (VIOLATED, ("token one: refused at 12.01 s, accepted at 13.01 s",))


@pytest.mark.parametrize(("fault", "refused_s", "expected"), [
    ("volume_lost", 12.0, UNKNOWN), ("volume_lost", 11.0, VIOLATED), ("volume_lost", 14.0, VIOLATED),
    ("volume_destroyed", 12.0, VIOLATED), ("restart", 12.0, VIOLATED),
])  # fmt: skip
def test_what_a_gateway_without_its_database_refuses_says_nothing_of_a_token(
    fault: str, refused_s: float, expected: Standing
) -> None:
    """Only while its own is put aside by us, and not where a backup took its place."""
    builder = shown((refused_s, "one", False), (15, "one", True)).fault(fault, "gateway", 11.5, 13.0)
    assert checked(TOKENS, builder).outcome is expected


def test_a_refusal_of_a_gateway_without_its_database_that_is_read_late_is_still_one() -> None:
    """Our own worker stood still while the gateway's volume came back."""
    builder = sound(0).fault("volume_lost", "gateway", 11.5, 13.0)
    builder.event(13.4, "token.used", fingerprint="one", accepted=False, used_ns=ns(12.9))
    builder.event(15.0, "token.used", fingerprint="one", accepted=True, used_ns=ns(14.9))
    assert checked(TOKENS, builder).outcome is UNKNOWN


@pytest.mark.parametrize(("after", "expected"), [
    ("refused", HOLDS), ("bound", VIOLATED), ("unanswered", UNKNOWN),
])  # fmt: skip
def test_the_drills_own_accounts_are_asked_too(after: str, expected: Standing) -> None:
    """Each has one token: a revoked one that binds after a restart was refused before."""
    builder = sound(0)
    for at_s, look, outcome in ((11.0, "bind", "refused"), (12.0, "login", "in"), (15.0, "bind", after)):
        builder.event(at_s, "account.look", look=look, account="prober1", kind="revoked", when="", outcome=outcome,
                      reason="", began_ns=ns(at_s - 0.01))  # fmt: skip
    assert checked(TOKENS, builder).outcome is expected


@pytest.mark.parametrize("uses", [
    (), ((11, "one", True), (12, "one", True)), ((11, "one", False),), ((11, "one", False), (12, "other", True)),
    ((11.0, "one", False), (11.005, "one", True)),
])  # fmt: skip
def test_without_a_second_use_of_a_refused_token_nothing_is_known(uses: tuple[tuple[float, str, bool], ...]) -> None:
    """One that was under way when the refusal came is none."""
    assert checked(TOKENS, shown(*uses)).outcome is UNKNOWN


# -- one relay at a time -----------------------------------------------------------------------------------------------

ONE = "one_relay_at_a_time"


def moved(*strays: tuple[float, float]) -> RecordBuilder:
    """A session that moves at 15 s; ``strays``: packets under a lease left at the first and heard at the second."""
    builder = pointed(flowing(), 15.0, B)
    for left_s, heard_s in strays:
        builder.event(heard_s, "packet.stray", session=1, left_ns=ns(left_s), heard_ns=ns(heard_s))
    return builder


def test_a_move_after_which_the_old_relay_is_silent_holds_it() -> None:
    """Nothing came by way of it."""
    assert checked(ONE, moved()).outcome is HOLDS


def test_a_relay_that_goes_on_serving_violates_it() -> None:
    """A packet under the lease before, more than a second after the move."""
    one = checked(ONE, moved((15.0, 16.5)))
    assert (one.outcome, "left 1.50 s before" in one.witnesses[0]) == (VIOLATED, True)


def test_a_packet_that_lay_unread_while_we_stood_still_is_no_violation() -> None:
    """Our pump did nothing from 15.2 to 16.4 s."""
    assert checked(ONE, moved((15.0, 16.5)).gap(15.2, 16.4)).outcome is not VIOLATED


def kept_waiting(builder: RecordBuilder, seconds: tuple[int, ...], service: str = "relay_a") -> RecordBuilder:
    """The machine gave a relay no CPU in the seconds that end then."""
    for event in builder.events:
        if event.name == "machine.second" and event.ns in {ns(second) for second in seconds}:
            event.fields.update(waited_ms={service: 990.0}, stalled_ms={service: 300.0})
        elif event.name == "machine.second":
            event.fields.setdefault("stalled_ms", {})
    return builder


def test_a_packet_that_lay_at_a_starved_relay_is_no_violation() -> None:
    """It was sent before the move; a relay that had its CPU, or another moment's stall, explains nothing."""
    assert checked(ONE, kept_waiting(moved((15.0, 16.5)), (16,))).outcome is not VIOLATED
    assert checked(ONE, kept_waiting(moved((15.0, 16.5)), (30,))).outcome is VIOLATED
    assert checked(ONE, kept_waiting(moved((15.0, 19.5)), (16,))).outcome is VIOLATED


def test_sessions_that_stay_where_they_are_prove_nothing() -> None:
    """Nor does a load that did not watch."""
    assert checked(ONE, flowing()).outcome is UNKNOWN
    assert INVARIANTS[ONE].check(moved().over().record()).outcome is UNKNOWN


# -- no packet twice or altered ----------------------------------------------------------------------------------------

COPIES = "no_packet_twice_or_altered"


def test_packets_that_arrive_once_hold_it() -> None:
    """Lost ones are another matter."""
    assert checked(COPIES, flowing(lost=TIMES > 15)).outcome is HOLDS


def test_a_packet_that_arrives_twice_violates_it() -> None:
    """The witness names it."""
    builder = flowing()
    builder.blocks[0]["copies"][7] = 2
    one = checked(COPIES, builder)
    assert (one.outcome, one.witnesses) == (VIOLATED, ("session 1, packet 8 of direction 0: 2 copies",))


def test_a_packet_that_arrives_altered_violates_it() -> None:
    """Also where only its count is in the record."""
    builder = flowing().event(12.0, "packet.altered", session=1, what="packet 8 is not as it was sent")
    assert checked(COPIES, builder).outcome is VIOLATED
    assert checked(COPIES, flowing(), altered=1).outcome is VIOLATED


def test_packets_that_nobody_compared_prove_nothing() -> None:
    """Nor does a record in which none was heard."""
    assert INVARIANTS[COPIES].check(flowing().over().record()).outcome is UNKNOWN
    assert checked(COPIES, flowing(lost=True)).outcome is UNKNOWN


def test_what_a_disturbed_path_doubles_is_not_the_relays_doing() -> None:
    """It may have been the fault itself."""
    builder = flowing().fault("udp_duplicate", "client_udp", 12.0, 13.0)
    builder.blocks[0]["copies"][7] = 2
    assert checked(COPIES, builder).outcome is UNKNOWN


# -- a relay's counters agree ------------------------------------------------------------------------------------------

COUNTERS = "relay_counters_agree"


def counted(builder: RecordBuilder, forwarded: int, dropped: int = 0, *, asked_s: float = 19.6, in_kernel: int = 0,
            looked: bool = True) -> RecordBuilder:  # fmt: skip
    """The relay's counters at the end, and what the kernel dropped before it read it."""
    if looked:
        builder.event(asked_s + 0.01, "relay.health", service="relay_a", relay_id=A, asked_ns=ns(asked_s),
                      counters={"packets_forwarded": forwarded, "dropped_packets": dropped})  # fmt: skip
    return builder.event(19.9, "machine.last", socket_drops={"relay_a": in_kernel})


SENT = 2 * len(TIMES)
QUARTER = TIMES < 13.0  # of the packets, an amount of them in each direction


def test_counters_that_say_what_was_seen_hold_it() -> None:
    """All sent, all forwarded, all heard."""
    one = checked(COUNTERS, counted(flowing(), SENT))
    assert (one.outcome, one.looked_at) == (HOLDS, SENT)


@pytest.mark.parametrize(("dropped", "in_kernel"), [(1, 0), (0, 1)])
def test_what_is_refused_or_lost_before_the_relay_reads_it_is_accounted_for(dropped: int, in_kernel: int) -> None:
    """Sent = forwarded + refused + lost."""
    lost = 2 * int(QUARTER.sum())
    builder = counted(flowing(lost=QUARTER), SENT - lost, dropped * lost, in_kernel=in_kernel * lost)
    assert checked(COUNTERS, builder).outcome is HOLDS


@pytest.mark.parametrize(("lost", "forwarded", "words"), [
    (False, SENT + 1, "were sent to it"), (False, SENT - 1, "by way of it were heard"),
    (QUARTER, SENT - 2 * int(QUARTER.sum()), "neither forwarded nor refused nor lost"),
    (QUARTER, SENT, "never arrived"),
])  # fmt: skip
def test_counters_that_cannot_be_true_violate_it(lost: object, forwarded: int, words: str) -> None:
    """Whichever way they are wrong."""
    one = checked(COUNTERS, counted(flowing(lost=lost), forwarded))
    assert one.outcome is VIOLATED
    assert any(words in witness for witness in one.witnesses)


def test_what_died_in_our_own_sockets_is_not_the_relays_doing() -> None:
    """It had forwarded them."""
    builder = counted(sound(0), SENT)
    assert checked(COUNTERS, counted(flowing(lost=QUARTER), SENT).witnessed(40, own_drops=500)).outcome is HOLDS
    assert checked(COUNTERS, builder).outcome is UNKNOWN


def test_the_end_of_a_session_excuses_what_came_too_late_for_it() -> None:
    """Its sockets are closed soon after it stops."""
    assert checked(COUNTERS, counted(flowing(lost=TIMES > 18.6), SENT)).outcome is HOLDS


def test_what_a_starved_relay_forwards_to_closed_ends_is_excused() -> None:
    """Sent 0.8 s before its session's end, forwarded when the relay had a CPU again; not what was sent long before."""
    late = flowing(lost=TIMES > 18.2)
    assert checked(COUNTERS, counted(late, SENT)).outcome is VIOLATED
    assert checked(COUNTERS, kept_waiting(counted(late, SENT), (19,))).outcome is HOLDS
    assert checked(COUNTERS, kept_waiting(counted(flowing(lost=QUARTER), SENT), (19,))).outcome is VIOLATED


def test_what_a_paused_relay_forwards_to_closed_ends_is_excused() -> None:
    """It was we who stopped it."""
    late = flowing(lost=TIMES > 17.0).fault("pause", "relay_a", 17.0, 20.0)
    assert checked(COUNTERS, counted(late, SENT, asked_s=20.6)).outcome is not VIOLATED


def test_counters_that_begin_anew_prove_nothing() -> None:
    """A relay that comes back under the id that it had."""
    builder = flowing()
    builder.event(15.0, "relay.health", service="relay_a", relay_id=A, asked_ns=ns(14.9),
                  counters={"packets_forwarded": 180, "dropped_packets": 0})  # fmt: skip
    one = checked(COUNTERS, counted(builder, 100))
    assert (one.outcome, "began anew" in one.reason) == (UNKNOWN, True)


def test_a_relay_without_a_last_look_proves_nothing() -> None:
    """Killed, or asked before the last packet was sent to it."""
    assert checked(COUNTERS, counted(flowing(), SENT, looked=False)).outcome is UNKNOWN
    assert checked(COUNTERS, counted(flowing(), SENT, asked_s=18.9)).outcome is UNKNOWN


# -- all of them -------------------------------------------------------------------------------------------------------

SOUND: dict[str, Make] = {
    LEASES: lambda: held_back(lambda at_s: "Draining"), ENDS: lambda: lapsing(3.0, heard=False),
    TOKENS: lambda: shown((12, "one", False), (13, "one", False)), ONE: moved, COPIES: flowing,
    COUNTERS: lambda: counted(flowing(), SENT),
}  # fmt: skip


@pytest.mark.parametrize("name", INVARIANTS)
def test_an_empty_record_proves_nothing(name: str) -> None:
    """Of any invariant."""
    assert checked(name, sound(0)).outcome is UNKNOWN


@pytest.mark.parametrize("name", sorted(INVARIANTS.keys() - {LEASES, TOKENS}))
def test_a_record_with_a_part_missing_holds_none(name: str) -> None:
    """What is missing may be what would have violated it; only leases and tokens are looked at one by one."""
    assert checked(name, SOUND[name]()).outcome is HOLDS
    assert checked(name, SOUND[name](), rows=7).outcome is UNKNOWN


@pytest.mark.parametrize("name", INVARIANTS)
def test_an_unknown_invariant_takes_nothing_from_a_verdict(name: str) -> None:
    """Nor does one that holds add anything."""
    spec = promise("no_lease_lands_on_a_draining_relay", 0, 40)
    verdict = judge(sound(10).drained().over().record(), scenario_of(spec), tiers_of())
    assert verdict.verdict is Outcome.HELD
    assert {row.outcome for row in verdict.invariants if row.invariant == name} <= {HOLDS, UNKNOWN}


def test_a_violated_invariant_makes_the_verdict_broken() -> None:
    """Though every judgement held, and though it is in no scenario."""
    builder = sound(10).drained()
    builder.event(12.01, "token.used", fingerprint="one", accepted=False, used_ns=ns(12.0))
    builder.event(13.01, "token.used", fingerprint="one", accepted=True, used_ns=ns(13.0))
    verdict = judge(builder.over().record(), scenario_of(promise("drain_holds", 6, 20)), tiers_of())
    assert [one.verdict for one in verdict.judgements] == [Outcome.HELD]
    assert verdict.verdict is Outcome.BROKEN
    (row,) = (row for row in verdict.to_json()["invariants"] if row["outcome"] == "violated")
    assert (row["invariant"], row["looked_at"]) == (TOKENS, 1)
