"""What the machine kept waiting: in a run that is measured, and not while its stage gives way to another."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from drills.probes import machine
from drills.probes.machine import SLICES_A_SECOND, STARTING_SLICES, MachineProbe, run_queue_waits_ns
from drills.record import Journal, read_events


@pytest.mark.parametrize(("behind_looks", "counted_ms"), [
    (0, 10 * 50.0),
    (5, 3 * 50.0),  # two more do not count after it has come forward
    (10, 0.0),
])  # fmt: skip
def test_what_waits_while_it_gives_way_counts_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behind_looks: int, counted_ms: float
) -> None:
    """A relay that gets 50 ms too late to a CPU in every tenth of a second."""
    waited = iter(range(0, 10**12, 50_000_000))
    monkeypatch.setattr(machine, "run_queue_waits_ns", lambda pid, **_: {pid: next(waited)})
    relay = SimpleNamespace(name="relay_a", pid=1, exit_code=lambda: None)
    stage = SimpleNamespace(everybody=lambda: [relay], gives_way=False, services={}, udp_tables=list)
    journal = Journal(tmp_path / "journal.jsonl")
    probe = MachineProbe(stage, journal)  # type: ignore[arg-type]
    for _ in range(SLICES_A_SECOND):
        probe.look()
    for look in range(SLICES_A_SECOND):
        stage.gives_way = look < behind_looks
        probe.look()
    journal.close()
    first, second = read_events(tmp_path / "journal.jsonl")
    assert first["waited_ms"] == {"relay_a": (SLICES_A_SECOND - STARTING_SLICES) * 50.0}  # it has just been started
    assert second["waited_ms"] == {"relay_a": counted_ms}
    # a stretch of three slices may have begun in the second before
    assert second["stalled_ms"] == {"relay_a": 150.0 if counted_ms else 100.0}


@pytest.mark.parametrize(("kind", "counted_ms"), [("relay", 10 * 30.0), ("master", 10 * 30.0), ("gateway", 0.0)])
def test_of_several_threads_the_one_that_waits_the_longest_counts_but_not_those_that_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, counted_ms: float
) -> None:
    """A runtime's first thread does nothing; a thread that has just begun is not known to have waited."""
    looks = iter(range(2 * SLICES_A_SECOND))

    def waits(pid: int, *, every_thread: bool) -> dict[int, int]:
        look = next(looks)
        workers = {2: look * 30_000_000, 3: look * 20_000_000, 100 + look: 10**12} if every_thread else {}
        return {pid: 0, **workers}

    monkeypatch.setattr(machine, "run_queue_waits_ns", waits)
    running = SimpleNamespace(name="one", pid=1, exit_code=lambda: None)
    service = SimpleNamespace(kind=kind, address="")
    stage = SimpleNamespace(everybody=lambda: [running], gives_way=False, services={"one": service}, udp_tables=list)
    journal = Journal(tmp_path / "journal.jsonl")
    probe = MachineProbe(stage, journal)  # type: ignore[arg-type]
    for _ in range(2 * SLICES_A_SECOND):
        probe.look()
    journal.close()
    _, second = read_events(tmp_path / "journal.jsonl")
    assert second["waited_ms"] == {"one": pytest.approx(counted_ms)}


def test_the_kernel_tells_of_every_thread() -> None:
    """Or of the first alone, and of nobody where there is no such process."""
    with ThreadPoolExecutor(2) as pool:
        pool.submit(int).result()
        assert {os.getpid(), *(thread.native_id for thread in threading.enumerate())} <= {
            *run_queue_waits_ns(os.getpid(), every_thread=True)
        }
    assert [*run_queue_waits_ns(os.getpid(), every_thread=False)] == [os.getpid()]
    assert run_queue_waits_ns(2**22 + 1, every_thread=True) == {}
