"""Relays that were not ready, and how long until they were: what a stall explains, and what an unproven cut says."""

from __future__ import annotations

from drills.measures import partition
from drills.measures.evidence import Evidence
from drills.objectives import CLAIMS
from tests.record_builder import RecordBuilder, ns, sound


def looks(unready: set[float]) -> Evidence:
    """relay_a, looked at twice a second from 10 to 20 s, a heartbeat being half a second."""
    builder = sound(10).event(5.0, "relay.known", service="relay_a", relay_id="relay_a")
    for half in range(20, 40):
        builder.relay_look(half / 2, "relay_a", ready=half / 2 not in unready)
    record = builder.over().record()
    return partition.looks_not_ready(record, record.windows["fault"], CLAIMS["relays_stay_ready"])


def test_one_look_that_finds_a_relay_unready_is_forgiven() -> None:
    """The next beat has mended it; two looks running are not."""
    assert looks({14.0}).figure == 0
    assert looks({14.0, 14.5, 15.0}).figure == 2


def test_a_stall_explains_as_much_as_it_lasted_and_two_beats() -> None:
    """Two seconds without a master are explained by a second's stall, three are not."""
    short, long = looks({14.0, 14.5, 15.0, 15.5, 16.0}), looks({14.0, 14.5, 15.0, 15.5, 16.0, 16.5, 17.0})
    assert short.forgiving is not None and short.forgiving(1000.0) == 0
    assert long.forgiving is not None and long.forgiving(1000.0) == 2


def cut(**facts: object) -> RecordBuilder:
    """relay_a is cut off from 12 to 13 s and ready again at 13.5 s."""
    builder = sound(10).fault("down", "relay_a_to_master", 12.0, 13.0, mending_ns=ns(13.0), **facts)  # type: ignore[arg-type]
    for tenth in range(110, 180):
        builder.relay_look(tenth / 10, "relay_a", ready=not 12.0 <= tenth / 10 < 13.5)
    return builder


def healed(builder: RecordBuilder) -> Evidence:
    """The measure over the fault window."""
    record = builder.over().record()
    return partition.seconds_until_ready(record, record.windows["fault"], CLAIMS["partition_healed_s"])


def test_the_time_counts_from_when_the_path_was_begun_to_be_mended() -> None:
    """To the first look that found the relay ready."""
    assert healed(cut()).figure == 0.5


def test_a_cut_that_was_not_proven_says_nothing() -> None:
    """Neither one that did not land nor one that may have stayed."""
    assert "not seen to land" in healed(cut(landed=False)).missing
    assert "not seen to land and be mended" in healed(cut(mended=False)).missing


def test_a_spell_that_another_one_ended_too_soon_says_nothing() -> None:
    """The last one has the rest of the record."""
    builder = cut().fault("down", "relay_a_to_master", 13.2, 13.4, mending_ns=ns(13.4))
    found = healed(builder)
    assert found.samples == 1
    assert found.figure == 0.1


def test_the_way_to_another_service_is_no_partition() -> None:
    """`ends_to_master` has no relay at its end whose readiness could tell."""
    found = healed(sound(10).fault("down", "ends_to_gateway", 12.0, 13.0, mending_ns=ns(13.0)))
    assert found.missing == "no relay was cut off from its master"
