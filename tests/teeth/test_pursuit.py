"""When a run that is after one defect stops: never before everything that names it is broken, or can be no more."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from drills.catalogue import Catalogue
from drills.cut_short import ended_at
from drills.measures.packets import Packets
from drills.record import Record
from drills.scenario.durations import Duration
from drills.scenario.models import Scenario
from drills.scene import HOLD_SLICE_S, Scene, StoryStopped
from drills.teeth.pursuit import GLANCE_NS, SHARE_OF_OTHERS, WORTH_S, DefectSeen, lighter
from drills.teeth.rows import Row
from tests.fakes import FakeScene
from tests.record_builder import RecordBuilder, ns, promise, scenario_of, tiers_of

EVERYWHERE = ("calm", "fault", "recovery")
LOSSES = promise("packets_lost_ratio", 0.005, 5000, EVERYWHERE)
DRAIN = promise("drain_holds", 6, 5, ("fault",))
SETUPS = promise("session_setup_success_ratio", 0.98, 150, EVERYWHERE)
TIERS = tiers_of()
OUTAGE = promise("setup_outage_s", Duration(8.0), 50)


class Timed(FakeScene):
    """A scene in which pausing is noted and takes no time."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.paused: list[float] = []

    def pause(self, seconds: float) -> None:
        """Not a moment."""
        self.paused.append(seconds)

    def now_ns(self) -> int:
        """It stands still."""
        return 0


def after(scenario: Scenario, *claims: str) -> DefectSeen:
    """A run that is after a defect which these name."""
    return DefectSeen(Row(scenario.name, "relay_drops_one_in_fifty", claims), scenario, TIERS)


@pytest.fixture
def scene(tmp_path: Path) -> Timed:
    """Nothing on stage."""
    return Timed(tmp_path)


def test_a_window_in_which_nothing_named_is_due_is_cut(scene: Timed) -> None:
    """And one in which something is, lasts."""
    after(scenario_of(DRAIN, SETUPS), "drain_holds").pause(scene, "calm", 9.0)
    after(scenario_of(DRAIN, SETUPS), "session_setup_success_ratio").pause(scene, "calm", 9.0)
    assert scene.paused == [9.0 * SHARE_OF_OTHERS, 9.0]


def test_an_invariant_makes_a_window_whole_only_where_no_objective_names_the_defect(scene: Timed) -> None:
    """It needs no least evidence; what it needs to be violated happens where the objective is due."""
    after(scenario_of(DRAIN), "drain_holds", "no_lease_to_draining_or_banned").pause(scene, "calm", 9.0)
    after(scenario_of(DRAIN), "relay_counters_agree").pause(scene, "calm", 9.0)
    assert scene.paused == [9.0 * SHARE_OF_OTHERS, 9.0]


def test_after_the_last_window_with_something_named_there_is_no_more_to_see(scene: Timed) -> None:
    """Whatever it says: the verdict will tell."""
    assert "due in a later window" in after(scenario_of(DRAIN), "drain_holds").over(scene, "fault")
    assert after(scenario_of(DRAIN), "drain_holds").over(scene, "recovery") == ""


