"""Several drills one after another, and the table at the end."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from drills import ledger
from drills.apart import Done
from drills.catalogue import CONTROL, Catalogue
from drills.ending import Row, as_json, as_text
from drills.errors import BadInput, CannotRun, Exit, Interrupted, combined
from drills.findings.after import folded_in
from drills.findings.reading import FOLDER, read_findings
from drills.judging import judge_folder, note_control
from drills.load.planning import densest_visits_per_s
from drills.look_around import MAX_S, LookAround
from drills.options import Options
from drills.placing import check_defects, check_stage, options_of, placed
from drills.recovery import recover_all, words_of
from drills.report.month import write_month
from drills.report.terminal import verdict_lines
from drills.run import run_drill, run_folder
from drills.scenario.models import Scenario
from drills.side_by_side import SideBySide, longest_first
from drills.signals import Signals
from drills.stage.priority import may_be_raised_beside
from drills.standing import standing_stage
from drills.story import faults_of
from drills.verdict import Outcome
from drills.view.teller import Teller
from drills.wavry.errors import WireError

Say = Callable[[str], None]


def run_suite(arguments: argparse.Namespace, tell: Teller) -> Exit:
    """Run the drills that were named or that make up a suite; ends with a table and the report's path."""
    catalogue = Catalogue()
    if bool(arguments.names) == bool(arguments.suite):
        found = "both" if arguments.names else "neither"
        raise BadInput(f"command line: found {found} drill names and --suite, expected one of them")
    scenarios = catalogue.suite(arguments.suite) if arguments.suite else catalogue.named(arguments.names)
    options, say = options_of(arguments), tell
    look_around = _look_around(arguments, scenarios)
    read_findings(options.out / FOLDER)  # a ledger that cannot be read is bad input now, and not after an hour
    if not arguments.suite:
        check_stage(scenarios, options)
    check_defects(scenarios, options)
    say(f"stage: {options.stage} ({options.stage_why})")
    for row in recover_all(options.out):
        say(words_of(row))
    signals = Signals()
    passes = under_networks(scenarios, options)
    suites = [Suite(catalogue, asked, tell, {one.name: Row(one.name) for one in some}, look_around=look_around)
              for asked, some in passes]  # fmt: skip
    with signals.caught(), contextlib.suppress(Interrupted):
        for ran, (_, some) in zip(suites, passes, strict=True):
            ran.control = suites[0].control
            if not signals.interrupted:
                ran.run_attempts(ran.place(some), signals, at_once=arguments.side_by_side, most=arguments.attempts)
    named = [replace(row, name=f"{row.name} under {asked.network}" if asked.network else row.name)
             for ran, (asked, _) in zip(suites, passes, strict=True) for row in ran.rows.values()]  # fmt: skip
    rows = [row for row in named if row.words]
    _note_known_good(rows, scenarios, options, say)
    not_run = [row.name for row in named if not row.words]
    ledger_of_findings = folded_in(options.out, options.target, [row.words for row in rows if row.verdict], say)
    month = _month_of(rows)
    report = write_month(options.out, month) if month else None
    also = ledger_of_findings.codes(fail_overdue=arguments.fail_overdue)
    if signals.interrupted:  # whatever was not judged for that reason is no drill that could not be run
        also = [*also, Exit.INCONCLUSIVE]
        rows = [row if row.verdict else replace(row, code=Exit.INCONCLUSIVE) for row in rows]
    code = combined([*(row.code for row in rows), *also])
    tell.close()
    as_told = as_json if arguments.json else as_text
    print(as_told(rows, not_run, report, ledger_of_findings.overdue, code))
    return code


def _look_around(arguments: argparse.Namespace, scenarios: Sequence[Scenario]) -> LookAround | None:
    """What --hold asks for; raises BadInput for several drills, and where no key can be pressed."""
    if not arguments.hold:
        if arguments.hold_max_s:
            raise BadInput("--hold-max-s: found it without --hold, expected both")
        return None
    if arguments.attempts > 1:
        raise BadInput(
            "--hold: found it with --attempts, expected one of them: only the last stage could be left standing"
        )
    if len(scenarios) > 1:
        raise BadInput(f"--hold: found {len(scenarios)} drills, expected one: only its stage can be left standing")
    return LookAround(arguments.hold_max_s or MAX_S)


def under_networks(scenarios: Sequence[Scenario], options: Options) -> list[tuple[Options, list[Scenario]]]:
    """Which drills run under which condition: all under the one that was named, or each under those that it names."""
    if options.network:
        return [(options, [*scenarios])]
    conditions = dict.fromkeys(name for one in scenarios for name in one.networks)
    passes = [(options, [one for one in scenarios if not one.networks])]
    passes += [(replace(options, network=name), [one for one in scenarios if name in one.networks])
               for name in conditions]  # fmt: skip
    return [(asked, some) for asked, some in passes if some]


