"""What counts as a busy CPU."""

from __future__ import annotations

from pathlib import Path

from drills.probes.machine import machine_ticks


def test_idle_waiting_for_a_disk_and_giving_way_are_not_busy(tmp_path: Path) -> None:
    """proc(5): user, nice, system, idle, iowait, irq, softirq, steal, and what guests had, which is in user already."""
    stat = tmp_path / "stat"
    stat.write_text("cpu  100 40 20 300 9 1 2 3 7 8\ncpu0 1 2 3 4 5 6 7 8 9 10\n")
    assert machine_ticks(stat) == (100 + 20 + 1 + 2 + 3, 475)
