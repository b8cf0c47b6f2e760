"""What the machine kept waiting: in a run that is measured, and not while its stage gives way to another."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from drills.probes import machine
from drills.probes.machine import SLICES_A_SECOND, MachineProbe
from drills.record import Journal, read_events


@pytest.mark.parametrize(("behind_looks", "counted_ms"), [
    (0, 9 * 50.0),  # the first look only says where the count begins
    (5, 3 * 50.0),  # two more do not count after it has come forward
    (10, 0.0),
])  # fmt: skip
def test_what_waits_while_it_gives_way_counts_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behind_looks: int, counted_ms: float
) -> None:
    """A relay that gets 50 ms too late to a CPU in every tenth of a second."""
    waited = iter(range(0, 10**12, 50_000_000))
    monkeypatch.setattr(machine, "run_queue_wait_ns", lambda pid: next(waited))
    relay = SimpleNamespace(name="relay_a", pid=1, exit_code=lambda: None)
    stage = SimpleNamespace(everybody=lambda: [relay], gives_way=True, services={}, udp_tables=list)
    journal = Journal(tmp_path / "journal.jsonl")
    probe = MachineProbe(stage, journal)  # type: ignore[arg-type]
    for look in range(SLICES_A_SECOND):
        stage.gives_way = look < behind_looks
        probe.look()
    journal.close()
    (second,) = read_events(tmp_path / "journal.jsonl")
    assert second["waited_ms"] == {"relay_a": counted_ms}
    assert second["stalled_ms"] == {"relay_a": min(counted_ms, 150.0)}
