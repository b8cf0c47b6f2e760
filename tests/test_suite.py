"""Which stage the drills of a command get, and that a drill never runs on one that lacks what it needs."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from drills import __main__, placing, suite
from drills.catalogue import SCENARIOS, Catalogue
from drills.errors import BadInput, CannotRun, Exit, Interrupted
from drills.options import Options
from drills.placing import check_stage, options_of
from drills.scenario.models import Scenario
from drills.scenario.parse import load_scenario
from drills.signals import Signals
from drills.weighing import Outcome
from tests.fakes import FakeTeller

FALLEN_BACK = "no containers: no engine answers"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The shipped scenarios, and one in which relay_a crashes inside a drain."""
    for path in SCENARIOS.glob("*.yaml"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    text = (SCENARIOS / "relay_drain.yaml").read_text(encoding="utf-8")
    text = text.replace("name: relay_drain", "name: crashing").replace("{inject: restart,", "{inject: crash,")
    (tmp_path / "crashing.yaml").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def crashing(folder: Path) -> Scenario:
    """A drill that only containers can rehearse."""
    catalogue = Catalogue()
    return load_scenario(folder / "crashing.yaml", catalogue.compose, catalogue.tiers)


@pytest.fixture
def harmless() -> Scenario:
    """A drill that any stage can rehearse."""
    (drill,) = Catalogue().named(["relay_drain"])
    return drill


def test_a_fault_that_the_stage_does_not_offer_is_bad_input(crashing: Scenario, harmless: Scenario) -> None:
    """Where processes were asked for: the drill and the fault are named, the other drills are not."""
    with pytest.raises(BadInput) as refused:
        check_stage([harmless, crashing], Options(stage="processes", stage_why="asked for"))
    (line,) = refused.value.problems
    assert line.startswith(f"{crashing.path}: fault: found crash, expected a fault that a stage of processes offers")


def test_a_fault_that_the_fallback_does_not_offer_is_a_drill_that_cannot_run(crashing: Scenario) -> None:
    """Nobody asked for processes: it is the machine that lacks something, and the words say what."""
    with pytest.raises(CannotRun, match=f"found crash, .*{FALLEN_BACK}") as refused:
        check_stage([crashing], Options(stage="processes", stage_why=FALLEN_BACK))
    assert not isinstance(refused.value, BadInput)


@pytest.mark.parametrize("why", ["asked for", "an engine answers"])
def test_containers_offer_every_fault(crashing: Scenario, harmless: Scenario, why: str) -> None:
    """However they were come by."""
    check_stage([harmless, crashing], Options(stage="containers", stage_why=why))


def test_a_drill_for_one_stage_is_refused_on_the_other() -> None:
    """Bad input where that was asked for, and a drill that cannot run where nobody asked."""
    (drill,) = Catalogue().named(["unreachable_40s"])
    check_stage([drill], Options(stage="processes", stage_why="asked for"))
    with pytest.raises(BadInput, match=r"stage\.only: found processes, expected a drill that can stand on containers"):
        check_stage([drill], Options(stage="containers", stage_why="asked for"))
    with pytest.raises(CannotRun, match=r"stage\.only: found processes"):
        check_stage([drill], Options(stage="containers", stage_why="an engine answers"))


@pytest.mark.parametrize(("stage", "name", "other"), [("containers", "unreachable_40s", "processes"),
                                                       ("processes", "gateway_crash", "containers")])  # fmt: skip
def test_a_drill_of_a_suite_is_run_on_the_stage_that_has_what_it_needs(
    monkeypatch: pytest.MonkeyPatch, stage: str, name: str, other: str
) -> None:
    """Its suite is one for both stages; the others stay where they were to be."""
    monkeypatch.setattr(placing, "chosen", Asked(other, "asked for").chosen)
    (drill, calm) = Catalogue().named([name, "calm"])
    ran = suite.Suite(Catalogue(), Options(stage=stage, stage_why="asked for"), FakeTeller(), {})
    assert ran.place([calm, drill]) == [calm, drill]
    assert (ran.options_of["calm"].stage, ran.options_of[name].stage) == (stage, other)


def test_a_drill_whose_stage_cannot_be_had_is_a_row_and_keeps_no_other_from_being_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where no engine answers, the row says so, and the suite's exit code is that of a drill that could not be run."""

    def refused(asked: str, target: str) -> tuple[str, str]:
        raise CannotRun(f"no engine for {asked}")

    monkeypatch.setattr(placing, "chosen", refused)
    (drill, calm) = Catalogue().named(["gateway_crash", "calm"])
    ran = suite.Suite(Catalogue(), Options(stage="processes", stage_why="asked for"), FakeTeller(), {})
    assert ran.place([calm, drill]) == [calm]
    row = ran.rows["gateway_crash"]
    assert (row.verdict, row.words, row.code) == (None, "no engine for containers", Exit.CANNOT_RUN)


@pytest.mark.parametrize("why", ["asked for", FALLEN_BACK])
def test_a_drill_that_needs_no_containers_runs_without(harmless: Scenario, why: str) -> None:
    """Also where nobody asked for processes."""
    check_stage([harmless], Options(stage="processes", stage_why=why))


class Asked:
    """What a command asked the choice of a stage for, and what it was given."""

    def __init__(self, stage: str, why: str) -> None:
        self.given = (stage, why)
        self.asked: list[tuple[str, str]] = []

    def chosen(self, asked: str, target: str) -> tuple[str, str]:
        """In place of ``choice.chosen``."""
        self.asked.append((asked, target))
        return self.given


def command(stage: str | None) -> argparse.Namespace:
    """The options of `drills run`, with this --stage."""
    return argparse.Namespace(target="reference", stage=stage, tier="stage", pace="real", seed=1, defect=[], out=None,
                              command_line="drills run", fail_overdue=False, json=False, hold=False,
                              hold_max_s=None, attempts=1)  # fmt: skip


@pytest.mark.parametrize(("said", "asked"), [(None, ""), ("containers", "containers"), ("processes", "processes")])
def test_the_stage_and_why_it_was_chosen_are_options_of_the_run(
    monkeypatch: pytest.MonkeyPatch, said: str | None, asked: str
) -> None:
    """From there both come into the record."""
    choice = Asked("processes", FALLEN_BACK)
    monkeypatch.setattr(placing, "chosen", choice.chosen)
    options = options_of(command(said))
    assert choice.asked == [(asked, "reference")]
    assert (options.stage, options.stage_why) == choice.given
    assert replace(options, stage_why="") == replace(Options(), command="drills run", stage="processes")


@pytest.mark.parametrize(
    ("stage", "why", "code"),
    [("processes", "asked for", Exit.BAD_INPUT), ("processes", FALLEN_BACK, Exit.CANNOT_RUN)],
)
@pytest.mark.parametrize("verb", ["run", "stand"])
def test_nothing_starts_for_a_drill_that_the_stage_cannot_rehearse(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path, verb: str, stage: str, why: str,
    code: Exit,
) -> None:  # fmt: skip
    """Exit code 4 or 3, before the first drill of a suite has been run."""

    def refuse(*_: Any) -> Any:
        raise AssertionError("a drill was about to be started")

    for name in ("run_drill", "standing_stage", "recover_all"):
        monkeypatch.setattr(suite, name, refuse)
    monkeypatch.setattr(placing, "chosen", Asked(stage, why).chosen)
    monkeypatch.setattr(suite, "Catalogue", partial(Catalogue, folder=folder))
    names = ["calm", "crashing"] if verb == "run" else ["crashing"]
    assert __main__.main([verb, *names]) == code
    assert "found crash, expected a fault that a stage of processes offers" in capsys.readouterr().err


class Enough(Exception):
    """The first drill was about to be started."""


def test_the_stage_is_said_in_one_line_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """With the reason, so that nobody takes a fallback for the stage that drills are meant for."""

    def enough(*_: Any, **__: Any) -> Any:
        raise Enough

    monkeypatch.setattr(placing, "chosen", Asked("processes", FALLEN_BACK).chosen)
    monkeypatch.setattr(suite, "run_drill", enough)
    tell = FakeTeller()
    arguments = command(None)
    arguments.names, arguments.suite, arguments.out, arguments.side_by_side = ["calm"], None, tmp_path, 1
    with pytest.raises(Enough):
        suite.run_suite(arguments, tell)
    assert tell.said == [f"stage: processes ({FALLEN_BACK})"]


def suite_that(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *rows: suite.Row, interrupted: bool) -> Exit:
    """A suite of two drills in which these came to this, without running any."""

    def ran(self: suite.Suite, scenarios: Any, signals: Any, *, at_once: int) -> None:
        for row in rows:
            self._note(row)
        if interrupted:
            signals.interrupted = "SIGINT"
            raise Interrupted("SIGINT")

    monkeypatch.setattr(placing, "chosen", Asked("processes", "asked for").chosen)
    monkeypatch.setattr(suite, "write_month", lambda out, month: out / month)
    monkeypatch.setattr(suite.Suite, "run", ran)
    arguments = command("processes")
    arguments.names, arguments.suite, arguments.out, arguments.side_by_side = ["calm", "relay_drain"], None, tmp_path, 2
    return suite.run_suite(arguments, FakeTeller())


HELD = suite.Row("calm", Outcome.HELD, "reports/2026-11/calm/a", Exit.HELD)
BROKEN = suite.Row("relay_drain", Outcome.BROKEN, "reports/2026-11/relay_drain/a", Exit.BROKEN)
NOT_RUN = suite.Row("relay_drain", None, "it would not")


@pytest.mark.parametrize(
    ("rows", "interrupted", "code"),
    [
        ([HELD, BROKEN], False, Exit.BROKEN),
        ([HELD, NOT_RUN], False, Exit.CANNOT_RUN),
        ([HELD], True, Exit.INCONCLUSIVE),  # what held so far is not the whole suite
        ([HELD, NOT_RUN], True, Exit.INCONCLUSIVE),
        ([HELD, BROKEN], True, Exit.BROKEN),
        ([], True, Exit.INCONCLUSIVE),
    ],
)
def test_the_exit_code_of_a_suite_and_of_an_interrupted_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, rows: list[suite.Row], interrupted: bool, code: Exit
) -> None:
    """Design §6; an interrupted suite never held, and a drill that it kept from being judged is no failure to run."""
    assert suite_that(monkeypatch, tmp_path, *rows, interrupted=interrupted) is code


