"""What was noticed of each fault, in words: for the terminal, the pages, and whoever reads verdict.json's names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class Other(Protocol):
    """The first sign of another kind."""

    @property
    def kind(self) -> str:
        """As drills/measures/signs.py has them."""

    @property
    def where(self) -> str:
        """Whose page or log it was on."""

    @property
    def says(self) -> str:
        """What it was."""

    @property
    def after_s(self) -> float:
        """From the fault's start."""


class Detected(Protocol):
    """One fault's row, as the verdict makes it or as a report reads it back."""

    @property
    def fault(self) -> str:
        """Its kind."""

    @property
    def subject(self) -> str:
        """What it was done to."""

    @property
    def after_s(self) -> float | None:
        """From its start to the first sign."""

    @property
    def kind(self) -> str:
        """Of the first sign."""

    @property
    def where(self) -> str:
        """Whose page or log the first sign was on."""

    @property
    def says(self) -> str:
        """The first sign."""

    @property
    def others(self) -> Sequence[Other]:
        """The first sign of each other kind."""

    @property
    def outside_s(self) -> float | None:
        """Until somebody who asked from outside was left waiting."""

    @property
    def gone_after_s(self) -> float | None:
        """From its end to all signs gone."""

    @property
    def remaining(self) -> str:
        """The sign that was still there at the end."""

    @property
    def hurt(self) -> str:
        """What users met."""

    @property
    def unknown(self) -> str:
        """Why nothing can be said."""

    @property
    def silent(self) -> bool:
        """Users hurt, and no sign."""


@dataclass(frozen=True)
class Noticed:
    """A row of the table: which fault, how soon it was noticed and by what, when all was well again, who suffered."""

    fault: str
    noticed: str
    sign: str
    gone: str
    users: str
    silent: bool


HEAD = ("fault", "noticed after", "first sign", "signs gone after its end", "users meanwhile")


def noticed(row: Detected) -> Noticed:
    """One fault in words."""
    return Noticed(
        f"{row.fault} {row.subject}", _after(row), _sign(row), _gone(row), row.hurt or "not seen to be hurt", row.silent
    )


def line(row: Detected) -> str:
    """One fault in a line."""
    one = noticed(row)
    if row.after_s is None:
        return f"{one.fault}: {one.noticed}; {one.sign}; users: {one.users}"
    gone = one.gone if row.remaining else f"gone after {one.gone}"
    return f"{one.fault}: noticed after {one.noticed} ({one.sign}); signs {gone}; users: {one.users}"


def _after(row: Detected) -> str:
    if row.after_s is not None:
        return f"{row.after_s:.1f} s"
    if row.silent:
        return "silent: no sign anywhere"
    return "unknown" if row.unknown else "no sign"


def _sign(row: Detected) -> str:
    if row.after_s is not None:
        others = (f"; {one.kind} after {one.after_s:.1f} s: {one.where}: {one.says}" for one in row.others)
        return f"{row.kind}: {row.where}: {row.says}" + "".join(others)
    if row.unknown:
        return row.unknown
    if row.outside_s is not None:
        return f"nobody says anything; who asks from outside is left without an answer after {row.outside_s:.1f} s"
    return "nobody says anything"


def _gone(row: Detected) -> str:
    if row.remaining:
        return f"not gone: {row.remaining}"
    return "–" if row.gone_after_s is None else f"{row.gone_after_s:.1f} s"