@dataclass
class Suite:
    """The drills of one command, the control run first."""

    catalogue: Catalogue
    options: Options
    tell: Teller
    rows: dict[str, Row]
    look_around: LookAround | None = None  # after the only drill
    control: str = ""  # what calm came to where it was not held, for the record of every other
    options_of: dict[str, Options] = field(default_factory=dict)  # of each drill that can be run
    attempt: int = 1

    def place(self, scenarios: Sequence[Scenario]) -> list[Scenario]:
        """Find each drill its stage; those that can have none here are rows of their own, and the others are run."""
        found = []
        for scenario in scenarios:
            try:
                self.options_of[scenario.name] = options = placed(scenario, self.options)
            except (BadInput, CannotRun) as error:
                self.tell(f"{scenario.name}: could not be run: {error}")
                self._note(Row(scenario.name, None, str(error)))
                continue
            if options.stage != self.options.stage:
                self.tell(f"{scenario.name}: on a stage of {options.stage} ({options.stage_why})")
            found.append(scenario)
        return found

    def run_attempts(self, scenarios: Sequence[Scenario], signals: Signals, *, at_once: int, most: int) -> None:
        """All of them, and again whatever came out inconclusive, so often at most; what broke or held stays so.

        Each attempt is a run with a record of its own. Where calm is broken no other can come to anything else.
        """
        left = [*scenarios]
        while left:
            self.run(left, signals, at_once=at_once)
            self.attempt += 1
            left = [one for one in left if self.rows[one.name].verdict is Outcome.INCONCLUSIVE]
            if signals.interrupted or self.attempt > most or self.control == Outcome.BROKEN:
                return
            if left:
                self.tell(f"attempt {self.attempt} of {most}: {', '.join(one.name for one in left)}")

    def run(self, scenarios: Sequence[Scenario], signals: Signals, *, at_once: int) -> None:
        """All of them; an interrupt keeps the rest from being begun. Raises Interrupted where seats were at work."""
        here = [one for one in scenarios if len(scenarios) == 1 or (at_once > 1 and one.name == CONTROL)]
        for scenario in here:
            options = self.options_of[scenario.name]
            self._note(_one(scenario, self.catalogue, options, self.tell, signals, self.control, self.look_around))
            if signals.interrupted:
                return
        rest = [one for one in scenarios if one not in here]
        if rest:
            heartbeat_s = self.options.heartbeat_s
            dense = {one.name: densest_visits_per_s(one, heartbeat_s) for one in rest}
            ordered = longest_first(rest, heartbeat_s) if at_once > 1 else rest
            SideBySide(
                self.options_of,
                dense,
                lambda: self.control,
                self.tell,
                self._done,
                at_once,
                may_give_way=all(may_be_raised_beside(one.stage) for one in self.options_of.values()),
                watch=self.tell.watch,
            ).run(ordered)

    def _note(self, row: Row) -> None:
        self.rows[row.name] = replace(row, attempt=self.attempt)
        if row.name == CONTROL:
            self.control = "" if row.verdict is Outcome.HELD else str(row.verdict or "not run")

    def _done(self, scenario: Scenario, done: Done) -> None:
        """A drill that ran in a process of its own: its lines together, and its row."""
        for line in done.lines:
            self.tell(line)
        if done.problem:
            self.tell(f"{scenario.name}: could not be run: {done.problem}")
        self._note(Row(scenario.name, done.verdict, done.problem or str(done.folder), done.code))


def _one(
    scenario: Scenario, catalogue: Catalogue, options: Options, say: Teller, signals: Signals, control: str,
    look_around: LookAround | None,
) -> Row:  # fmt: skip
    """Run and judge one drill; a drill that could not be run is a row too, and the others still run."""
    try:
        folder = run_folder(options.out, scenario.name)
        say.watch(folder)
        run_drill(scenario, catalogue.compose, catalogue.tiers, options, say, signals, folder=folder,
                  look_around=look_around)  # fmt: skip
    except (CannotRun, WireError, OSError) as error:
        say(f"{scenario.name}: could not be run: {error}")
        return Row(scenario.name, None, str(error))
    note_control(folder, control)
    say(f"{scenario.name}: judging")
    try:
        verdict = judge_folder(folder)
    except BadInput as error:  # stopped before there was anything to judge
        return Row(scenario.name, None, str(error))
    for line in verdict_lines(verdict):
        say(line)
    return Row(scenario.name, verdict.verdict, str(folder), verdict.exit_code)


def _note_known_good(rows: list[Row], scenarios: list[Scenario], options: Options, say: Say) -> None:
    """What was rolled back to, or stood through the whole prerelease suite, goes into the known-good ledger."""
    held = [(row.name, Path(row.words)) for row in rows if row.verdict is Outcome.HELD]
    rolled_back = {scenario.name for scenario in scenarios if "upgrade" in faults_of(scenario.fault)}
    proofs = [(name, folder) for name, folder in held if name in rolled_back]
    if options.suite == "prerelease" and len(held) == len(scenarios):
        proofs = [("prerelease", folder) for name, folder in held if name in rolled_back] or [
            ("prerelease", held[-1][1])
        ]
    for name, folder in proofs[-1:]:
        if ledger.proven(options.out, folder, name):
            say(f"{ledger.NAME}: proven by {name}")


def _month_of(rows: list[Row]) -> str:
    """The month whose report these runs belong in: that of the first run."""
    folders = [Path(row.words) for row in rows if row.verdict is not None]
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
