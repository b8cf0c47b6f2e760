"""The relay registry of the reference master: the state table of contract §2.7, row by row, and what is intended."""

from __future__ import annotations

import pytest

from drills.reference.master.memory import Hold, Memory, NotSaved, Remembered
from drills.reference.master.registry import Registry
from drills.reference.master.states import HELD, State
from tests.reference.master_parts import names, registry, relay, state_of

OTHERS = sorted(set(State) - HELD)


def standing(*relay_ids: str, known: Registry | None = None) -> Registry:
    """A registry with these relays, registered and Active at 0 s."""
    known = known or registry()
    for relay_id in relay_ids:
        known.register(relay(relay_id), 0)
        known.heartbeat(relay_id, 0, 0)
    return known


# --- registration and heartbeats


def test_a_registered_relay_is_new_idle_and_just_seen() -> None:
    """Registering stores load 0, last seen now, state New."""
    known = registry()
    known.register(relay("a"), 3)
    (record,) = known.relays()
    assert (record.state, record.load_pct, record.last_seen_s) == (State.NEW, 0, 3)


@pytest.mark.parametrize(
    ("load_pct", "state"),
    [
        (0, State.ACTIVE),
        (84.9, State.ACTIVE),
        (85, State.PROBATION),
        (94.9, State.PROBATION),
        (95, State.DEGRADED),
        (100, State.DEGRADED),
    ],
)
def test_a_heartbeat_gives_the_state_of_its_load(load_pct: float, state: State) -> None:
    """At 85 % a relay is on Probation, at 95 % Degraded, below both Active."""
    known = standing("a")
    assert known.heartbeat("a", load_pct, 1) is state
    assert state_of(known, "a") is state


@pytest.mark.parametrize("before", OTHERS)
def test_a_heartbeat_ends_every_state_that_does_not_hold(before: State) -> None:
    """New, Active, Probation and Degraded last until the next beat, whoever set them."""
    known = standing("a")
    known.set_state("a", before)
    assert known.heartbeat("a", 0, 1) is State.ACTIVE


@pytest.mark.parametrize("held", sorted(HELD))
def test_a_held_state_outlasts_heartbeats(held: State) -> None:
    """Draining, Banned and (D-44) an operator's Quarantined stay; load and last seen move on."""
    known = standing("a")
    known.set_state("a", held)
    for beat_s in range(1, 8):
        assert known.heartbeat("a", 12, beat_s) is held
    (record,) = known.relays()
    assert (record.load_pct, record.last_seen_s) == (12, 7)


@pytest.mark.parametrize("held", sorted(HELD))
def test_a_held_state_outlasts_registration(held: State) -> None:
    """A relay that registers again is as drained or banned as before (D-03)."""
    known = standing("a")
    known.set_state("a", held)
    known.register(relay("a"), 5)
    assert state_of(known, "a") is held


@pytest.mark.parametrize("held", sorted(HELD))
def test_an_operator_lifts_what_an_operator_held(held: State) -> None:
    """Set to Active, a held relay is one like any other again."""
    known = standing("a")
    known.set_state("a", held)
    assert known.set_state("a", State.ACTIVE) is held
    assert known.heartbeat("a", 90, 1) is State.PROBATION


def test_an_unknown_relay_has_no_heartbeat_and_no_state_to_set() -> None:
    """Both say so, and store nothing."""
    known = registry()
    assert known.heartbeat("a", 0, 0) is None
    assert known.set_state("a", State.DRAINING) is None
    assert known.relays() == []


def test_registering_again_leaves_the_reputation() -> None:
    """The success rate survives a re-registration (contract §2.7)."""
    known = standing("a")
    known.rate("a", False)
    known.register(relay("a"), 1)
    assert known.relays()[0].success_rate == pytest.approx(0.9)


# --- the sweeper


