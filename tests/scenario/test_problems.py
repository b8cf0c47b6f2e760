"""The words of a problem."""

from __future__ import annotations

from drills.scenario.problems import NAMES_ALIKE, NAMES_MAX, one_of


def test_few_names_are_all_told() -> None:
    """In their order."""
    assert one_of(["stop", "kill", "crash"], "kil") == "stop, kill, crash"


def test_of_many_names_those_most_like_the_one_found_are_told() -> None:
    """A misspelt name finds its own, and a value of any kind finds some."""
    names = [f"claim_{number:02d}" for number in range(NAMES_MAX + 1)]
    assert one_of(names, "claim_7").startswith("claim_") and "claim_07" in one_of(names, "claim_7")
    assert one_of(names, None).count("claim_") == NAMES_ALIKE
    assert one_of(names, "x" * 100_000).endswith(f" or another of {len(names)}")
