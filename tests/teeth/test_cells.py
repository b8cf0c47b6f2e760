"""What a verdict says about a row: caught only by what names the defect, and no doubt is ever taken for a bite."""

from __future__ import annotations

from typing import Any

import pytest

from drills.errors import Exit
from drills.teeth.cells import Attempt, Bite, Cell, answer_of, attempt_of, bite_of, exit_code_of
from drills.teeth.rows import Row

DEFECT = Row("calm", "relay_goes_deaf", ("session_drop_ratio", "silence_ms_p99"))
SOUND = Row("calm")


def verdict(invariants: dict[str, str] | None = None, /, **outcomes: str) -> dict[str, Any]:
    """verdict.json; each objective's outcomes by window, one word each: ``silence_ms_p99="held broken"``."""
    rows = [
        {"objective": name, "window": window, "verdict": outcome, "reason": f"{name} because"}
        for name, words in outcomes.items()
        for window, outcome in zip(("calm", "fault", "recovery"), words.split(), strict=False)
    ]
    said = [row["verdict"] for row in rows]
    whole = next((word for word in ("broken", "inconclusive", "held") if word in said), "inconclusive")
    named = [{"invariant": name, "outcome": outcome} for name, outcome in (invariants or {}).items()]
    return {"verdict": whole, "judgements": rows} | ({"invariants": named} if named else {})


CASES = {
    "all_named_are_broken": ("held broken", "broken", Bite.CAUGHT),
    "broken_in_one_window_is_enough": ("held held broken", "broken inconclusive", Bite.CAUGHT),
    "one_of_the_named_held": ("broken", "held held held", Bite.MISSED),
    "both_held": ("held", "held", Bite.MISSED),
    "one_of_the_named_is_inconclusive": ("broken", "held inconclusive held", Bite.INCONCLUSIVE),
    "all_inconclusive": ("inconclusive", "inconclusive", Bite.INCONCLUSIVE),
}


@pytest.mark.parametrize(("drops", "silence", "expected"), CASES.values(), ids=CASES)
def test_a_defect_is_caught_only_when_everything_that_names_it_is_broken(
    drops: str, silence: str, expected: Bite
) -> None:
    """What is inconclusive is never taken for caught, and never hides that another held."""
    assert bite_of(DEFECT, verdict(session_drop_ratio=drops, silence_ms_p99=silence)) is expected


def test_a_side_effect_is_shown_and_catches_nothing() -> None:
    """Another objective that is broken says nothing about the one that names the defect."""
    said = verdict(session_drop_ratio="held", silence_ms_p99="held", packets_lost_ratio="broken")
    attempt = attempt_of(DEFECT, said)
    assert attempt.bite is Bite.MISSED
    assert attempt.side_effects == ("packets_lost_ratio in calm",) and attempt.caught_by == ()
    assert attempt.reason == "session_drop_ratio held; silence_ms_p99 held"


def test_an_objective_of_which_nothing_is_said_catches_nothing() -> None:
    """It may have been left out of the scenario meanwhile."""
    assert bite_of(DEFECT, verdict(session_drop_ratio="broken")) is Bite.INCONCLUSIVE
    assert bite_of(DEFECT, {}) is Bite.INCONCLUSIVE


@pytest.mark.parametrize(("word", "expected"), [("violated", Bite.CAUGHT), ("broken", Bite.CAUGHT),
                                                ("holds", Bite.MISSED), ("unknown", Bite.INCONCLUSIVE),
                                                ("a word of a later version", Bite.INCONCLUSIVE)])  # fmt: skip
def test_an_invariant_can_name_a_defect_too(word: str, expected: Bite) -> None:
    """In its own words, over the whole run."""
    row = Row("calm", "relay_sends_twice", ("no_packet_is_delivered_twice",))
    assert bite_of(row, verdict({"no_packet_is_delivered_twice": word}, packets_lost_ratio="held")) is expected


@pytest.mark.parametrize(("words", "expected"), [("held held", Bite.HELD), ("held broken", Bite.FALSE_ALARM),
                                                 ("broken inconclusive", Bite.FALSE_ALARM),
                                                 ("held inconclusive", Bite.INCONCLUSIVE)])  # fmt: skip
def test_the_sound_system_must_hold_as_a_whole(words: str, expected: Bite) -> None:
    """One broken objective is a false alarm, however doubtful the rest."""
    assert bite_of(SOUND, verdict(packets_lost_ratio=words)) is expected


def test_a_broken_invariant_on_the_sound_system_is_a_false_alarm() -> None:
    """Also where every objective held."""
    assert bite_of(SOUND, verdict({"one_relay_a_session": "violated"}, packets_lost_ratio="held")) is Bite.FALSE_ALARM


def test_an_invariant_of_which_nothing_is_known_keeps_no_sound_run_from_holding() -> None:
    """Whether it does is the verdict's to say (drills/verdict.py)."""
    assert bite_of(SOUND, verdict({"one_relay_a_session": "unknown"}, packets_lost_ratio="held")) is Bite.HELD


def test_a_verdict_without_judgements_holds_nothing() -> None:
    """Nothing checked is inconclusive."""
    assert bite_of(SOUND, {"verdict": "inconclusive", "judgements": []}) is Bite.INCONCLUSIVE


def cell(bite: Bite, row: Row = DEFECT) -> Cell:
    """A row that came to this."""
    return Cell(row, (Attempt(bite),))


@pytest.mark.parametrize(
    ("bites", "code"),
    [
        ([Bite.CAUGHT, Bite.HELD], Exit.HELD),
        ([Bite.CAUGHT, Bite.MISSED, Bite.INCONCLUSIVE], Exit.BROKEN),
        ([Bite.HELD, Bite.FALSE_ALARM], Exit.BROKEN),
        ([Bite.CAUGHT, Bite.INCONCLUSIVE], Exit.INCONCLUSIVE),
        ([Bite.NOT_RUN, Bite.MISSED], Exit.CANNOT_RUN),
        ([], Exit.INCONCLUSIVE),
    ],
)
def test_the_exit_code_is_that_of_the_gravest_row(bites: list[Bite], code: Exit) -> None:
    """In the order of design §6; no row at all proves nothing."""
    assert exit_code_of([cell(bite) for bite in bites]) is code


def test_the_last_attempt_counts_and_all_are_told() -> None:
    """Nobody has to guess how often a row was tried."""
    twice = Cell(DEFECT, (Attempt(Bite.INCONCLUSIVE, "calm/a", "late", 20.0), Attempt(Bite.CAUGHT, "calm/b", "", 18.0)))
    told = twice.to_json()
    assert (told["outcome"], told["run"], told["took_s"]) == ("caught", "calm/b", 38.0)
    assert [one["outcome"] for one in told["attempts"]] == ["inconclusive", "caught"]
    assert told["attempts"][0]["reason"] == "late"


def test_the_answer_counts_defects_and_sound_runs_apart() -> None:
    """And names what must be looked at."""
    cells = [cell(Bite.CAUGHT), cell(Bite.MISSED), cell(Bite.HELD, SOUND), cell(Bite.FALSE_ALARM, SOUND)]
    assert answer_of(cells) == "1 of 2 defects caught, 1 of 2 sound runs held, 1 missed, 1 false alarm"