def test_what_must_happen_within_a_time_is_waited_for_in_later_windows(
    scene: Timed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it has not happened when the window ends, the time may not be up yet."""
    monkeypatch.setattr(DefectSeen, "_look", lambda one, scene, window: "")
    assert after(scenario_of(OUTAGE), "setup_outage_s").over(scene, "fault") == ""
    monkeypatch.setattr(DefectSeen, "_look", lambda one, scene, window: "broken already")
    assert after(scenario_of(OUTAGE), "setup_outage_s").over(scene, "fault") == "broken already"


@pytest.mark.parametrize(("seen_at", "thirds"), [(1, 1), (2, 2), (9, 3)])
def test_the_recovery_is_long_enough_for_a_time_to_be_up(
    scene: Timed, monkeypatch: pytest.MonkeyPatch, seen_at: int, thirds: int
) -> None:
    """Third after third, until what must have happened by then is broken."""
    looks: list[str] = []

    def look(one: DefectSeen, scene: Scene, window: str) -> str:
        looks.append(window)
        return "broken already" if len(looks) >= seen_at else ""

    monkeypatch.setattr(DefectSeen, "_look", look)
    pursuit = after(scenario_of(OUTAGE), "setup_outage_s")
    pursuit.pause(scene, "recovery", 9.0)
    assert scene.paused == [pytest.approx(3.0)] * thirds
    assert pursuit.over(scene, "recovery") == ("broken already" if thirds < 3 else "")


def test_calm_is_whole_where_the_age_of_what_it_makes_is_measured(scene: Timed) -> None:
    """A backup that lacks what is new says nothing while all is new."""
    spec = promise("data_loss_s", Duration(10.0), 50)
    after(scenario_of(spec), "data_loss_s").pause(scene, "calm", 9.0)
    assert scene.paused == [9.0]


def test_as_long_as_something_named_has_not_been_due_no_look_is_taken(scene: Timed) -> None:
    """There is no record here to look at."""
    assert after(scenario_of(DRAIN, LOSSES), "drain_holds", "packets_lost_ratio").over(scene, "calm") == ""


def living(*, lost_every: int) -> RecordBuilder:
    """A run in the middle of its calm window: 60 sessions, three seconds long, the last of which still live."""
    builder = RecordBuilder().witnessed(12)
    builder.event(0.0, "window.opened", window="calm")
    for number in range(1, 61):
        builder.session(number, 0.1 * number, 0.1 * number + 3.0, lost_every=lost_every, ended=number < 40)
    return builder


@pytest.mark.parametrize(("lost_every", "expected"), [(20, {"packets_lost_ratio"}), (0, set())])
def test_a_living_record_is_judged_as_if_it_had_ended(lost_every: int, expected: set[str]) -> None:
    """Broken where it is, and not where it is sound; no session counts as forgotten by our load."""
    record = living(lost_every=lost_every).record()
    assert after(scenario_of(LOSSES), "packets_lost_ratio").broken_in(record, ns(9.5)) == expected


def test_packets_that_may_not_be_on_disk_yet_are_no_losses() -> None:
    """What was due after the moment of the look counts for nothing, and neither does who ended after it."""
    record = living(lost_every=0).record()
    ended = ended_at(record, ns(5.0))
    assert int(ended.packets.intended_ns.max()) < ns(5.0)
    assert max(event["stopped_ns"] for event in ended.named("session.ended")) < ns(5.0)
    assert [event.name for event in ended.named("run.ended", "generator.finished")] == [
        "generator.finished",
        "run.ended",
    ]
    assert ended.named("generator.finished")[0]["rows"] == len(ended.packets)
    assert ended.windows["calm"].to_ns == ns(5.0)


def test_a_doubt_keeps_the_run_going() -> None:
    """A generator that stood still may be what broke it: the look says nothing then."""
    record = living(lost_every=20).gap(3.0, 3.8).record()
    found = after(scenario_of(LOSSES), "packets_lost_ratio").broken_in(record, ns(9.5))
    assert found == set()


def test_an_invariant_is_seen_early_where_nothing_later_can_mend_it() -> None:
    """A packet that came twice came twice; what compares the sums of a whole run can be told at its end alone."""
    builder = living(lost_every=0)
    for block in builder.blocks:
        block["copies"] *= 2
    one = after(scenario_of(LOSSES), "no_packet_twice_or_altered", "relay_counters_agree")
    assert one.broken_in(builder.record(), ns(9.5)) == {"no_packet_twice_or_altered"}
    assert one.broken_in(living(lost_every=0).record(), ns(9.5)) == set()


@pytest.mark.parametrize(("claims", "per_s", "visits"), [
    (("drain_holds",), 20, 50), (("packets_lost_ratio", "drain_holds"), 30, 165),
    (("session_setup_success_ratio",), 20, 150), (("no_packet_twice_or_altered",), 30, 50),
])  # fmt: skip
def test_a_run_after_a_defect_has_less_load_and_nothing_else_less(
    claims: tuple[str, ...], per_s: int, visits: int
) -> None:
    """As much as what names the defect needs."""
    (drill,) = Catalogue().named(["relay_drain"])
    light = lighter(drill, Row("relay_drain", "some_defect", claims))
    assert (light.load.inputs_per_s, light.load.frames_per_s) == (per_s, per_s)
    assert light.load.visits_per_window == visits
    back = {"inputs_per_s": 60, "frames_per_s": 60, "visits_per_window": 165}
    assert replace(light, load=light.load.model_copy(update=back)) == drill


@pytest.mark.parametrize(("claims", "calm"), [
    (("session_drop_ratio",), 0.6),
    (("session_drop_ratio", "back_in_band_ms_p95"), 1.0),  # calm is what that is compared with
])  # fmt: skip
def test_at_fast_pace_visits_come_in_less_time(claims: tuple[str, ...], calm: float) -> None:
    """As many of them; only there does a visit cost the gateway a tenth."""
    (drill,) = Catalogue().named(["relay_drain"])
    row = Row("relay_drain", "some_defect", claims)
    slow, fast = (lighter(drill, row, fast=fast) for fast in (False, True))
    assert slow.windows == drill.windows and fast.load == slow.load
    assert fast.windows.calm.in_s(0.5) == pytest.approx(calm * drill.windows.calm.in_s(0.5))
    assert fast.windows.recovery.in_s(5.0) == pytest.approx(calm * drill.windows.recovery.in_s(5.0))


def test_several_defects_at_once_are_given_more_visits() -> None:
    """A set-up that one of them makes fail is no sample of what names another."""
    (drill,) = Catalogue().named(["relay_drain"])
    alone, shared = (lighter(drill, Row("relay_drain", defect, ("session_drop_ratio",))).load.visits_per_window
                     for defect in ("one_defect", "one_defect+another"))  # fmt: skip
    assert (alone, shared) == (150, 165)


def written(record: Record, folder: Path) -> None:
    """A record on disk, but for its packets."""
    (folder / "provenance.json").write_text(json.dumps(record.provenance))
    lines = [
        json.dumps({"at": event.at, "ns": event.ns, "event": event.name, **event.fields}) for event in record.events
    ]
    (folder / "journal.jsonl").write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(("claims", "seen", "promptly"), [
    (("drain_holds",), "", True), (("drain_holds",), "broken already", True),
    (("session_setup_success_ratio",), "", False), (("session_setup_success_ratio",), "broken already", True),
    (("drain_holds", "relay_counters_agree"), "broken already", False),
])  # fmt: skip
def test_a_run_ends_promptly_where_nothing_that_is_under_way_is_asked_for(
    claims: tuple[str, ...], seen: str, promptly: bool
) -> None:
    """Set-ups that nobody has looked at come to their end, or a missed defect would be taken for one not seen."""
    pursuit = after(scenario_of(DRAIN, SETUPS), *claims)
    pursuit.seen = seen
    assert pursuit.ends_promptly is promptly


def test_a_look_in_the_middle_ends_a_window_where_packets_are_enough(
    scene: Timed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thousands of them are there long before its end; set-ups are not."""
    record = living(lost_every=20).record()
    written(record, scene.folder)
    packets: Packets = record.packets
    monkeypatch.setattr(Record, "packets", property(lambda self: self.__dict__.get("packets", packets)))
    scene.now_ns = lambda: ns(9.5)  # type: ignore[method-assign]
    one = after(scenario_of(replace_samples(1000)), "packets_lost_ratio")
    one.pause(scene, "calm", 10.0)
    assert scene.paused == [5.0]
    assert one.over(scene, "calm") == "packets_lost_ratio broken already"
    scene.paused.clear()
    after(scenario_of(SETUPS), "session_setup_success_ratio").pause(scene, "calm", 10.0)
    assert scene.paused == [10.0]


@pytest.mark.parametrize(("claims", "paused"), [
    (("no_packet_twice_or_altered",), [5.0]),
    (("no_packet_twice_or_altered", "session_setup_success_ratio"), [10.0]),
    (("relay_counters_agree",), [10.0]),  # sums of the whole run
])  # fmt: skip
def test_what_an_invariant_forbids_is_looked_for_in_the_middle_too(
    scene: Timed, monkeypatch: pytest.MonkeyPatch, claims: tuple[str, ...], paused: list[float]
) -> None:
    """It is seen the first time that it happens."""
    monkeypatch.setattr(DefectSeen, "_look", lambda one, scene, window: "broken already")
    after(scenario_of(SETUPS), *claims).pause(scene, "calm", 10.0)
    assert scene.paused == paused


def test_a_story_is_glanced_at_only_where_facts_are_all_that_counts(scene: Timed) -> None:
    """Losses and latencies want packets on disk and a machine that does nothing else."""
    for claims, glances in ((("drain_holds",), True), (("drain_holds", "packets_lost_ratio"), False)):
        idle = scene.glance, scene.enough
        with after(scenario_of(DRAIN, LOSSES), *claims).glancing(scene):
            assert (scene.glance is not idle[0]) is glances
            assert (scene.enough is not idle[1]) is not glances
        assert (scene.glance, scene.enough) == idle


def test_a_glance_ends_the_story_once_everything_named_is_broken(scene: Timed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not before its time has come, and not while anything is still open."""
    one = after(scenario_of(DRAIN), "drain_holds")
    found: set[str] = set()
    monkeypatch.setattr(DefectSeen, "broken_in", lambda self, record, until_ns: found)
    monkeypatch.setattr(Record, "read", classmethod(lambda cls, folder: None))
    moments = [0]
    scene.now_ns = lambda: moments[0]  # type: ignore[method-assign]
    with one.glancing(scene):
        found.add("drain_holds")
        scene.glance()  # too early
        moments[0] = GLANCE_NS
        found.clear()
        scene.glance()  # nothing broken yet
        found.add("drain_holds")
        scene.glance()  # just looked
        moments[0] = 2 * GLANCE_NS
        with pytest.raises(StoryStopped, match="drain_holds broken already"):
            scene.glance()
    assert one.over(scene, "fault") == "drain_holds broken already"


def test_a_look_ends_a_hold_once_everything_named_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in the rest of one that is shorter than a look is worth; and nowhere but while the story holds."""
    scene, looks = FakeScene(tmp_path), ["", "", "packets_lost_ratio broken already"]
    one = after(scenario_of(DRAIN, LOSSES), "drain_holds", "packets_lost_ratio")
    monkeypatch.setattr(DefectSeen, "_look", lambda self, scene, window: looks.pop(0))
    with one.glancing(scene), pytest.raises(StoryStopped, match="packets_lost_ratio broken already"):
        scene.hold(WORTH_S - 0.1)  # none
        scene.pause(60.0)  # none
        scene.hold(3 * HOLD_SLICE_S + WORTH_S)
    assert looks == [] and scene.now_s == pytest.approx(WORTH_S - 0.1 + 60.0 + 2 * HOLD_SLICE_S)
    assert one.over(scene, "fault") == "packets_lost_ratio broken already"
    scene.hold(7.0)  # nobody asks any more
    assert scene.now_s == pytest.approx(WORTH_S - 0.1 + 60.0 + 2 * HOLD_SLICE_S + 7.0)


def replace_samples(least: int) -> object:
    """The promise about losses with another least evidence."""
    return LOSSES.model_copy(update={"samples_min": least})


def test_rows_are_data() -> None:
    """They travel to another process and back."""
    row = Row("calm", "relay_goes_deaf", ("silence_ms_p99",))
    assert Row(**asdict(row)) == replace(row)
