"""What every client here is: something to be closed, at the latest when its ``with`` ends."""

from __future__ import annotations

from types import TracebackType
from typing import Self


class Closable:
    """A context that closes itself; ``close`` never raises and can be repeated."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give up whatever is held."""
        raise NotImplementedError
