"""The replay window against the sequence of contract-master-relay.md §4.6, and the limiters."""

from __future__ import annotations

from drills.reference.relay.limits import Bucket, FixedWindows
from drills.reference.relay.replay import JUMP_MAX, ReplayWindow


def test_the_window_follows_the_contracts_sequence() -> None:
    """The fourteen steps of 4.6, then the pair after 1000."""
    window = ReplayWindow()
    steps = {0: "+-", 1: "+", 5: "+", 3: "+-", 132: "+"}
    for number, outcomes in steps.items():
        for outcome in outcomes:
            assert window.accepts(number) is (outcome == "+"), number
    for number, accepted in [(5, False), (4, False), (133, True), (6, True), (300, True), (172, False), (173, True)]:
        assert window.accepts(number) is accepted, number
    assert [window.accepts(number) for number in (1000, 872, 873)] == [True, False, True]


def test_the_first_number_may_be_any() -> None:
    """Also the very highest, after which only what was just below it passes."""
    window = ReplayWindow()
    assert [window.accepts(n) for n in (2**64 - 1, 2**64 - 1, 2**64 - 2)] == [True, False, True]


def test_a_stray_number_does_not_close_a_direction() -> None:
    """A jump of more than 2^20 is refused, and the numbering goes on as if nothing had come (D-17)."""
    window = ReplayWindow()
    assert [window.accepts(n) for n in (1, 2**64 - 1, 2 + JUMP_MAX, 2)] == [True, False, False, True]
    assert window.accepts(2 + JUMP_MAX)


def test_numbers_pass_in_any_order_within_the_window() -> None:
    """Reordering by up to 127 loses nothing."""
    window = ReplayWindow()
    numbers = [start + offset for start in range(0, 1280, 128) for offset in reversed(range(128))]
    assert all(window.accepts(n) for n in numbers)
    assert not any(window.accepts(n) for n in numbers)


def test_a_full_table_refuses_unknown_keys() -> None:
    """Known ones go on; idle ones make room."""
    windows = FixedWindows(limit=10, keys_max=2)
    assert [windows.allows(key, 0.0) for key in ("a", "b", "c", "a")] == [True, True, False, True]
    windows.forget_idle(2.0)
    assert len(windows) == 2
    windows.forget_idle(2.1)
    assert windows.allows("c", 2.1)


def test_the_bandwidth_limit_is_even() -> None:
    """Twice the limit offered: in every tenth of a second after the burst, half passes (D-19)."""
    bucket = Bucket(hard_kbps=1000, now=0.0)
    passed = [0] * 50
    for packet in range(5 * 250):  # 1000 bytes every 4 ms: 2000 kbps for 5 s
        passed[packet // 25] += bucket.takes(1000, packet * 0.004)
    assert all(12 <= tenth <= 13 for tenth in passed[10:])


def test_below_the_bandwidth_limit_everything_passes() -> None:
    """800 of 1000 kbps."""
    bucket = Bucket(hard_kbps=1000, now=0.0)
    assert all(bucket.takes(1000, packet * 0.010) for packet in range(500))


def test_a_lowered_limit_holds_at_once() -> None:
    """What is in the bucket is cut to the new burst."""
    bucket = Bucket(hard_kbps=100_000, now=0.0)
    bucket.set_limit(1000)
    assert sum(bucket.takes(1000, 0.0) for _ in range(100)) == 31
