"""The samples of a run as columns: one numpy array a column, rows of all workers."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COLUMNS = ("session", "direction", "sequence", "intended_ns", "sent_ns", "received_ns", "shows", "copies")
INPUT, FRAME = 0, 1


@dataclass(frozen=True)
class Packets:
    """Columns as in drills/load/samples.py; ``unreadable`` names parts that could not be read."""

    columns: Mapping[str, Any]
    parts: int
    unreadable: tuple[str, ...]

    def __len__(self) -> int:
        columns = self.columns
        return columns.rows if isinstance(columns, _Picked) else len(columns["session"])

    def __getattr__(self, name: str) -> Any:
        try:
            return self.columns[name]
        except KeyError:
            raise AttributeError(name) from None

    def where(self, mask: Any) -> Packets:
        """The rows that a boolean array picks; a column is copied when it is first asked for, not before."""
        return self if mask.all() else Packets(_Picked(self.columns, mask), self.parts, self.unreadable)

    def remembered(self, key: Hashable, worked_out: Callable[[], Any]) -> Any:
        """What follows from these packets alone, worked out once."""
        known: dict[Hashable, Any] = self.__dict__.setdefault("_remembered", {})
        if key not in known:
            known[key] = worked_out()
        return known[key]

    def flows(self) -> tuple[Any, Any]:
        """What flows here, one number (twice the session, plus the direction) each, and for each packet which it is."""
        found: tuple[Any, Any] = self.remembered("flows", self._flows)
        return found

    def _flows(self) -> tuple[Any, Any]:
        import numpy

        number = self.session.astype(numpy.int64) * 2 + self.direction
        numbers = numpy.unique(number)
        return numbers, numpy.searchsorted(numbers, number)


class _Picked(Mapping[str, Any]):
    """Columns of which a boolean array picks rows: of millions of rows and eight columns, most are never looked at."""

    def __init__(self, columns: Mapping[str, Any], mask: Any) -> None:
        self._columns, self._mask = columns, mask
        self._picked: dict[str, Any] = {}
        self.rows = int(mask.sum())

    def __getitem__(self, name: str) -> Any:
        if name not in self._picked:
            self._picked[name] = self._columns[name][self._mask]
        return self._picked[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)


def order_of(major: Any, minor: Any) -> Any:
    """The order of rows by two columns of whole numbers, the first at least 0; in which order equals are is open."""
    import numpy

    combined = _combined(major, minor)
    return numpy.lexsort((minor, major)) if combined is None else numpy.argsort(combined[0])


def in_order(major: Any, minor: Any) -> tuple[Any, Any]:
    """Two columns sorted by both; one sort of one number, where both fit into it, is several times as fast as two."""
    import numpy

    combined = _combined(major, minor)
    if combined is None:
        order = numpy.lexsort((minor, major))
        return major[order], minor[order]
    numbers, least, room = combined
    numbers.sort()
    return numbers // room, numbers % room + least


def _combined(major: Any, minor: Any) -> tuple[Any, int, int] | None:
    """One number a row that sorts as both do, with what it takes to part them again; None where 63 bits do not do."""
    if len(major) == 0:
        return None
    least = int(minor.min())
    room = int(minor.max()) - least + 1
    if (int(major.max()) + 1) * room >= 2**63:
        return None
    return major * room + (minor - least), least, room


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
