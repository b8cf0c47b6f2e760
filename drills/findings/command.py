"""``drills findings``: list them, say who fixes what until when, close and reopen, and keep the incident's timeline."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from drills.errors import BadInput, Exit
from drills.findings import ledger
from drills.findings.finding import Finding, day_of, moment_of
from drills.findings.folding import fold
from drills.findings.listing import as_data, table, whole
from drills.findings.reading import FOLDER, read_findings
from drills.options import Options
from drills.record import now_text
from drills.report.runs import MONTH, Run, runs_of


def findings_command(options: argparse.Namespace) -> Exit:
    """One of the commands; 0, or 1 for `list --overdue` where one is, or 4 for what is not understood."""
    out = (options.out or Options().out).absolute()
    if options.act in (None, "list", "show", "update"):
        return _told(out, options)
    changed = ledger.change(out, options.id, _today(), lambda finding: _changed(finding, options))
    print("\n".join(whole(changed, _today())))
    return Exit.HELD


def _today() -> Any:
    return datetime.now(UTC).date()


def _told(out: Path, options: argparse.Namespace) -> Exit:
    """The commands that change nothing that a person wrote."""
    today = _today()
    if options.act == "update":
        fold(out, every_run(out), today)
    findings = read_findings(out / FOLDER, today)
    if options.act == "show":
        findings = (ledger.named(findings, options.id),)
    overdue = [one for one in findings if one.overdue(today)]
    chosen = overdue if getattr(options, "overdue", False) else findings
    if options.json:
        print(json.dumps(as_data(chosen, today), indent=2))
    elif options.act == "show":
        print("\n".join(whole(findings[0], today)))
    else:
        print("\n".join(table(chosen, today) if chosen else [_none(bool(findings))]))
    return Exit.BROKEN if overdue and getattr(options, "overdue", False) else Exit.HELD


def _none(some: bool) -> str:
    return "no finding is overdue" if some else "no findings: no run without a defect has broken a promise so far"


def every_run(out: Path) -> list[Run]:
    """The runs of all months on disk; a month without any is none."""
    found: list[Run] = []
    for folder in sorted(out.glob("*-*")):
        if MONTH.fullmatch(folder.name) and folder.is_dir():
            try:
                found += runs_of(folder, series=False)
            except BadInput:  # a month's folder without a run in it
                continue
    return found


def _changed(finding: Finding, options: argparse.Namespace) -> Finding:
    if options.act == "assign":
        return _assigned(finding, options)
    if options.act in ("close", "reopen"):
        act = {"close": "closed", "reopen": "reopened"}[options.act]
        return ledger.acted(finding, act, options.because, moment_of(now_text()))
    if options.act == "cause":
        return ledger.assigned(finding, root_cause=ledger.sentence(options.text, "TEXT"))
    return ledger.noted(finding, options.text, _read("--at", moment_of, options.at or now_text()))


def _assigned(finding: Finding, options: argparse.Namespace) -> Finding:
    fields = {
        "owner": ledger.sentence(options.owner, "--owner") if options.owner is not None else None,
        "due": _read("--due", day_of, options.due) if options.due is not None else None,
        "retest": _read("--retest", day_of, options.retest) if options.retest is not None else None,
        "severity": options.severity,
    }
    if all(value is None for value in fields.values()):
        raise BadInput("command line: assign: found nothing to assign, expected --owner, --due, --retest or --severity")
    return ledger.assigned(finding, **fields)


def _read(argument: str, read: Any, text: str) -> Any:
    try:
        return read(text)
    except ValueError as error:
        raise BadInput(f"command line: {argument}: found {text[:40]!r}, expected {error}") from None
