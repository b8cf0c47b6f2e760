"""What each command does; thin, since the work is elsewhere. Imports are local so that ``drills list`` stays quick."""

from __future__ import annotations

import argparse
import json
import re

from drills.errors import BadInput, Exit


def list(options: argparse.Namespace) -> Exit:
    """Every drill with its suites and claim."""
    from drills.catalogue import Catalogue

    scenarios = Catalogue().all()
    if options.json:
        rows = [{"drill": name, "suites": [*one.suites], "claim": one.claim, "objectives": len(one.objectives)}
                for name, one in scenarios.items()]  # fmt: skip
        print(json.dumps(rows, indent=2))
        return Exit.HELD
    width = max(map(len, scenarios), default=0)
    for name, one in scenarios.items():
        print(f"{name:<{width}}  {', '.join(one.suites):<26}  {one.claim}")
    return Exit.HELD


def check(options: argparse.Namespace) -> Exit:
    """Parse scenarios and start nothing."""
    from drills.catalogue import Catalogue

    catalogue = Catalogue()
    scenarios, problems = catalogue.checked(options.files) if options.files else catalogue.everything()
    if options.json:
        print(json.dumps({"understood": [*scenarios], "problems": problems}, indent=2))
        return Exit.BAD_INPUT if problems else Exit.HELD
    if problems:
        raise BadInput(*problems)
    for name, scenario in scenarios.items():
        print(f"{scenario.path}: {name}: understood, {len(scenario.objectives)} objectives")
    return Exit.HELD


def run(options: argparse.Namespace) -> Exit:
    """Run drills, judge each, write the month's report, print the table of verdicts."""
    from drills.suite import run_suite
    from drills.view.teller import teller_for

    with teller_for(json_wanted=options.json, quiet=options.quiet, plain=options.plain) as tell:
        return run_suite(options, tell)


def teeth(options: argparse.Namespace) -> Exit:
    """Run every drill against the defects that it claims to catch, and against the sound system."""
    from drills.teeth.command import run_teeth
    from drills.view.teller import teller_for

    return run_teeth(options, teller_for(json_wanted=options.json, plain=True))


def judge(options: argparse.Namespace) -> Exit:
    """Judge a run again by the scenario that lies in its folder."""
    from drills.judging import judge_folder
    from drills.report.terminal import verdict_lines

    verdict = judge_folder(options.run)
    if options.json:
        print(json.dumps(verdict.to_json(), indent=2))
    else:
        print("\n".join(verdict_lines(verdict)))
    return verdict.exit_code


def report(options: argparse.Namespace) -> Exit:
    """Write a month's report again."""
    if not re.fullmatch(r"20[0-9]{2}-(0[1-9]|1[0-2])", options.month):
        raise BadInput(f"command line: YYYY-MM: found {options.month!r}, expected a month such as 2026-11")
    from datetime import UTC, datetime

    from drills.findings.folding import fold
    from drills.options import Options
    from drills.report.month import write_month
    from drills.report.runs import month_folder, runs_of

    out = options.out or Options().out
    fold(out, runs_of(month_folder(out, options.month), series=False), datetime.now(UTC).date())
    print(f"report: {write_month(out, options.month)}")
    return Exit.HELD


def findings(options: argparse.Namespace) -> Exit:
    """What has to be fixed, by whom and until when."""
    from drills.findings.command import findings_command

    return findings_command(options)


def recover(options: argparse.Namespace) -> Exit:
    """Remove what killed runs have left."""
    from drills.options import Options
    from drills.recovery import recover_all, words_of

    found = recover_all(options.out or Options().out)
    if options.json:
        print(json.dumps(found, indent=2))
    elif not found:
        print("nothing to recover: no killed run has left anything")
    for row in [] if options.json else found:
        print(words_of(row))
    return Exit.CANNOT_RUN if any(row["problem"] for row in found) else Exit.HELD


def doctor(options: argparse.Namespace) -> Exit:
    """What this machine has, what is missing, how to get it."""
    from drills.doctor import examined

    findings = examined()
    if options.json:
        print(json.dumps(findings, indent=2))
    else:
        for row in findings:
            mark = "ok     " if row["ok"] else "MISSING" if row["needed"] else "without"
            print(f"{mark} {row['what']:<20} {row['found']}" + ("" if row["ok"] else f"\n        {row['get']}"))
    return Exit.HELD if all(row["ok"] or not row["needed"] for row in findings) else Exit.CANNOT_RUN


def stand(options: argparse.Namespace) -> Exit:
    """Raise a drill's stage and leave it standing, for a look around or a load by hand."""
    from drills.suite import stand_by
    from drills.view.teller import teller_for

    return stand_by(options, teller_for(plain=True))