@pytest.mark.parametrize(("names", "at_once", "here", "apart"), [
    (["calm", "relay_drain"], 1, [], ["calm", "relay_drain"]),
    (["calm", "relay_drain"], 2, ["calm"], ["relay_drain"]),
    (["relay_drain", "relay_loss"], 1, [], ["relay_drain", "relay_loss"]),
    (["relay_drain"], 1, ["relay_drain"], []),
])  # fmt: skip
def test_calm_runs_first_and_alone_and_what_it_came_to_binds_the_others(
    monkeypatch: pytest.MonkeyPatch, names: list[str], at_once: int, here: list[str], apart: list[str]
) -> None:
    """Also those that run two at once."""
    ran: list[tuple[str, str]] = []
    elsewhere: list[tuple[str, str]] = []

    def one(scenario: Scenario, *rest: Any) -> suite.Row:
        ran.append((scenario.name, rest[4]))
        return suite.Row(scenario.name, Outcome.INCONCLUSIVE, "folder", Exit.INCONCLUSIVE)

    class Elsewhere:
        def __init__(self, options: Any, visits_per_s: Any, control: Callable[[], str], *_: Any, **__: Any) -> None:
            self.control = control

        def run(self, scenarios: list[Scenario]) -> None:
            elsewhere.extend((drill.name, self.control()) for drill in scenarios)

    monkeypatch.setattr(suite, "_one", one)
    monkeypatch.setattr(suite, "SideBySide", Elsewhere)
    scenarios = Catalogue().named(names)
    made = suite.Suite(Catalogue(), Options(), FakeTeller(), {})
    made.run(made.place(scenarios), Signals(), at_once=at_once)
    control = "inconclusive" if "calm" in here else ""
    assert ran == [(name, "" if name == "calm" else control) for name in here]
    assert elsewhere == [(name, control) for name in apart]


