"""The journal keeps what happened and no secret; the record reads back what is there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from drills.measures.packets import COLUMNS
from drills.record import Journal, Record, Span, read_events, scrubbed

TOKEN = "v4.public." + "Ab9_-" * 30
WRITER = """
import sys
from pathlib import Path
from drills.record import Journal
journal = Journal(Path(sys.argv[1]))
for number in range(300):
    journal.write("beat", writer=sys.argv[2], number=number, padding="x" * 200)
"""


def written(tmp_path: Path, *lines: str) -> Path:
    """A journal of these lines, exactly."""
    path = tmp_path / "journal.jsonl"
    path.write_text("".join(lines), encoding="utf-8")
    return path


def line(ns: int, event: str, **fields: object) -> str:
    return json.dumps({"at": "2026-11-03T14:00:00.000Z", "ns": ns, "event": event, **fields}) + "\n"


def record_of(tmp_path: Path, *lines: str) -> Record:
    """The record in a folder with this journal."""
    written(tmp_path, *lines)
    (tmp_path / "provenance.json").write_text(json.dumps({"drill": "calm"}), encoding="utf-8")
    return Record.read(tmp_path)


@pytest.mark.parametrize("secret", [
    TOKEN, "v4.local." + "a" * 40, "0123456789abcdef" * 4, "0123456789abcdef" * 8,
])  # fmt: skip
def test_secrets_are_taken_out_of_every_text(tmp_path: Path, secret: str) -> None:
    """Tokens, leases and keys never reach the disk, in whatever field or depth they come."""
    journal = Journal(tmp_path / "journal.jsonl")
    journal.write("oops", reason=f"refused {secret}.", deep={"list": [secret]}, key=secret)
    journal.close()
    text = (tmp_path / "journal.jsonl").read_text()
    assert secret not in text
    assert text.count("[secret]") == 3
    assert json.loads(text)["reason"].startswith("refused [secret]")


@pytest.mark.parametrize("harmless", [
    "27237433-d8c0-42ea-bf37-e2990be60939", "v4.public.short", "relay_a", "0123456789abcdef" * 2,
])  # fmt: skip
def test_what_is_no_secret_stays(harmless: str) -> None:
    """Relay ids and names are what the verdict reads."""
    assert scrubbed(f"name {harmless}") == f"name {harmless}"


def test_an_event_comes_back_as_it_was_written(tmp_path: Path) -> None:
    """Both clocks and every field."""
    journal = Journal(tmp_path / "journal.jsonl")
    journal.write("lease.given", session=7, relay_id="a", nested={"x": [1, 2]}, path=Path("/tmp"))
    journal.close()
    (event,) = read_events(tmp_path / "journal.jsonl")
    assert (event.name, event["session"], event["nested"], event["path"]) == ("lease.given", 7, {"x": [1, 2]}, "/tmp")
    assert event.ns > 0
    assert event.at.endswith("Z")
    assert event.get("nothing", 3) == 3


def test_a_closed_journal_takes_nothing_and_says_nothing(tmp_path: Path) -> None:
    """Watchers may outlive it by a moment."""
    journal = Journal(tmp_path / "journal.jsonl")
    journal.close()
    journal.close()
    journal.write("late")
    Journal(None).write("nowhere")
    assert (tmp_path / "journal.jsonl").read_text() == ""


def test_a_last_line_cut_short_is_left_out(tmp_path: Path) -> None:
    """A SIGKILL loses the event being written and no other."""
    whole = [line(1, "run.started"), line(2, "service.ready")]
    path = written(tmp_path, *whole, line(3, "run.ended")[:-12])
    assert [event.name for event in read_events(path)] == ["run.started", "service.ready"]


def test_events_are_read_in_the_order_of_their_clock(tmp_path: Path) -> None:
    """Two writers may append out of order."""
    path = written(tmp_path, line(3, "c"), line(1, "a"), line(2, "b"))
    assert [event.name for event in read_events(path)] == ["a", "b", "c"]


def test_two_processes_append_to_one_journal_without_mixing_lines(tmp_path: Path) -> None:
    """One write a line, to a file opened for appending."""
    path = tmp_path / "journal.jsonl"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), name]) for name in ("one", "two")]
    assert [writer.wait(30) for writer in writers] == [0, 0]
    events = list(read_events(path))
    assert len(path.read_text().splitlines()) == len(events) == 600
    for name in ("one", "two"):
        assert [event["number"] for event in events if event["writer"] == name] == list(range(300))


def test_a_window_lasts_from_opened_to_closed(tmp_path: Path) -> None:
    """The end is not in it, the beginning is."""
    record = record_of(tmp_path, line(5, "window.opened", window="calm"), line(9, "window.closed", window="calm"),
                       line(12, "run.ended"))  # fmt: skip
    span = record.windows["calm"]
    assert span == Span(5, 9)
    assert (5 in span, 8 in span, 9 in span) == (True, True, False)
    assert Span(0, 2_500_000_000).seconds == 2.5


def test_a_window_that_was_never_closed_ends_with_the_record(tmp_path: Path) -> None:
    """A run that was killed has what it has; windows that never opened are not there."""
    record = record_of(tmp_path, line(5, "window.opened", window="fault"), line(30, "lease.given"))
    assert record.windows == {"fault": Span(5, 30)}


def test_a_folder_without_samples_has_no_packets(tmp_path: Path) -> None:
    """Nothing was sent yet; that is no error."""
    packets = record_of(tmp_path, line(1, "run.started")).packets
    assert (len(packets), packets.parts, packets.unreadable) == (0, 0, ())


def test_parts_are_read_together_and_a_broken_one_is_named(tmp_path: Path) -> None:
    """A part that cannot be read must be missed, not overlooked."""
    import pyarrow
    import pyarrow.parquet

    record = record_of(tmp_path, line(1, "run.started"))
    (tmp_path / "samples").mkdir()
    for part in (1, 2):
        table = pyarrow.table({name: [part] * 3 for name in COLUMNS})
        pyarrow.parquet.write_table(table, tmp_path / "samples" / f"worker-0-0000{part}.parquet")
    (tmp_path / "samples" / "worker-0-00003.parquet").write_bytes(b"PAR1 and then nothing")
    (tmp_path / "samples" / "worker-0-00004.unfinished").write_bytes(b"PAR1")
    packets = record.packets
    assert (len(packets), packets.parts, packets.unreadable) == (6, 3, ("worker-0-00003.parquet",))
    assert len(packets.where(packets.session == 2)) == 3
    with pytest.raises(AttributeError):
        _ = packets.nonsense


def test_moments_are_counted_from_the_first_event(tmp_path: Path) -> None:
    """For people: seconds since the beginning."""
    record = record_of(tmp_path, line(1_000_000_000, "run.started"), line(3_500_000_000, "run.ended"))
    assert record.seconds_at(record.events[-1].ns) == 2.5
    assert record.started_at.isoformat() == "2026-11-03T14:00:00+00:00"
    assert [event.name for event in record.named("run.ended", "run.failed")] == ["run.ended"]
