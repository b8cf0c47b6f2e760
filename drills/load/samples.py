"""One row a packet, written to numbered Parquet parts outside the pump.

Columns (all times monotonic ns of this machine, one clock for both ends):
``session`` int32, ``direction`` int8 (0 input, client to host; 1 frame, host to client), ``sequence`` int64,
``intended_ns`` when it was due, ``sent_ns`` when it was handed to the kernel (0: we were too late and did not send it),
``received_ns`` when the other end read it (0: never), ``shows`` int64 (a frame's newest input, -1 none),
``copies`` int8 (how often it arrived).

A part is written under another name and renamed when complete, so that all but the last survive a SIGKILL.
"""

from __future__ import annotations

import io
import time
from array import array
from pathlib import Path
from typing import Any

import gevent
from gevent import monkey

_sleep: Any = monkey.get_original("time", "sleep")  # a native thread's own

INPUT = 0
FRAME = 1
COLUMNS = ("session", "direction", "sequence", "intended_ns", "sent_ns", "received_ns", "shows", "copies")
PART_S = 3.5
PART_NS_MAX = 5_000_000_000  # at most 5 s of packets in one part (design §6)
# The thread that writes has the pump's priority: with less, it would be kept from the CPU while it holds the
# interpreter, and the pump with it. So that the pump need not share a busy CPU for long, it takes breath after a
# millisecond's work.
BREATH_ROWS, BREATH_S = 8192, 0.005
SETTLE_S = 1.0  # a packet still on its way after a second counts as lost


class Samples:
    """The rows of one worker: the newest in memory, the settled ones on disk."""

    def __init__(self, folder: Path | None, worker: str) -> None:
        self.folder = folder
        self.worker = worker
        self.base = 0  # number of the first row in memory
        self.part = 0
        self.late = 0  # arrivals after their row was written
        self.rows = 0
        self._columns: dict[str, array[int]] = {name: array("q") for name in COLUMNS}
        self._received = self._columns["received_ns"]
        self._copies = self._columns["copies"]

    def add(self, session: int, direction: int, sequence: int, intended_ns: int, sent_ns: int, shows: int) -> int:
        """Note a packet as sent; returns its row number, which travels in the packet."""
        columns = self._columns
        columns["session"].append(session)
        columns["direction"].append(direction)
        columns["sequence"].append(sequence)
        columns["intended_ns"].append(intended_ns)
        columns["sent_ns"].append(sent_ns)
        columns["shows"].append(shows)
        self._received.append(0)
        self._copies.append(0)
        return self.base + len(self._received) - 1

    def unsent(self, row: int) -> None:
        """The kernel did not take the packet just added: it says nothing about anybody else."""
        self._columns["sent_ns"][row - self.base] = 0

    def is_as_sent(self, row: int, session: int, sequence: int, shows: int) -> bool:
        """Whether a packet that says this of itself was sent so; one whose row is written already passes for it."""
        index, columns = row - self.base, self._columns
        return index < 0 or (
            index < len(self._received)
            and columns["sequence"][index] == sequence
            and columns["session"][index] == session
            and columns["shows"][index] == shows
        )

    def received(self, row: int, now_ns: int) -> None:
        """Note a packet as received; the first arrival counts, further ones are copies."""
        index = row - self.base
        if index < 0:
            self.late += 1
        elif index < len(self._received):
            if not self._received[index]:
                self._received[index] = now_ns
            self._copies[index] += 1

    @property
    def pending(self) -> int:
        """How many rows are in memory only."""
        return len(self._received)

    def flush_for_ever(self, worker: int) -> None:
        """A greenlet's work: write a part every few seconds, not all workers at once."""
        gevent.get_hub().threadpool.apply(_warm_up)
        gevent.sleep(worker * PART_S / 2 % PART_S)
        while True:
            gevent.sleep(PART_S)
            self.flush(settled_before_ns=time.monotonic_ns() - int(SETTLE_S * 1e9))

    def flush(self, settled_before_ns: int) -> None:
        """Write the rows intended before ``settled_before_ns`` as one part, in a native thread."""
        intended = self._columns["intended_ns"]
        # rows are appended in the order they were due, give or take a tick: cut at the first unsettled one
        low, high = 0, len(intended)
        while low < high:
            middle = (low + high) // 2
            if intended[middle] < settled_before_ns:
                low = middle + 1
            else:
                high = middle
        while low and intended[low - 1] - intended[0] > PART_NS_MAX:  # after a stall: cut to what one part may hold
            low = low // 2
        if low == 0:
            return
        # the pump waits for this: only what stays is copied, and the old columns go to the writer as they are
        done = self._columns
        self._columns = {name: column[low:] for name, column in done.items()}
        self._received, self._copies = self._columns["received_ns"], self._columns["copies"]
        self.base += low
        self.rows += low
        if self.folder is None:
            return
        self.part += 1
        path = self.folder / f"{self.worker}-{self.part:05d}.parquet"
        gevent.get_hub().threadpool.apply(_write, (path, done, low))


def _write(path: Path, columns: dict[str, Any], rows: int) -> None:
    """One Parquet part from the first rows of columns of 64-bit integers; renamed when complete."""
    unfinished = path.with_suffix(".unfinished")
    _encode(unfinished, columns, rows)
    unfinished.rename(path)


def _encode(part: Any, columns: dict[str, Any], rows: int) -> None:
    """Parquet into a file; bit by bit, so that others get their turns."""
    import numpy
    import pyarrow
    import pyarrow.parquet

    narrow = {"session": numpy.int32, "direction": numpy.int8, "copies": numpy.int8}
    table = pyarrow.table({
        name: numpy.frombuffer(column, dtype=numpy.int64)[:rows].astype(narrow.get(name, numpy.int64), copy=False)
        for name, column in columns.items()
    })  # fmt: skip
    # times and numbers rise by little steps: as differences they take a quarter of the CPU and half the bytes
    with pyarrow.parquet.ParquetWriter(
        part, table.schema, compression="lz4", use_dictionary=list(narrow),
        column_encoding={name: "DELTA_BINARY_PACKED" for name in columns if name not in narrow},
    ) as writer:  # fmt: skip
        for batch in table.to_batches(max_chunksize=BREATH_ROWS):
            writer.write_batch(batch)
            _sleep(BREATH_S)


def _warm_up() -> None:
    """What the first part costs beyond any other, 20 ms of the interpreter: now, and not in the first window."""
    _encode(io.BytesIO(), {name: array("q", [0]) for name in COLUMNS}, 1)
