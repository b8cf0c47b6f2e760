"""Defects of the relay that only a network shows: the sound relay beside each faulty one."""

from __future__ import annotations

import pytest

from drills.reference.relay.pipeline import Limits
from drills.wavry.packets import Ack, Reject
from tests.reference.relay_bench import CLIENT, HOST, STRANGER, paired

IDLE = Limits(idle_s=60.0)


@pytest.mark.parametrize(("defect", "passed_on"), [("", False), ("relay_duplicates", True)])
def test_what_comes_twice_is_passed_on_once(defect: str, passed_on: bool) -> None:
    """The replay window is there for it (contract §4.6)."""
    bench = paired(defects=defect)
    assert bench.forwards(7)
    assert bench.forwards(7) is passed_on


@pytest.mark.parametrize(("defect", "passed_on"), [("", True), ("relay_window_too_narrow", False)])
def test_what_was_overtaken_is_passed_on(defect: str, passed_on: bool) -> None:
    """Up to 127 behind."""
    bench = paired(defects=defect)
    assert bench.forwards(7)
    assert bench.forwards(6) is passed_on


@pytest.mark.parametrize(("defect", "answer"), [("", Ack), ("relay_refuses_rebind", Reject)])
def test_a_peer_behind_a_new_port_may_present_its_lease_again(defect: str, answer: type) -> None:
    """From where it is now."""
    assert isinstance(paired(defects=defect).presents("client", STRANGER), answer)


@pytest.mark.parametrize(("defect", "served"), [("", True), ("relay_keeps_to_the_old_port", False)])
def test_a_peer_that_presented_its_lease_again_is_served_there(defect: str, served: bool) -> None:
    """An ACK alone is worth nothing."""
    bench = paired(defects=defect)
    assert isinstance(bench.presents("client", STRANGER), Ack)
    assert bench.forwards(8, STRANGER) is served


@pytest.mark.parametrize(("defect", "alive"), [("", True), ("relay_reaps_one_way", False)])
def test_a_session_that_is_half_silent_lives(defect: str, alive: bool) -> None:
    """The idle time is the session's, not an end's (contract §4.8)."""
    bench = paired(IDLE, defects=defect)
    assert bench.forwards(1, CLIENT) and bench.forwards(1, HOST)
    for number in range(2, 9):
        bench.after(10.0).forwards(number, HOST)
        bench.pipeline.sweep(bench.now)
    assert bench.forwards(9, HOST) is alive