def test_the_sweeper_quarantines_after_120_s_and_a_beat_ends_it() -> None:
    """At 120 s nothing yet, past it Quarantined, with the next beat Active."""
    known = standing("a")
    known.sweep(120)
    assert state_of(known, "a") is State.ACTIVE
    known.sweep(120.1)
    assert state_of(known, "a") is State.QUARANTINED
    assert known.heartbeat("a", 0, 121) is State.ACTIVE


@pytest.mark.parametrize("held", sorted(HELD))
def test_the_sweeper_leaves_held_states_until_it_forgets_the_relay(held: State) -> None:
    """Drained and banned relays are not quarantined, but past 600 s every record goes."""
    known = standing("a")
    known.set_state("a", held)
    known.sweep(600)
    assert state_of(known, "a") is held
    known.sweep(600.1)
    assert known.relays() == []


@pytest.mark.parametrize("held", sorted(HELD))
def test_a_hold_outlasts_the_record(held: State) -> None:
    """A relay that comes back after the purge is still held, and its hold can be lifted while it is away."""
    known = standing("a", "b")
    known.set_state("a", held)
    known.set_state("b", held)
    known.sweep(700)
    assert known.set_state("b", State.ACTIVE) is held
    for relay_id in ("a", "b"):
        known.register(relay(relay_id), 701)
    assert (state_of(known, "a"), state_of(known, "b")) == (held, State.NEW)


def test_the_pace_divides_the_sweepers_times() -> None:
    """With a divisor of ten, quarantine comes after 12 s."""
    known = registry(divisor=10)
    known.register(relay("a"), 0)
    known.sweep(12.1)
    assert state_of(known, "a") is State.QUARANTINED


# --- assignable and selectable


@pytest.mark.parametrize("state", list(State))
def test_assignable_and_selectable_are_the_same_relays(state: State) -> None:
    """Both are states New, Active, Probation and Degraded, heard from within three beats (D-08)."""
    known = standing("a")
    known.set_state("a", state)
    may = state not in HELD
    assert (known.assignable(15), names(known, 15)) == ((1, {"a"}) if may else (0, set()))
    assert (known.assignable(15.1), names(known, 15.1)) == (0, set())


def test_a_silent_relay_is_handed_out_again_once_it_beats() -> None:
    """Silence is no sentence."""
    known = standing("a")
    assert names(known, 60) == set()
    known.heartbeat("a", 0, 60)
    assert names(known, 60) == {"a"}


def test_selection_sees_ages_at_real_pace() -> None:
    """At a tenth of the time an age of 1 s counts as 10 s, as the freshness bands of contract §2.8 are."""
    known = registry(divisor=10)
    known.register(relay("a"), 0)
    assert known.selectable(1)[0].age_s == pytest.approx(10)


# --- identity: who may register


def test_five_live_relays_on_one_address_are_enough() -> None:
    """The sixth is refused, and the line says which address and how many."""
    known = registry()
    for port in range(5):
        known.register(relay(f"r{port}", f"10.0.0.1:{port}"), 0)
    assert known.refusal(relay("r5", "10.0.0.1:5"), 0) == "Sybil check failed for IP 10.0.0.1: 5 relays"


def test_a_relay_that_comes_back_is_never_one_too_many() -> None:
    """Each of five on an address may register again, also after long silence, also when its place was taken (D-02)."""
    known = registry()
    for port in range(5):
        known.register(relay(f"r{port}", f"10.0.0.1:{port}"), 0)
    assert [known.refusal(relay(f"r{port}", f"10.0.0.1:{port}"), 300) for port in range(5)] == [None] * 5
    known.register(relay("r5", "10.0.0.1:5"), 300)
    assert known.refusal(relay("r0", "10.0.0.1:0"), 301) is None


def test_the_dead_do_not_count() -> None:
    """Records silent for more than 120 s take nobody's place (D-02)."""
    known = registry()
    for port in range(5):
        known.register(relay(f"r{port}", f"10.0.0.1:{port}"), 0)
    assert known.refusal(relay("r5", "10.0.0.1:5"), 120) is not None
    assert known.refusal(relay("r5", "10.0.0.1:5"), 120.1) is None


