"""``python -m drills.bench [NAME…] [--json FILE]``: measure, print a table, compare with the limits.

Exit codes: 0 all within their limits, 1 some over, 2 interrupted, 3 something could not be run, 4 bad input. Figures
taken while the machine has other work are shown all the same, and marked: they say less, and not that the limits are
kept or broken.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

from drills.bench import machine
from drills.bench.rows import Row, exit_code, table
from drills.bench.table import BENCHMARKS, Benchmark
from drills.errors import CannotRun, Exit


def main(words: list[str]) -> int:
    """Run the benchmarks that were named, or all; returns the exit code."""
    options = _parsed(words)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what runs is ended, as on Ctrl-C
    facts = machine.facts()
    _say(", ".join(f"{key} {value}" for key, value in facts.items()))
    rows: list[Row] = []
    meanwhile: dict[str, machine.Meanwhile] = {}
    for name in options.names or [*BENCHMARKS]:
        _say(f"{name} …")
        before = machine.ticks()
        rows += _measured(name, BENCHMARKS[name])
        meanwhile[name] = machine.between(before, machine.ticks())
    print("\n".join(table(rows)))
    for line in noise(facts, meanwhile):
        print(line)
    if options.json:
        options.json.write_text(json.dumps(_as_json(facts, rows, meanwhile), indent=2) + "\n", encoding="utf-8")
    code = exit_code(rows)
    print(f"exit code {code}", flush=True)
    return code


class _Parser(argparse.ArgumentParser):
    """argparse says 2 for a mistake on the command line; here that is 4, bad input."""

    def error(self, message: str) -> NoReturn:
        print(f"bench: {message}", file=sys.stderr)
        sys.exit(int(Exit.BAD_INPUT))


def _parsed(words: list[str]) -> argparse.Namespace:
    parser = _Parser(prog="drills.bench", description="What may cost time and memory, measured.", allow_abbrev=False)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; all when left out")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything measured to a file")
    options = parser.parse_args(words)
    if unknown := [name for name in options.names if name not in BENCHMARKS]:
        parser.error(f"found {', '.join(unknown)}, expected one of {', '.join(BENCHMARKS)}")
    return options


def _measured(name: str, benchmark: Benchmark) -> list[Row]:
    """The rows of one benchmark, in a folder of its own that is gone afterwards; one that cannot be run is a row."""
    with tempfile.TemporaryDirectory(prefix=f"drills-bench-{name}-", ignore_cleanup_errors=True) as work:
        try:
            return benchmark(Path(work))
        except (CannotRun, OSError) as error:
            return [Row(name, "", missing=f"not run: {error}")]


def noise(facts: dict[str, Any], meanwhile: dict[str, machine.Meanwhile]) -> list[str]:
    """What a reader must know before believing the figures: who else used the machine."""
    lines = []
    if not facts["quiet"]:
        lines.append(f"this machine was not quiet before: {facts['busy_share_before']:.0%} busy, "
                     f"load average {facts['load_average'][0]}")  # fmt: skip
    lines += [f"{name}: {what}" for name, what in meanwhile.items() if not what.quiet]
    if lines:
        lines.append("times were measured beside other work: run again on a quiet machine before drawing conclusions")
    return lines


def _as_json(facts: dict[str, Any], rows: list[Row], meanwhile: dict[str, machine.Meanwhile]) -> dict[str, Any]:
    shares = {name: {"others_share": round(what.others_share, 3), "steal_share": round(what.steal_share, 3),
                     "quiet": what.quiet} for name, what in meanwhile.items()}  # fmt: skip
    return {"machine": facts, "meanwhile": shares, "rows": [row.to_json() for row in rows]}


def _say(text: str) -> None:
    print(text, flush=True)


def _unforeseen(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
    """An error of ours must not exit 1, which says that a figure is over its limit."""
    if issubclass(kind, KeyboardInterrupt):
        print("bench: interrupted", file=sys.stderr)
        sys.exit(int(Exit.INCONCLUSIVE))
    traceback.print_exception(kind, error, where)
    sys.exit(int(Exit.CANNOT_RUN))


if __name__ == "__main__":
    sys.excepthook = _unforeseen
    sys.exit(main(sys.argv[1:]))
