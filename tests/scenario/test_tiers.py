"""The limits by tier: every tier, every claim, in order."""

from __future__ import annotations

from pathlib import Path

import pytest

from drills.catalogue import Catalogue
from drills.errors import BadInput
from drills.scenario.tiers import load_tiers

GOOD = """
tiers:
  evidence: {dev: 1, stage: 1, prod: 2}
  indicators:
    session_drop_ratio:
      limits: {dev: 0.05, stage: 0.02, prod: 0.01}
      why: nobody likes to be cut off
    silence_ms_p99:
      limits: {dev: 500, stage: 250, prod: 250}
      why: a freeze that everybody sees
"""


def problems_of(tmp_path: Path, text: str) -> str:
    """What is said about a tiers file."""
    path = tmp_path / "tiers.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput) as refused:
        load_tiers(path)
    for line in refused.value.problems:
        assert line.startswith(f"{path}:") and ": found " in line and ", expected " in line
    return str(refused.value)


def test_the_shipped_tiers_are_understood() -> None:
    """Every indicator of the shipped file has its three limits."""
    assert {tuple(row.limits) for row in Catalogue().tiers.indicators.values()} == {("dev", "stage", "prod")}


def test_a_sound_file_is_understood(tmp_path: Path) -> None:
    """The text that the other tests break is sound."""
    path = tmp_path / "tiers.yaml"
    path.write_text(GOOD, encoding="utf-8")
    assert load_tiers(path).indicators["silence_ms_p99"].limits["prod"] == 250


@pytest.mark.parametrize(
    ("old", "new", "fragment"),
    [
        ("dev: 1,", "dev: 0,", "tiers.evidence.dev: found 0, expected a number that is at least 1"),
        ("dev: 1,", "dev: true,", "tiers.evidence.dev: found true, expected a whole number"),
        ("{dev: 1, stage: 1, prod: 2}", "{dev: 1}", "tiers.evidence: found ['dev'], expected each of dev, stage, prod"),
        ("prod: 0.01", "prod: .nan", "session_drop_ratio.limits.prod: found nan, expected a finite number"),
        ("prod: 0.01", "prod: -1", "session_drop_ratio.limits.prod: found -1, expected a number that is at least 0"),
        ("dev: 0.05", "dev: 5", "session_drop_ratio.limits.dev: found 5.0, expected a ratio from 0 to 1"),
        ("prod: 0.01", "prod: 0.03", "session_drop_ratio.limits: found [0.05, 0.02, 0.03], expected limits that"),
        ("stage: 0.02, ", "", "session_drop_ratio.limits: found ['dev', 'prod'], expected each of dev, stage, prod"),
        ("session_drop_ratio:", "session_drops:", "indicators.session_drops: found 'session_drops', expected one of"),
        ("      why: nobody likes to be cut off\n", "", "session_drop_ratio.why: found nothing, expected this key"),
        ("why: nobody", "who: nobody", "session_drop_ratio.who: found 'nobody likes to be cut off', expected no such"),
        ("tiers:", "tier:", "the whole file: found {'tier': {'evidence'"),
        ("  evidence: {dev: 1, stage: 1, prod: 2}\n", "", "tiers.evidence: found nothing, expected this key"),
    ],
)  # fmt: skip
def test_each_mistake_in_the_tiers_is_told(tmp_path: Path, old: str, new: str, fragment: str) -> None:
    """A tier left out, a claim misspelt, a looser production: each is a line."""
    assert old in GOOD
    assert fragment in problems_of(tmp_path, GOOD.replace(old, new))
