"""What a path alone does to a session: limits stand on it, and without it physics would break them."""

from __future__ import annotations

import pytest

from drills.catalogue import SCENARIOS, Catalogue
from drills.paths.floor import Floor, floor_of, floors, thinned
from drills.scenario.networks import load_network, networks
from drills.verdict import Outcome, judge
from tests.record_builder import RecordBuilder, promise, scenario_of, sound, tiers_of

NAMES = ("cable", "fibre", "geo_satellite", "lan", "lte", "train", "transatlantic", "wifi_busy")
THERE_AND_BACK_S = 2 * (0.300 + 0.0058)  # by way of geo_satellite.yaml
CLEAN = {"clients": {}, "hosts": {}}


def way(**attributes: float) -> tuple[tuple[str, dict[str, object]], ...]:
    """A latency of its own."""
    return (("latency", {"latency": 0.0, "jitter": 0.0, "order": "kept", **attributes}),)


def test_nothing_in_the_way_has_no_floor() -> None:
    """Drills without a condition are judged as ever."""
    assert floor_of(CLEAN, 60, 60) == Floor()


def test_a_floor_is_what_four_ways_come_to() -> None:
    """An input goes up from its client and down to its host, and its frame all the way back."""
    ways = {"clients": {"upstream": way(latency=30.0), "downstream": way(latency=20.0)},
            "hosts": {"upstream": way(latency=4.0), "downstream": way(latency=6.0)}}  # fmt: skip
    floor = floor_of(ways, 60, 60)
    assert floor.present_ms_p95 == pytest.approx(60.0, abs=17.0)  # and up to a frame more: when it is shown shifts
    assert floor.way_ms == pytest.approx(36.0, abs=0.1)


def test_a_loss_is_in_the_floor_as_it_comes_from_end_to_end() -> None:
    """Two ways of 5 % each lose 9.75 % of the inputs together; frames have a way of their own."""
    loss = (("loss", {"probability": 0.05}),)
    floor = floor_of({"clients": {"upstream": loss}, "hosts": {"downstream": loss}}, 60, 60)
    assert floor.inputs_lost_ratio == pytest.approx(0.0975, abs=0.004)
    assert floor.frames_lost_ratio == 0
    assert floor.silence_ms > 17.0


def test_the_same_file_has_the_same_floor_every_time() -> None:
    """It is worked out, not measured."""
    network = load_network(networks(SCENARIOS)["lte"])
    assert floor_of(network.toxics, 60, 60) == floor_of(network.toxics, 60, 60)


def test_a_fault_on_the_path_raises_the_floor_of_its_own_window_alone() -> None:
    """What a drill does to the path on purpose is no promise broken; before and after it nothing is excused."""
    scenario = Catalogue().named(["lossy_media"])[0]
    found = floors(None, scenario)
    assert found["calm"] == found["recovery"] == Floor()
    assert found["fault"].lost_ratio == pytest.approx(0.05, abs=0.003)


@pytest.mark.parametrize("name", NAMES)
def test_every_condition_is_understood_and_says_where_each_figure_comes_from(name: str) -> None:
    """The eight of the issue, and a floor that is no nonsense."""
    network = load_network(networks(SCENARIOS)[name])
    floor = floor_of(network.toxics, 60, 60)
    assert 0 < floor.present_ms_p95 <= floor.present_ms_p99 < 1000
    assert floor.lost_ratio <= 0.05


def under(condition: str, delay_s: float) -> RecordBuilder:
    """Sessions whose inputs are seen after so long, give or take a frame; the record has the condition's receipt."""
    builder = sound(200, delay_s=delay_s)
    builder.fault("udp_network", condition, 0.1, 39.0)
    return builder


def outcome(builder: RecordBuilder, condition: str, *, floored: bool) -> Outcome:
    """Of a promise of 50 ms, with the condition's floor under it or without."""
    record = builder.over().record()
    network = load_network(networks(SCENARIOS)[condition])
    floor = floor_of(network.toxics, 60, 60)
    record.provenance.update(condition=condition)
    if floored:
        record.provenance.update(floors={"fault": {"present_ms_p95": floor.present_ms_p95}})
    return judge(record, scenario_of(promise("input_to_present_ms_p95", 50.0, 150)), tiers_of()).judgements[0].verdict


def test_over_a_satellite_an_absolute_limit_is_broken_by_physics_and_the_same_over_its_floor_is_held() -> None:
    """One record, one limit of 50 ms: what a sound relay is blamed for is the way to the orbit and back."""
    assert outcome(under("geo_satellite", THERE_AND_BACK_S), "geo_satellite", floored=False) is Outcome.BROKEN
    assert outcome(under("geo_satellite", THERE_AND_BACK_S), "geo_satellite", floored=True) is Outcome.HELD


def test_a_floor_excuses_nothing_beyond_itself() -> None:
    """A relay that adds 100 ms each way is as broken over a satellite as anywhere."""
    slow = under("geo_satellite", THERE_AND_BACK_S + 0.200)
    assert outcome(slow, "geo_satellite", floored=True) is Outcome.BROKEN


def test_under_a_condition_ends_send_fewer_packets_and_the_longer_wait_for_a_frame_is_in_the_floor() -> None:
    """A proxy that holds every packet takes half a CPU; what that costs an input is no relay's doing."""
    calm = Catalogue().named(["calm"])[0]
    assert (thinned(calm).load.inputs_per_s, thinned(calm).load.frames_per_s) == (30, 30)
    network = load_network(networks(SCENARIOS)["lan"])
    assert floors(network, calm)["calm"].present_ms_p95 > floor_of(network.toxics, 60, 60).present_ms_p95 + 5.0
    assert floors(None, calm)["calm"] == Floor()
