"""Durations: what may be written, and what it comes to at either pace."""

from __future__ import annotations

import pytest

from drills.scenario.durations import Duration


@pytest.mark.parametrize(
    ("text", "real_s", "fast_s"),
    [
        ("500 ms", 0.5, 0.5),
        ("10 s", 10.0, 10.0),
        ("2 min", 120.0, 120.0),
        ("1 heartbeat", 5.0, 0.5),
        ("6 heartbeats", 30.0, 3.0),
        ("6 heartbeats + 5 s", 35.0, 8.0),
        ("1.5s+250ms", 1.75, 1.75),
        ("1  min  +  1 s", 61.0, 61.0),
    ],
)
def test_a_duration_is_seconds_and_beats_of_the_target(text: str, real_s: float, fast_s: float) -> None:
    """The same text is the same rehearsal at either pace."""
    assert Duration.parse(text).in_s(5.0) == pytest.approx(real_s)
    assert Duration.parse(text).in_s(0.5) == pytest.approx(fast_s)


@pytest.mark.parametrize("text", ["6 heartbeats + 5 s", "1 heartbeat", "0.25 s", "10 s"])
def test_a_duration_is_written_as_it_is_read(text: str) -> None:
    """What is shown can be read again."""
    assert str(Duration.parse(text)) == text
    assert Duration.parse(str(Duration.parse(text))) == Duration.parse(text)


@pytest.mark.parametrize(
    "text",
    ["", " ", "10", "s", "10 seconds", "-1 s", "- 1 s", "+1 s", "1 s + ", "1 s 2 s", "1e3 s", ".5 s", "1. s", "NaN s",
     "inf s", "10 S", "٣ s", "10 s\n", "1 h", "1,5 s", "9" * 400 + " s", "1 s" + " + 1 s" * 9, 10, 1.5, True, None,
     ["1 s"], {"s": 1}],
)  # fmt: skip
def test_what_is_not_a_duration_is_refused_with_examples(text: object) -> None:
    """Numbers, other units, other alphabets and endless sums are not durations."""
    with pytest.raises(ValueError, match="expected a duration such as '500 ms'"):
        Duration.parse(text)


@pytest.mark.parametrize(("text", "why"), [
        ("0 s", "above zero"), ("0 heartbeats + 0 ms", "above zero"), ("3601 s", "at most 3600"),
        ("999999 heartbeats", "at most 3600"),
    ])  # fmt: skip
def test_no_time_and_too_much_time_are_refused(text: str, why: str) -> None:
    """A wait of nothing is a slip of the pen, and so is one of more than an hour."""
    with pytest.raises(ValueError, match=why):
        Duration.parse(text)
