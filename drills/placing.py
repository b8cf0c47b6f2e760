"""What a command line asks for, checked, and the stage that each drill can have here."""

from __future__ import annotations

import argparse
from dataclasses import replace

from drills.catalogue import SCENARIOS
from drills.errors import BadInput, CannotRun
from drills.faults.table import FAULTS
from drills.options import Options
from drills.reference.defects import REGISTRY
from drills.scenario.models import Scenario
from drills.scenario.networks import named_network
from drills.scenario.problems import one_of
from drills.stage.choice import chosen
from drills.story import faults_of

OTHER_STAGE = {"processes": "containers", "containers": "processes"}


def options_of(arguments: argparse.Namespace) -> Options:
    """The options of a command line, checked; raises BadInput or CannotRun before anything starts."""
    unknown = [name for name in arguments.defect if name not in REGISTRY]
    if unknown:
        raise BadInput(f"--defect: found {', '.join(unknown)}, expected one of {one_of(REGISTRY, unknown[0])}")
    options = Options(
        target=arguments.target, tier=arguments.tier, pace=arguments.pace, seed=arguments.seed,
        defects=tuple(arguments.defect), out=(arguments.out or Options().out).absolute(),
        command=arguments.command_line, suite=getattr(arguments, "suite", None) or "",
        network=getattr(arguments, "network", None) or "",
    )  # fmt: skip
    options.check()
    if options.network:
        named_network(SCENARIOS, options.network, "--network")  # what is wrong with it is said before anything starts
    stage, why = chosen(arguments.stage or "", options.target)
    return replace(options, stage=stage, stage_why=why)


def lacking(scenario: Scenario, stage: str) -> list[str]:
    """What a drill asks for and a stage does not have; nothing where it can be rehearsed there."""
    faults = faults_of(scenario.fault)
    where = f"{scenario.path}: fault: found"
    found = [f"{where} {fault}, expected a fault that a stage of {stage} offers"
             for fault in faults if stage not in FAULTS[fault].stages]  # fmt: skip
    if scenario.only and scenario.only != stage:
        found.append(f"{scenario.path}: stage.only: found {scenario.only}, expected a drill that can stand on {stage}")
    return found + [f"{where} {fault}, expected a fault that can be made here: {why}"
                    for fault in faults if (why := FAULTS[fault].unable(stage))]  # fmt: skip


def check_stage(scenarios: list[Scenario], options: Options) -> None:
    """Raises BadInput where a drill asks for more than its stage offers, CannotRun where nobody asked for that one."""
    problems = [line for scenario in scenarios for line in lacking(scenario, options.stage)]
    if problems and options.stage_why != "asked for":
        raise CannotRun(f"{'; '.join(problems)} ({options.stage_why})")
    if problems:
        raise BadInput(*problems)


def placed(scenario: Scenario, options: Options) -> Options:
    """The options for a drill of a suite: on the suite's stage, or on the other where that alone has what it needs.

    Raises CannotRun or BadInput where the other stage cannot be had here, or does not have it either.
    """
    problems = lacking(scenario, options.stage)
    if not problems:
        return options
    other = OTHER_STAGE[options.stage]
    if lacking(scenario, other):
        raise CannotRun("; ".join(problems))
    stage, _ = chosen(other, options.target)
    return replace(options, stage=stage, stage_why=f"a stage of {options.stage} lacks what it needs")


def check_defects(scenarios: list[Scenario], options: Options) -> None:
    """Raises BadInput where a defect could not show: a candidate's, in a drill that upgrades nothing."""
    candidates = [name for name in options.defects if REGISTRY[name].release]
    idle = [scenario.name for scenario in scenarios if "upgrade" not in faults_of(scenario.fault)]
    if candidates and idle:
        raise BadInput(f"--defect: found {', '.join(candidates)}, which only a candidate has, expected a drill that "
                       f"upgrades to one: {', '.join(idle)} does not")  # fmt: skip
