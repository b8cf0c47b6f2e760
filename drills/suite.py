"""Several drills one after another, and the table at the end."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from drills import ledger
from drills.catalogue import CONTROL, Catalogue
from drills.errors import BadInput, CannotRun, Exit, combined
from drills.faults.table import FAULTS
from drills.judging import judge_folder
from drills.options import Options
from drills.record import Journal
from drills.recovery import recover_all, words_of
from drills.reference.defects import REGISTRY
from drills.report.month import write_month
from drills.report.terminal import table_of, verdict_lines
from drills.run import run_drill
from drills.scenario.models import Scenario
from drills.signals import Signals
from drills.stage.choice import chosen
from drills.standing import standing_stage
from drills.story import faults_of
from drills.verdict import Outcome, Verdict
from drills.wavry.errors import WireError

Say = Callable[[str], None]


def options_of(arguments: argparse.Namespace) -> Options:
    """The options of a command line, checked; raises BadInput or CannotRun before anything starts."""
    unknown = [name for name in arguments.defect if name not in REGISTRY]
    if unknown:
        raise BadInput(f"--defect: found {', '.join(unknown)}, expected one of {', '.join(REGISTRY)}")
    options = Options(
        target=arguments.target, tier=arguments.tier, pace=arguments.pace, seed=arguments.seed,
        defects=tuple(arguments.defect), out=(arguments.out or Options().out).absolute(),
        command=arguments.command_line, suite=getattr(arguments, "suite", None) or "",
    )  # fmt: skip
    options.check()
    stage, why = chosen(arguments.stage or "", options.target)
    return replace(options, stage=stage, stage_why=why)


def check_stage(scenarios: list[Scenario], options: Options) -> None:
    """Raises BadInput where a drill asks for more than its stage offers, CannotRun where nobody asked for that one."""
    lacking = [
        f"{scenario.path}: fault: found {fault}, expected a fault that a stage of {options.stage} offers"
        for scenario in scenarios
        for fault in faults_of(scenario.fault)
        if options.stage not in FAULTS[fault].stages
    ]
    if lacking and options.stage_why != "asked for":
        raise CannotRun(f"{'; '.join(lacking)} ({options.stage_why})")
    if lacking:
        raise BadInput(*lacking)


def check_defects(scenarios: list[Scenario], options: Options) -> None:
    """Raises BadInput where a defect could not show: a candidate's, in a drill that upgrades nothing."""
    candidates = [name for name in options.defects if REGISTRY[name].release]
    idle = [scenario.name for scenario in scenarios if "upgrade" not in faults_of(scenario.fault)]
    if candidates and idle:
        raise BadInput(f"--defect: found {', '.join(candidates)}, which only a candidate has, expected a drill that "
                       f"upgrades to one: {', '.join(idle)} does not")  # fmt: skip


def run_suite(arguments: argparse.Namespace, say: Say) -> Exit:
    """Run the drills that were named or that make up a suite; ends with a table and the report's path."""
    catalogue = Catalogue()
    if bool(arguments.names) == bool(arguments.suite):
        found = "both" if arguments.names else "neither"
        raise BadInput(f"command line: found {found} drill names and --suite, expected one of them")
    scenarios = catalogue.suite(arguments.suite) if arguments.suite else catalogue.named(arguments.names)
    options = options_of(arguments)
    check_stage(scenarios, options)
    check_defects(scenarios, options)
    say(f"stage: {options.stage} ({options.stage_why})")
    for row in recover_all(options.out):
        say(words_of(row))
    rows: list[tuple[str, Verdict | None, str]] = []
    signals = Signals()
    with signals.caught():
        for scenario in scenarios:
            rows.append(_one(scenario, catalogue, options, say, signals, rows))
            if signals.interrupted:
                break
    _note_known_good(rows, scenarios, options, say)
    not_run = [scenario.name for scenario in scenarios[len(rows) :]]
    month = _month_of(rows)
    report = write_month(options.out, month) if month else None
    print()
    print("\n".join(table_of([(name, verdict, words) for name, verdict, words in rows], not_run)))
    if report:
        print(f"report: {report}")
    unjudged = Exit.INCONCLUSIVE if signals.interrupted else Exit.CANNOT_RUN
    return combined([verdict.exit_code if verdict else unjudged for _, verdict, _ in rows])


def _one(
    scenario: Scenario, catalogue: Catalogue, options: Options, say: Say, signals: Signals,
    before: list[tuple[str, Verdict | None, str]],
) -> tuple[str, Verdict | None, str]:  # fmt: skip
    """Run and judge one drill; a drill that could not be run is a row too, and the others still run."""
    try:
        folder = run_drill(scenario, catalogue.compose, catalogue.tiers, options, say, signals)
    except (CannotRun, WireError, OSError) as error:
        say(f"{scenario.name}: could not be run: {error}")
        return scenario.name, None, str(error)
    if before and before[0][0] == CONTROL:
        _note_control(folder, before[0][1])
    say(f"{scenario.name}: judging")
    try:
        verdict = judge_folder(folder)
    except BadInput as error:  # stopped before there was anything to judge
        return scenario.name, None, str(error)
    for line in verdict_lines(verdict):
        say(line)
    return scenario.name, verdict, str(folder)


def _note_known_good(
    rows: list[tuple[str, Verdict | None, str]], scenarios: list[Scenario], options: Options, say: Say
) -> None:
    """What was rolled back to, or stood through the whole prerelease suite, goes into the known-good ledger."""
    held = [(name, Path(words)) for name, verdict, words in rows if verdict and verdict.verdict is Outcome.HELD]
    rolled_back = {scenario.name for scenario in scenarios if "upgrade" in faults_of(scenario.fault)}
    proofs = [(name, folder) for name, folder in held if name in rolled_back]
    if options.suite == "prerelease" and len(held) == len(scenarios):
        proofs = [("prerelease", folder) for name, folder in held if name in rolled_back] or [
            ("prerelease", held[-1][1])
        ]
    for name, folder in proofs[-1:]:
        if ledger.proven(options.out, folder, name):
            say(f"{ledger.NAME}: proven by {name}")


def _note_control(folder: Path, control: Verdict | None) -> None:
    """Where calm is not held, nothing else of the suite may be (design §6): the record says so, judging reads it."""
    if control is None or control.verdict is not Outcome.HELD:
        journal = Journal(folder / "journal.jsonl")
        journal.write("control.not_held", verdict=str(control.verdict) if control else "not run")
        journal.close()


def _month_of(rows: list[tuple[str, Verdict | None, str]]) -> str:
    """The month whose report these runs belong in: that of the first run."""
    folders = [Path(words) for _, verdict, words in rows if verdict is not None]
    return folders[0].parent.parent.name if folders else ""


def stand_by(arguments: argparse.Namespace, say: Say) -> Exit:
    """Raise a drill's stage and wait for Ctrl-C."""
    catalogue = Catalogue()
    (scenario,) = catalogue.named(arguments.names)
    options = options_of(arguments)
    check_stage([scenario], options)
    say(f"stage: {options.stage} ({options.stage_why})")
    standing_stage(scenario, catalogue.compose, catalogue.tiers, options, say)
    return Exit.HELD
