"""The samples of a worker: numbered rows, settled ones on disk in whole parts, arrivals that came too late counted."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet
import pytest

from drills.load import samples as samples_module
from drills.load.samples import COLUMNS, FRAME, INPUT, PART_S, SETTLE_S, Samples

S = 1_000_000_000


@pytest.fixture
def samples(tmp_path: Path) -> Samples:
    """A worker's samples in a folder of their own."""
    return Samples(tmp_path, "worker-0")


def send(samples: Samples, *seconds: float) -> list[int]:
    """One input due and sent at each of these moments; the numbers of their rows."""
    return [samples.add(1, INPUT, number + 1, int(s * S), int(s * S), -1) for number, s in enumerate(seconds)]


def parts(folder: Path) -> list[Path]:
    """What lies in the folder."""
    return sorted(folder.iterdir())


def test_a_part_holds_what_was_settled_and_keeps_the_rest(samples: Samples, tmp_path: Path) -> None:
    """A packet still on its way waits for the next part."""
    rows = send(samples, 1.0, 2.0, 3.0)
    samples.received(rows[0], 1 * S + 5)
    samples.flush(settled_before_ns=int(2.5 * S))
    (part,) = parts(tmp_path)
    table = pyarrow.parquet.read_table(part)
    assert part.name == "worker-0-00001.parquet"
    assert tuple(table.column_names) == COLUMNS
    assert table["intended_ns"].to_pylist() == [1 * S, 2 * S]
    assert table["received_ns"].to_pylist() == [1 * S + 5, 0]
    assert (samples.rows, samples.base) == (2, 2)


def test_row_numbers_go_on_after_a_part(samples: Samples, tmp_path: Path) -> None:
    """They travel in the packets: a number must never mean two rows."""
    assert send(samples, 1.0, 2.0, 3.0) == [0, 1, 2]
    samples.flush(settled_before_ns=int(2.5 * S))
    assert send(samples, 4.0) == [3]
    samples.received(2, 33)
    samples.received(3, 44)
    samples.flush(settled_before_ns=9 * S)
    table = pyarrow.parquet.read_table(parts(tmp_path)[1])
    assert table["received_ns"].to_pylist() == [33, 44]


def test_a_packet_that_comes_after_its_part_is_late(samples: Samples) -> None:
    """It is counted, and touches no other row."""
    send(samples, 1.0, 2.0)
    samples.flush(settled_before_ns=int(1.5 * S))
    samples.received(0, 7)
    assert samples.late == 1
    assert list(samples._received) == [0]


def test_the_first_arrival_counts_and_others_are_copies(samples: Samples) -> None:
    """A duplicate does not make a packet later than it was."""
    (row,) = send(samples, 1.0)
    samples.received(row, 11)
    samples.received(row, 22)
    assert (list(samples._received), list(samples._copies)) == ([11], [2])


def test_a_row_that_was_never_sent_is_nobodys(samples: Samples) -> None:
    """A garbled number changes nothing."""
    samples.received(5, 7)
    assert (samples.late, list(samples._received)) == (0, [])


def test_both_directions_are_told_apart(samples: Samples, tmp_path: Path) -> None:
    """Inputs and frames, with what each frame shows."""
    samples.add(4, INPUT, 1, S, S, -1)
    samples.add(4, FRAME, 1, S, S, 17)
    samples.flush(settled_before_ns=2 * S)
    table = pyarrow.parquet.read_table(parts(tmp_path)[0])
    assert table["direction"].to_pylist() == [INPUT, FRAME]
    assert table["shows"].to_pylist() == [-1, 17]


def test_nothing_settled_is_no_part(samples: Samples, tmp_path: Path) -> None:
    """An empty file would be a part that says nothing."""
    send(samples, 3.0)
    samples.flush(settled_before_ns=2 * S)
    assert parts(tmp_path) == []


def test_a_part_has_its_name_only_when_it_is_complete(
    samples: Samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A SIGKILL in the middle of writing leaves a file that nobody reads as a part."""

    def cut_short(writer: object, batch: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pyarrow.parquet.ParquetWriter, "write_batch", cut_short)
    send(samples, 1.0)
    with pytest.raises(KeyboardInterrupt):
        samples_module._write(tmp_path / "worker-0-00001.parquet", samples._columns, 1)
    assert [path.suffix for path in parts(tmp_path)] == [".unfinished"]


def test_parts_hold_five_seconds_at_most() -> None:
    """What a SIGKILL can lose is bounded: the stretch between two parts, and what was not settled (design §6)."""
    assert PART_S + SETTLE_S <= 5.0


def test_a_load_by_hand_keeps_numbering_and_writes_nothing(tmp_path: Path) -> None:
    """Without a folder there is no record."""
    samples = Samples(None, "worker-0")
    send(samples, 1.0, 2.0)
    samples.flush(settled_before_ns=int(1.5 * S))
    assert (samples.base, samples.rows, send(samples, 3.0)) == (1, 1, [2])


def test_a_part_is_written_with_breaths_in_between(
    samples: Samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pump on the same CPU gets its turns; every row is there all the same."""
    breaths: list[float] = []
    monkeypatch.setattr(samples_module, "_sleep", breaths.append)
    monkeypatch.setattr(samples_module, "BREATH_ROWS", 4)
    send(samples, *(number / 100 for number in range(10)))
    samples.flush(settled_before_ns=9 * S)
    (part,) = parts(tmp_path)
    assert breaths == [samples_module.BREATH_S] * 3
    assert pyarrow.parquet.read_table(part)["sequence"].to_pylist() == list(range(1, 11))
