"""Which stage a run gets: what was asked for, or containers where an engine can do it, or processes (design §3)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from drills.errors import BadInput, CannotRun, DrillError
from drills.options import Options
from drills.signals import Signals
from drills.stage import addresses
from drills.stage.base import Stage
from drills.stage.compose import Compose
from drills.stage.processes import ProcessStage, Target, toxiproxy_program

Say = Callable[[str], None]


def chosen(asked: str, target: str) -> tuple[str, str]:
    """The stage, and why this one, in words for the terminal and the record.

    Raises BadInput or CannotRun where what was asked for cannot be had on this machine.
    """
    from drills.stage import programs

    if asked == "containers":
        programs.check(target)
        return asked, "asked for"
    if asked == "processes":
        _check_processes(target)
        return asked, "asked for"
    problem = programs.problem(target)
    if not problem:
        return "containers", "an engine answers"
    try:
        _check_processes(target)
    except DrillError as error:
        words = f"{error} (for processes; no containers: {problem})"
        raise (CannotRun if _images_named(target) else type(error))(words) from error
    return "processes", f"no containers: {problem}"


def _images_named(target: str) -> bool:
    """Whether containers would have known what to run: then the input is right, and the machine is not."""
    from drills.stage import programs

    try:
        programs.wanted(target)
    except BadInput:
        return False
    return True


def _check_processes(target: str) -> None:
    Target.named(target)
    toxiproxy_program()


@contextlib.contextmanager
def stage_of(
    options: Options, compose: Compose, services: tuple[str, ...], folder: Path, signals: Signals, say: Say, *,
    upgrades: bool = False,
) -> Iterator[Stage]:  # fmt: skip
    """A stage of these services that is not raised yet, on addresses that are nobody else's while this lasts.

    ``upgrades``: whether a candidate must be at hand, too.
    """
    if options.stage == "processes":
        with addresses.claimed() as block:
            yield ProcessStage(compose, services, Target.named(options.target), folder, block, divisor=options.divisor,
                               defects=options.defects)  # fmt: skip
        return
    from drills.stage import containers, networks, programs

    found = programs.ensured(options.target, say)
    candidate = programs.candidate_ensured(options.target, say) if upgrades else None
    with addresses.claimed_network(networks.in_use()) as block:
        yield containers.ContainerStage(compose, services, found, folder, block, signals, divisor=options.divisor,
                                        defects=options.defects, candidate=candidate)  # fmt: skip
