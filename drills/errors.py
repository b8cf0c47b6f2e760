"""The one family of errors, and the exit codes of design §6.

    DrillError
    ├── BadInput      4  a file, name or flag that is not understood; nothing was started
    ├── CannotRun     3  the machine, the stage or we ourselves could not do it
    └── Interrupted   2  the operator (or the system) asked us to stop

A broken objective is a result, not an error; it has an exit code and no exception.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of every command (design §6)."""

    HELD = 0
    BROKEN = 1
    INCONCLUSIVE = 2
    CANNOT_RUN = 3
    BAD_INPUT = 4


# Several drills in one command: the first of these that occurred is the exit code (design §6).
GRAVEST_FIRST = (Exit.BAD_INPUT, Exit.CANNOT_RUN, Exit.BROKEN, Exit.INCONCLUSIVE, Exit.HELD)


def combined(codes: Sequence[Exit]) -> Exit:
    """The exit code of several drills; none at all is inconclusive, because nothing was checked."""
    for code in GRAVEST_FIRST:
        if code in codes:
            return code
    return Exit.INCONCLUSIVE


class DrillError(Exception):
    """Anything that keeps a drill from being run and judged."""

    exit_code = Exit.CANNOT_RUN


class BadInput(DrillError):
    """Input that is not understood: one line per problem, each with file, path, found and expected."""

    exit_code = Exit.BAD_INPUT

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class CannotRun(DrillError):
    """The drill could not be run here: something is missing, did not start, or did not answer in time."""

    exit_code = Exit.CANNOT_RUN


class Interrupted(DrillError):
    """A signal asked the run to stop; what was broken has been mended on the way out."""

    exit_code = Exit.INCONCLUSIVE

    def __init__(self, signal_name: str) -> None:
        super().__init__(f"interrupted by {signal_name}")
        self.signal_name = signal_name
