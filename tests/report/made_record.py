"""Small records made by hand: a journal with a clock of its own, samples with the columns of drills/load/samples.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy
import pyarrow
import pyarrow.parquet

from drills.record import Record
from drills.report.files import VerdictFile
from drills.report.runs import Run

COLUMNS = ("session", "direction", "sequence", "intended_ns", "sent_ns", "received_ns", "shows", "copies")
START_NS = 5_000_000_000_000
SECOND = 1_000_000_000
MS = 1_000_000


class MadeRecord:
    """A run's folder that is filled event by event; times are seconds since the first event."""

    def __init__(self, folder: Path, **provenance: Any) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        facts = {"drill": "relay_drain", "run": folder.name, "target": "reference", "tier": "stage", **provenance}
        (folder / "provenance.json").write_text(json.dumps(facts))
        (folder / "scenario.yaml").write_text("name: relay_drain\nclaim: A relay can be drained.\n")
        self.lines: list[str] = []
        self.rows: list[tuple[int, ...]] = []

    def event(self, at_s: float, name: str, **fields: Any) -> None:
        """One line of the journal."""
        at = f"2026-11-03T14:00:{at_s:06.3f}Z"
        self.lines.append(json.dumps({"at": at, "ns": ns(at_s), "event": name, **fields}))

    def packet(
        self, session: int, direction: int, sequence: int, due_s: float, *, after_ms: float | None = 1.0,
        shows: int = -1, late_ms: float | None = 0.0,
    ) -> None:  # fmt: skip
        """One sample; ``after_ms`` None is lost, ``late_ms`` None was never sent."""
        due = ns(due_s)
        sent = 0 if late_ms is None else due + int(late_ms * MS)
        received = 0 if after_ms is None or late_ms is None else sent + int(after_ms * MS)
        self.rows.append((session, direction, sequence, due, sent, received, shows, int(received > 0)))

    def record(self) -> Record:
        """Everything written so far, read back as a record."""
        (self.folder / "journal.jsonl").write_text("\n".join(self.lines) + "\n")
        if self.rows:
            (self.folder / "samples").mkdir(exist_ok=True)
            columns = numpy.array(self.rows, dtype=numpy.int64).T
            table = pyarrow.table({name: pyarrow.array(column) for name, column in zip(COLUMNS, columns, strict=True)})
            pyarrow.parquet.write_table(table, self.folder / "samples" / "worker-0-00001.parquet")
        return Record.read(self.folder)


def ns(at_s: float) -> int:
    """Seconds since the first event on the monotonic clock."""
    return START_NS + round(at_s * SECOND)


def drained(folder: Path) -> MadeRecord:
    """A run of ten seconds: one session, a drain, a restart under a new id, one window each."""
    made = MadeRecord(folder, started_at="2026-11-03T14:00:00.000Z", pace="fast", seed=7)
    made.event(0, "run.started")
    for service, relay_id in (("relay_a", "a1"), ("relay_b", "b1")):
        made.event(0.1, "relay.known", service=service, relay_id=relay_id)
    for window, opens, closes in (("calm", 1, 3), ("fault", 3, 7), ("recovery", 7, 9)):
        made.event(opens, "window.opened", window=window)
        made.event(closes, "window.closed", window=window)
    made.event(0.9, "session.setup", session=1, ok=True, intended_ns=ns(0.5), ended_ns=ns(0.9), step="", reason="")
    made.event(
        2.2, "session.setup", session=2, ok=False, intended_ns=ns(2.1), ended_ns=ns(2.2), step="bind", reason="no"
    )
    for _ in range(2):  # one that ends with the run says so twice
        made.event(9.1, "session.ended", session=1, planned=True, stopped_ns=ns(9.1))
    made.event(1.2, "handshake", session=1, outcome="ack", reason="", sent_ns=ns(1.1))
    made.event(4.2, "handshake", session=1, outcome="reject", reason="wrong_relay", sent_ns=ns(4.1))
    receipt = {"fault": "drain", "subject": "relay_a", "asked": "relay_a Draining", "asked_ns": ns(3.0)}
    on = {"landed": True, "measured_on": "listed as Draining", "from_ns": ns(3.1)}
    made.event(3.1, "fault.injected", **receipt, **on, mended=False, measured_off="nothing was measured", to_ns=0)
    made.event(6.6, "fault.receipt", **receipt, **on, mended=True, measured_off="gone", to_ns=ns(6.5))
    for second in range(10):
        a = {"relay_id": "a2" if second >= 7 else "a1", "state": "Draining" if 3 <= second < 7 else "Active"}
        made.event(second + 0.5, "relays.seen", relays=[a, {"relay_id": "b1", "state": "Active"}])
        made.event(second + 0.6, "machine.second", cpu_ticks={"relay_a": second})
        auth = {"login_success": 3 * second if second < 5 else second, "db_errors": 0}
        made.event(second + 0.7, "gateway.health", auth=auth)
        made.event(second + 0.8, "generator.second", worker=0, gap_ms=2.0)
    made.event(7.2, "relay.ready", service="relay_a", relay_id="a2")
    made.event(7.3, "relay.back", service="relay_a", relay_id="a2")
    made.event(4.3, "generator.gap", worker=0, from_ns=ns(4.2), to_ns=ns(4.23))
    for number in range(8 * 50):  # 50 inputs and 50 frames a second, each frame shows the input before it
        due = 1.0 + number * 0.02
        made.packet(1, 0, number, due, after_ms=None if number == 75 else 1.0)
        silent = 4.0 <= due < 4.3
        made.packet(1, 1, number, due + 0.005, after_ms=None if silent else 1.0, shows=number)
    made.event(9.9, "run.ended")
    return made


def judged_run(drill: str, condition: str = "", verdict: str = "held", **provenance: Any) -> Run:
    """A run that was judged, and nothing else of it."""
    judged = VerdictFile(drill=drill, run="r", target="reference", stage="processes", tier="stage", verdict=verdict,
                         judgements=())  # type: ignore[arg-type]  # fmt: skip
    return Run(Path("nowhere"), drill, "r", judged, None, "", "", {"condition": condition, **provenance})