@pytest.mark.parametrize(
    ("five", "sixth", "accepted"),
    [
        ([f"10.0.0.1{n}:4000" for n in range(5)], "10.0.0.1:4000", True),
        ([f"[2001:db8::{n}]:4000" for n in range(1, 6)], "[2001:db8::6]:4000", True),
        ([f"[2001:db8::1]:400{n}" for n in range(5)], "[2001:0db8:0:0::1]:4009", False),
        ([f"[::ffff:10.0.0.1]:400{n}" for n in range(5)], "10.0.0.1:4009", False),
        ([f"0.0.0.0:400{n}" for n in range(5)], "0.0.0.0:4009", True),
        ([f"[::]:400{n}" for n in range(5)], "[::]:4009", True),
        ([f"Relay.example:400{n}" for n in range(5)], "relay.example:4009", False),
    ],
)
def test_only_exactly_the_same_machine_counts(five: list[str], sixth: str, accepted: bool) -> None:
    """No prefixes, one spelling of IPv6, and wildcard addresses name no machine (D-02)."""
    known = registry()
    for number, endpoint in enumerate(five):
        known.register(relay(f"r{number}", endpoint), 0)
    assert (known.refusal(relay("r5", sixth), 0) is None) is accepted


def test_a_live_relays_id_cannot_be_taken_to_another_endpoint() -> None:
    """Refused while the record is live, allowed once it is stale (D-43)."""
    known = standing("a")
    assert known.refusal(relay("a", "10.6.6.6:1"), 120) is not None
    assert known.refusal(relay("a", "10.6.6.6:1"), 120.1) is None


def test_a_new_id_on_the_same_endpoint_supersedes_the_old_one() -> None:
    """After a restart only the new id is known and handed out, however often (D-08, D-02)."""
    known = registry()
    for start in range(8):
        said = relay(f"start{start}", "10.0.0.1:4000")
        assert known.refusal(said, start) is None
        known.register(said, start)
        assert names(known, start) == {f"start{start}"}
    assert known.heartbeat("start0", 0, 9) is None


def test_relays_on_wildcard_addresses_do_not_supersede_each_other() -> None:
    """0.0.0.0:4000 is what every container sends (D-07); it names none of them."""
    known = registry()
    known.register(relay("a", "0.0.0.0:4000"), 0)
    known.register(relay("b", "0.0.0.0:4000"), 0)
    assert names(known, 0) == {"a", "b"}


@pytest.mark.parametrize(
    ("held", "then"),
    [
        (State.BANNED, State.BANNED),
        (State.QUARANTINED, State.QUARANTINED),
        (State.DRAINING, State.NEW),
    ],
)
def test_a_ban_follows_the_endpoint_to_a_new_id_and_a_drain_does_not(held: State, then: State) -> None:
    """A new id does not shake a ban off; the runbook's drain, restart, return to service still works."""
    memory = Memory()
    known = registry(memory=memory)
    known.register(relay("old", "10.0.0.1:4000"), 0)
    known.set_state("old", held)
    known.register(relay("new", "10.0.0.1:4000"), 1)
    assert state_of(known, "new") is then
    assert set(memory.holds) <= {"new"}


# --- restart


@pytest.mark.parametrize("held", sorted(HELD))
def test_a_restarted_master_knows_who_was_held(held: State) -> None:
    """A relay that registers with the next master is held as before (D-04)."""
    saved: list[Remembered] = []
    standing("a", "b", known=registry(memory=Memory(save=saved.append))).set_state("a", held)
    known = standing("a", "b", known=registry(memory=Memory(saved[-1])))
    assert (state_of(known, "a"), state_of(known, "b")) == (held, State.ACTIVE)
    assert names(known, 0) == {"b"}


