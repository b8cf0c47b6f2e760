"""``drills teeth``: whether the drills bite what they claim to bite, and only that."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from drills.catalogue import Catalogue
from drills.errors import BadInput, Exit, Interrupted
from drills.placing import check_stage, options_of
from drills.recovery import recover_all, words_of
from drills.report.month import write_month
from drills.report.teeth import FORMAT, NAME, SUITE
from drills.scenario.models import Scenario
from drills.signals import Signals
from drills.stage.priority import may_be_raised_beside
from drills.teeth.cells import BLANK, Attempt, Bite, Cell, answer_of, exit_code_of
from drills.teeth.matrix import Matrix, usual_at_once
from drills.teeth.rows import Row, rows_of, sampled

Say = Callable[[str], None]


def run_teeth(arguments: argparse.Namespace, say: Say) -> Exit:
    """Run every row, print the matrix, write it into the month's report."""
    scenarios = _scenarios(arguments)
    rows = _rows(arguments, scenarios)
    if arguments.list:
        _print_rows(rows, as_json=arguments.json)
        return Exit.HELD
    options = replace(options_of(arguments), suite=SUITE)
    check_stage(scenarios, options)
    say(f"stage: {options.stage} ({options.stage_why})")
    for row in recover_all(options.out):
        say(words_of(row))
    page = TeethPage(arguments, options.stage, options.out / f"{datetime.now(UTC):%Y-%m}", len(rows))
    may_give_way = may_be_raised_beside(options.stage)
    at_once = arguments.at_once or usual_at_once(may_give_way=may_give_way)
    matrix = Matrix(rows, {one.name: one for one in scenarios}, options, say, at_once=at_once,
                    alone=arguments.alone, may_give_way=may_give_way)  # fmt: skip
    matrix.on_cell = lambda: page.write(matrix.cells.values())
    signals = Signals()
    with signals.caught():
        try:
            matrix.run()
        except Interrupted as error:
            say(f"{error}; what was running has mended and removed everything")
    cells = [_interrupted(cell) if signals.interrupted else cell for cell in matrix.cells.values()]
    page.write(cells, finished=not signals.interrupted)
    _print_cells(cells, as_json=arguments.json, page=page)
    if any(cell.attempts and cell.last.run for cell in cells):
        print(f"report: {write_month(options.out, page.folder.name)}", file=page.beside)
    return exit_code_of(cells)


def _scenarios(arguments: argparse.Namespace) -> list[Scenario]:
    if arguments.names and arguments.suite:
        raise BadInput("command line: found both drill names and --suite, expected one of them")
    catalogue = Catalogue()
    return catalogue.named(arguments.names) if arguments.names else catalogue.suite(arguments.suite or "monthly")


def _rows(arguments: argparse.Namespace, scenarios: list[Scenario]) -> tuple[Row, ...]:
    rows = rows_of(scenarios)
    return sampled(rows, arguments.sample, arguments.seed) if arguments.sample else rows


def _interrupted(cell: Cell) -> Cell:
    """A row that the interrupt has kept from being known; one that was known stays as it was."""
    if cell.bite not in BLANK:
        return cell
    return Cell(cell.row, (*cell.attempts, Attempt(Bite.INCONCLUSIVE, reason="the command was interrupted")))


def _print_rows(rows: tuple[Row, ...], *, as_json: bool) -> None:
    if as_json:
        listed = [{"drill": row.drill, "defect": row.defect or None, "claims": list(row.claims)} for row in rows]
        print(json.dumps(listed, indent=2))
        return
    drill, defect = (max(map(len, names)) for names in (["drill", *(row.drill for row in rows)],
                                                        ["defect", *(row.defect for row in rows)]))  # fmt: skip
    print(f"{'drill':<{drill}}  {'defect':<{defect}}  must be broken")
    for row in rows:
        print(f"{row.drill:<{drill}}  {row.defect or '(sound)':<{defect}}  {', '.join(row.claims) or '(nothing)'}")


def _print_cells(cells: list[Cell], *, as_json: bool, page: TeethPage) -> None:
    if as_json:
        print(json.dumps(page.content, indent=2))
        return
    drill, defect = (max(map(len, names)) for names in (["drill", *(cell.row.drill for cell in cells)],
                                                        ["(sound)", *(cell.row.defect for cell in cells)]))  # fmt: skip
    print(f"\n{'drill':<{drill}}  {'defect':<{defect}}  {'outcome':<12}  by")
    for cell in cells:
        last = cell.last
        words = ", ".join(last.caught_by) + (f"; also {', '.join(last.side_effects)}" if last.side_effects else "")
        times = f" ({len(cell.attempts)} attempts)" if len(cell.attempts) > 1 else ""
        outcome = str(cell.bite).upper() if cell.bite in (Bite.MISSED, Bite.FALSE_ALARM) else str(cell.bite)
        reason = "; ".join(part for part in (words, last.reason) if part) + times
        print(f"{cell.row.drill:<{drill}}  {cell.row.defect or '(sound)':<{defect}}  {outcome:<12}  {reason}".rstrip())
    print(f"teeth: {answer_of(cells)}")


class TeethPage:
    """teeth.json in the month's folder: written anew whenever a row is known, so that a killed matrix is not lost."""

    def __init__(self, arguments: argparse.Namespace, stage: str, folder: Path, rows: int) -> None:
        self.folder = folder
        self.began = time.monotonic()
        self.content: dict[str, Any] = {}
        self.beside = sys.stderr if arguments.json else sys.stdout
        self._head = {
            "format": FORMAT, "suite": arguments.suite or ("" if arguments.names else "monthly"), "stage": stage,
            "pace": arguments.pace, "tier": arguments.tier, "seed": arguments.seed, "sample": arguments.sample or None,
            "command": arguments.command_line, "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }  # fmt: skip

    def write(self, cells: Any, *, finished: bool = False) -> None:
        """All rows as they are now."""
        cells = list(cells)
        self.content = {
            **self._head, "finished": finished, "took_s": round(time.monotonic() - self.began, 1),
            "answer": answer_of(cells), "exit_code": int(exit_code_of(cells)),
            "rows": [cell.to_json() for cell in cells],
        }  # fmt: skip
        self.folder.mkdir(parents=True, exist_ok=True)
        unfinished = self.folder / f"{NAME}.unfinished"
        unfinished.write_text(json.dumps(self.content, indent=2) + "\n", encoding="utf-8")
        os.replace(unfinished, self.folder / NAME)
