"""The samples of a run as columns: one numpy array a column, rows of all workers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

COLUMNS = ("session", "direction", "sequence", "intended_ns", "sent_ns", "received_ns", "shows", "copies")
INPUT, FRAME = 0, 1


@dataclass(frozen=True)
class Packets:
    """Columns as in drills/load/samples.py; ``unreadable`` names parts that could not be read."""

    columns: dict[str, Any]
    parts: int
    unreadable: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.columns["session"])

    def __getattr__(self, name: str) -> Any:
        try:
            return self.columns[name]
        except KeyError:
            raise AttributeError(name) from None

    def where(self, mask: Any) -> Packets:
        """The rows that a boolean array picks."""
        return Packets({name: column[mask] for name, column in self.columns.items()}, self.parts, self.unreadable)


def read_packets(folder: Path) -> Packets:
    """All complete parts in ``folder``; a part cut short by a SIGKILL never got its name and is not there."""
    import numpy
    import pyarrow
    import pyarrow.parquet

    tables, unreadable = [], []
    paths = sorted(folder.glob("*.parquet"))
    for path in paths:
        try:
            tables.append(pyarrow.parquet.read_table(path, columns=list(COLUMNS)))
        except (OSError, pyarrow.ArrowException):
            unreadable.append(path.name)
    if tables:
        whole = pyarrow.concat_tables(tables)
        columns = {name: whole.column(name).to_numpy() for name in COLUMNS}
    else:
        columns = {name: numpy.zeros(0, dtype=numpy.int64) for name in COLUMNS}
    return Packets(columns, len(paths), tuple(unreadable))