def test_a_state_that_cannot_be_saved_is_not_set() -> None:
    """Nobody is told that a relay drains when a restart would forget it."""

    def full(_: Remembered) -> None:
        raise OSError(28, "No space left on device")

    memory = Memory(save=full)
    known = standing("a", known=registry(memory=memory))
    with pytest.raises(NotSaved, match="No space left"):
        known.set_state("a", State.DRAINING)
    assert (state_of(known, "a"), dict(memory.holds)) == (State.ACTIVE, {})


def test_nothing_is_saved_when_nothing_is_said() -> None:
    """Registrations and heartbeats of relays that are not held do not touch the disk."""
    saved: list[Remembered] = []
    standing("a", "b", known=registry(memory=Memory(save=saved.append)))
    assert saved == []


def test_a_hold_moves_with_the_endpoints_of_its_relay() -> None:
    """What is saved are the endpoints the relay has now."""
    memory = Memory()
    known = standing("a", known=registry(memory=memory))
    known.set_state("a", State.BANNED)
    known.register(relay("a", "10.0.0.2:1"), 200)
    assert memory.holds == {"a": Hold(State.BANNED, ("10.0.0.2:1",))}


# --- the defects, each beside its sound twin above


def test_defect_relay_forgets_drain_loses_the_drain_on_registration() -> None:
    """Registering makes a draining relay New, the next beat Active; a ban still holds."""
    known = standing("a", "b", known=registry("relay_forgets_drain"))
    known.set_state("a", State.DRAINING)
    known.set_state("b", State.BANNED)
    known.register(relay("a"), 1)
    known.register(relay("b"), 1)
    assert (state_of(known, "a"), state_of(known, "b")) == (State.NEW, State.BANNED)
    assert known.heartbeat("a", 0, 2) is State.ACTIVE


def test_defect_heartbeat_forgets_drain_ends_it_at_the_third_beat() -> None:
    """Two beats say Draining, the third Active; a new drain counts from the start."""
    known = standing("a", known=registry("heartbeat_forgets_drain"))
    for start_s in (0, 10):
        known.set_state("a", State.DRAINING)
        beats = [known.heartbeat("a", 0, start_s + beat) for beat in (1, 2, 3)]
        assert beats == [State.DRAINING, State.DRAINING, State.ACTIVE]


def test_defect_selection_ignores_drain_hands_out_draining_relays_as_active() -> None:
    """They are selectable and score as Active, though listed as Draining and not counted as assignable."""
    known = standing("a", known=registry("selection_ignores_drain"))
    known.set_state("a", State.DRAINING)
    assert [candidate.state for candidate in known.selectable(0)] == [State.ACTIVE]
    assert (state_of(known, "a"), known.assignable(0)) == (State.DRAINING, 0)
    known.set_state("a", State.BANNED)
    assert known.selectable(0) == []


@pytest.mark.parametrize(("defects", "refused"), [((), False), (("master_counts_a_relay_against_itself",), True)])
def test_a_relay_counted_against_itself_is_refused_as_one_of_five(defects: tuple[str, ...], refused: bool) -> None:
    """Five on one address are taken, and none of them a second time (D-02)."""
    known = registry(*defects)
    for number in range(5):
        one = relay(f"r{number}", f"10.0.0.1:{4000 + number}")
        assert known.refusal(one, 0) is None
        known.register(one, 0)
    assert bool(known.refusal(relay("r0", "10.0.0.1:4000"), 500)) is refused


@pytest.mark.parametrize("restarted", [False, True])
def test_defect_master_takes_one_relay_back_refuses_the_others_after_a_restart(restarted: bool) -> None:
    """Before one it takes everybody; the one that it took may register again and again."""
    known = standing("a", known=registry("master_takes_one_relay_back", memory=Memory(restarted=restarted)))
    assert bool(known.refusal(relay("b"), 1)) is restarted
    assert known.refusal(relay("a"), 1) is None
    assert registry(memory=Memory(restarted=True)).refusal(relay("b"), 1) is None
