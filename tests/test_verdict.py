"""From a record and its objectives to a verdict: the gravest wins, and nothing checked is inconclusive."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from drills.errors import Exit, combined
from drills.scenario.durations import Duration
from drills.verdict import EXITS, Judgement, Outcome, Verdict, judge, limit_of, write_verdict
from tests.record_builder import A, RecordBuilder, promise, scenario_of, sound, tiers_of

HELD, INCONCLUSIVE, BROKEN = Outcome.HELD, Outcome.INCONCLUSIVE, Outcome.BROKEN
LEASES = promise("no_lease_lands_on_a_draining_relay", 0, 40)
HOLDS = promise("drain_holds", 6, 20)
BACK = promise("relay_back_s", Duration(4.0))
TIERS = tiers_of(session_setup_success_ratio=0.98, silence_ms_p99=250.0)


def verdict_of(builder: RecordBuilder, *specs: object) -> Verdict:
    """The verdict over a record that ended well."""
    return judge(builder.over().record(), scenario_of(*specs), TIERS)  # type: ignore[arg-type]


def test_all_held_is_held() -> None:
    """Every objective in every window."""
    assert verdict_of(sound(10).drained(), LEASES, HOLDS, BACK).verdict is HELD


def test_one_inconclusive_makes_the_drill_inconclusive() -> None:
    """What is not known is not held."""
    verdict = verdict_of(sound(10).drained(back_s=None), LEASES, HOLDS, BACK)
    assert [one.verdict for one in verdict.judgements] == [HELD, HELD, INCONCLUSIVE]
    assert (verdict.verdict, verdict.exit_code) == (INCONCLUSIVE, Exit.INCONCLUSIVE)


def test_one_broken_makes_the_drill_broken() -> None:
    """Whatever else is held or unknown."""
    verdict = verdict_of(sound(10).drained(back_s=None, lease=lambda at_s: A), LEASES, HOLDS, BACK)
    assert (verdict.verdict, verdict.exit_code) == (BROKEN, Exit.BROKEN)


def test_nothing_checked_is_inconclusive() -> None:
    """A drill without objectives proves nothing."""
    assert verdict_of(sound(10)).verdict is INCONCLUSIVE


def test_a_window_that_was_never_reached_is_inconclusive() -> None:
    """The promise was due in a window that the run did not get to."""
    spec = promise("packets_lost_ratio", 0.5, 6, ("calm", "recovery"))
    builder = RecordBuilder().windows(calm=(0.0, 10.0)).witnessed(40).session(1, 1.0, 9.0)
    verdict = verdict_of(builder, spec)
    assert [one.verdict for one in verdict.judgements] == [HELD, INCONCLUSIVE]
    assert "before the window recovery" in verdict.judgements[1].reason


def test_a_promise_is_due_only_in_its_window() -> None:
    """Losses in the fault window are not calm's, and the other way round."""
    spec = promise("packets_lost_ratio", 0.01, 300, ("calm", "fault"))
    builder = sound(0).session(1, 1.0, 9.5, lost_every=2).session(2, 11.0, 29.0)
    assert [one.verdict for one in verdict_of(builder, spec).judgements] == [BROKEN, HELD]


@pytest.mark.parametrize(("tier", "expected"), [("dev", 500.0), ("stage", 250.0), ("prod", 125.0)])
def test_a_tier_limit_is_that_of_the_runs_tier(tier: str, expected: float) -> None:
    """The record says in which tier it was made."""
    assert limit_of(promise("silence_ms_p99", "tier"), TIERS, tier, 5.0) == expected


def test_a_limit_in_heartbeats_goes_with_the_pace() -> None:
    """Three seconds and two heartbeats are 13 s on Wavry and 4 s at fast pace."""
    spec = promise("relay_back_s", Duration(3.0, 2.0))
    assert limit_of(spec, TIERS, "stage", 5.0) == 13.0
    assert limit_of(spec, TIERS, "stage", 0.5) == 4.0


def test_a_stricter_tier_asks_for_more_samples() -> None:
    """A ratio of 0.99 cannot be held by 200 set-ups, though the scenario asks for 150 only."""
    spec = promise("handshake_failure_ratio", "tier", 150)
    tiers = tiers_of(handshake_failure_ratio=0.02)
    for tier, expected in (("stage", HELD), ("prod", INCONCLUSIVE)):
        builder = sound(0).handshakes(15.0, 200, 0)
        builder.tier = tier
        judgement = judge(builder.over().record(), scenario_of(spec), tiers).judgements[0]
        assert judgement.verdict is expected
    assert judgement.samples_min == 300


def test_doubts_are_told_once_each() -> None:
    """A reader sees every doubt, and no doubt twice."""
    builder = sound(10).gap(9.9, 10.1)
    verdict = verdict_of(builder, promise("packets_lost_ratio", 0.5, 6, ("calm", "fault")))
    assert verdict.doubts == ("our load generator stood still for 200 ms, 35 ms are allowed",)


def test_a_judgement_carries_its_figures() -> None:
    """What was measured, against what, from how many, and why."""
    judgement = verdict_of(sound(10).drained(), HOLDS).judgements[0]
    assert (judgement.objective, judgement.window, judgement.unit) == ("drain_holds", "fault", "heartbeats")
    assert (judgement.figure, judgement.limit, judgement.samples, judgement.samples_min) == (7.0, 6.0, 40, 20)
    assert judgement.why == "because of this"


def test_the_verdict_is_written_as_json_that_anyone_can_read(tmp_path: Path) -> None:
    """Outcomes are words, and a figure that is no number is null."""
    judgement = Judgement("drain_holds", "fault", HELD, None, 6.0, "heartbeats", 40, 20, "why", "reason")
    path = write_verdict(tmp_path, Verdict("d", "r", "reference", "processes", "stage", HELD, (judgement,), ("x",)))
    read = json.loads(path.read_text(), parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert (read["verdict"], read["judgements"][0]["verdict"], read["judgements"][0]["figure"]) == (
        "held",
        "held",
        None,
    )
    assert list(tmp_path.iterdir()) == [path]


def test_a_figure_that_is_no_number_never_gets_into_a_judgement() -> None:
    """NaN is written as nothing, and judged as nothing."""
    builder = sound(10).drained()
    for event in builder.events:
        if event.name == "relay.back":
            event.fields["forwarded_ns"] = math.nan
    judgement = verdict_of(builder, BACK).judgements[0]
    assert (judgement.verdict, judgement.figure) == (INCONCLUSIVE, None)


def test_every_outcome_has_its_exit_code() -> None:
    """As design §6 has them."""
    assert {outcome.value: code.value for outcome, code in EXITS.items()} == {"held": 0, "broken": 1, "inconclusive": 2}


@pytest.mark.parametrize(("codes", "expected"), [
    ([], Exit.INCONCLUSIVE),
    ([Exit.HELD, Exit.HELD], Exit.HELD),
    ([Exit.HELD, Exit.INCONCLUSIVE], Exit.INCONCLUSIVE),
    ([Exit.INCONCLUSIVE, Exit.BROKEN, Exit.HELD], Exit.BROKEN),
    ([Exit.BROKEN, Exit.CANNOT_RUN], Exit.CANNOT_RUN),
    ([Exit.CANNOT_RUN, Exit.BAD_INPUT, Exit.BROKEN], Exit.BAD_INPUT),
])  # fmt: skip
def test_several_drills_exit_with_the_first_of_4_3_1_2_0(codes: list[Exit], expected: Exit) -> None:
    """No drill at all is inconclusive, because nothing was checked."""
    assert combined(codes) is expected
