"""Several drills one after another, and the table at the end."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from drills.catalogue import CONTROL, Catalogue
from drills.errors import BadInput, CannotRun, Exit, combined
from drills.judging import judge_folder
from drills.options import Options
from drills.recovery import recover_all
from drills.reference.defects import REGISTRY
from drills.report.month import write_month
from drills.report.terminal import table_of, verdict_lines
from drills.run import run_drill
from drills.scenario.models import Scenario
from drills.signals import Signals
from drills.stage.processes import Target, toxiproxy_program
from drills.standing import standing_stage
from drills.verdict import Outcome, Verdict
from drills.wavry.errors import WireError

Say = Callable[[str], None]


def options_of(arguments: argparse.Namespace) -> Options:
    """The options of a command line, checked; raises BadInput or CannotRun before anything starts."""
    unknown = [name for name in arguments.defect if name not in REGISTRY]
    if unknown:
        raise BadInput(f"--defect: found {', '.join(unknown)}, expected one of {', '.join(REGISTRY)}")
    options = Options(
        target=arguments.target, stage=arguments.stage, tier=arguments.tier, pace=arguments.pace, seed=arguments.seed,
        defects=tuple(arguments.defect), out=(arguments.out or Options().out).absolute(),
        command=arguments.command_line, suite=getattr(arguments, "suite", None) or "",
    )  # fmt: skip
    options.check()
    Target.named(options.target)
    toxiproxy_program()
    return options


def run_suite(arguments: argparse.Namespace, say: Say) -> Exit:
    """Run the drills that were named or that make up a suite; ends with a table and the report's path."""
    catalogue = Catalogue()
    if bool(arguments.names) == bool(arguments.suite):
        found = "both" if arguments.names else "neither"
        raise BadInput(f"command line: found {found} drill names and --suite, expected one of them")
    scenarios = catalogue.suite(arguments.suite) if arguments.suite else catalogue.named(arguments.names)
    options = options_of(arguments)
    for row in recover_all(options.out):
        say(f"recovered {row['run']}: a run was killed and had left {row['processes']} processes")
    rows: list[tuple[str, Verdict | None, str]] = []
    signals = Signals()
    with signals.caught():
        for scenario in scenarios:
            rows.append(_one(scenario, catalogue, options, say, signals, rows))
            if signals.interrupted:
                break
    not_run = [scenario.name for scenario in scenarios[len(rows) :]]
    month = _month_of(rows)
    report = write_month(options.out, month) if month else None
    print()
    print("\n".join(table_of([(name, verdict, words) for name, verdict, words in rows], not_run)))
    if report:
        print(f"report: {report}")
    return combined([verdict.exit_code if verdict else Exit.CANNOT_RUN for _, verdict, _ in rows])


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
    say(f"{scenario.name}: judging")
    verdict = judge_folder(folder)
    control = next((verdict for name, verdict, _ in before if name == CONTROL), None)
    calm_failed = bool(before) and before[0][0] == CONTROL and (control is None or control.verdict is not Outcome.HELD)
    if calm_failed and verdict.verdict is Outcome.HELD:
        verdict = _not_after_calm(folder, verdict)
    for line in verdict_lines(verdict):
        say(line)
    return scenario.name, verdict, str(folder)


def _not_after_calm(folder: Path, verdict: Verdict) -> Verdict:
    """Where calm is not held, no other drill of the suite may be (design §6)."""
    from dataclasses import replace

    from drills.verdict import write_verdict

    words = "calm, the control run of this suite, was not held: nothing that held means anything"
    judgements = tuple(
        replace(one, verdict=Outcome.INCONCLUSIVE, reason=words) if one.verdict is Outcome.HELD else one
        for one in verdict.judgements
    )
    changed = replace(verdict, verdict=Outcome.INCONCLUSIVE, judgements=judgements, doubts=(words, *verdict.doubts))
    write_verdict(folder, changed)
    return changed


def _month_of(rows: list[tuple[str, Verdict | None, str]]) -> str:
    """The month whose report these runs belong in: that of the first run."""
    folders = [Path(words) for _, verdict, words in rows if verdict is not None]
    return folders[0].parent.parent.name if folders else ""


def stand_by(arguments: argparse.Namespace, say: Say) -> Exit:
    """Raise a drill's stage and wait for Ctrl-C."""
    (scenario,) = Catalogue().named(arguments.names)
    options = options_of(arguments)
    catalogue = Catalogue()
    standing_stage(scenario, catalogue.compose, catalogue.tiers, options, say)
    return Exit.HELD