def attempted(monkeypatch: pytest.MonkeyPatch, most: int, **outcomes: list[Outcome]) -> tuple[suite.Suite, list[str]]:
    """A suite whose drills come to these outcomes, one after another; and which were run, in order."""
    ran: list[str] = []

    def run(self: suite.Suite, scenarios: list[Scenario], signals: Signals, *, at_once: int) -> None:
        for drill in scenarios:
            ran.append(drill.name)
            self._note(suite.Row(drill.name, outcomes[drill.name].pop(0), "folder", Exit.INCONCLUSIVE))

    monkeypatch.setattr(suite.Suite, "run", run)
    made = suite.Suite(Catalogue(), Options(), FakeTeller(), {})
    made.run_attempts(Catalogue().named([*outcomes]), Signals(), at_once=1, most=most)
    return made, ran


def test_only_what_was_inconclusive_is_attempted_again_and_the_last_attempt_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What held or broke is known; a broken run is never given a second chance."""
    held, broken, unknown = Outcome.HELD, Outcome.BROKEN, Outcome.INCONCLUSIVE
    made, ran = attempted(
        monkeypatch, 3, calm=[unknown, held], relay_drain=[broken], relay_loss=[unknown, unknown, broken]
    )
    assert ran == ["calm", "relay_drain", "relay_loss", "calm", "relay_loss", "relay_loss"]
    assert {name: (row.verdict, row.attempt) for name, row in made.rows.items()} == {
        "calm": (held, 2), "relay_drain": (broken, 1), "relay_loss": (broken, 3)}  # fmt: skip
    assert made.control == ""  # calm's second attempt binds nobody
    assert made.tell.said == ["attempt 2 of 3: calm, relay_loss", "attempt 3 of 3: relay_loss"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(("most", "calm", "ran"), [
    (1, [Outcome.INCONCLUSIVE], 1),
    (2, [Outcome.INCONCLUSIVE, Outcome.INCONCLUSIVE], 2),
    (9, [Outcome.BROKEN], 1),
])  # fmt: skip
def test_attempts_end(monkeypatch: pytest.MonkeyPatch, most: int, calm: list[Outcome], ran: int) -> None:
    """With the last one; and at once where calm is broken, because then no other can come to anything."""
    drills = {"calm": calm, "relay_drain": [Outcome.INCONCLUSIVE] * most}
    _, names = attempted(monkeypatch, most, **drills)
    assert names == ["calm", "relay_drain"] * ran
