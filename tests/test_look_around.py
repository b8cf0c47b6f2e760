"""The stage left standing: a key, a signal or the time ends it, and the terminal is as it was."""

from __future__ import annotations

import io
import json
import os
import pty
import termios
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import pytest

from drills.errors import BadInput, CannotRun, Interrupted
from drills.look_around import LookAround
from drills.record import Journal, Record, read_events
from drills.report.series import Axis
from drills.signals import Signals
from tests.report.made_record import MadeRecord
from tests.test_signals import press


class Standing:
    """A stage with one service."""

    def __init__(self, problem: str = "") -> None:
        self.services = {"gateway": SimpleNamespace(running="pid 7")}
        self.problem = problem

    def http(self, name: str) -> str:
        """Where it is."""
        return f"http://127.20.1.220:3000/{name}"

    def check_alive(self) -> None:
        """Raises CannotRun where the ground is gone."""
        if self.problem:
            raise CannotRun(self.problem)


class Desk:
    """A terminal with somebody before it."""

    def __init__(self, ours: int, keys: IO[str], folder: Path) -> None:
        self.ours, self.keys, self.folder = ours, keys, folder
        self.said: list[str] = []
        self.signals = Signals()

    def look_around(self, stage: Any, max_s: float = 30.0) -> None:
        """Wait as a run does: with signals held."""
        journal = Journal(self.folder / "journal.jsonl")
        with self.signals.caught(), self.signals.held():
            LookAround(max_s, self.keys)(stage, self.folder, journal, self.signals, self.say)
        journal.close()

    def say(self, text: str) -> None:
        """Where to look is said first, then something happens."""
        self.said.append(text)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """One with nobody at it yet."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "r") as keys:
        yield Desk(ours, keys, tmp_path)
    os.close(ours)


def test_a_key_ends_it_and_the_terminal_is_as_it_was(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where to look is said, with the log."""
    before = termios.tcgetattr(desk.keys)
    monkeypatch.setattr("drills.look_around.select.select", lambda *_: os.write(desk.ours, b"q") and (["key"], [], []))
    desk.look_around(Standing())
    assert desk.said[0] == (f"gateway    http://127.20.1.220:3000/gateway  pid 7  log {desk.folder}/logs/gateway.log")
    assert "press a key to lower it; in 30 s it is lowered by itself" in desk.said[1]
    assert termios.tcgetattr(desk.keys) == before
    assert [event.name for event in read_events(desk.folder / "journal.jsonl")] == ["stage.held"]


def test_a_signal_ends_it_and_takes_nothing_away(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run is over: it is not interrupted. The next signal is one again."""
    monkeypatch.setattr("drills.look_around.select.select", lambda *_: press() or ([], [], []))
    desk.look_around(Standing())
    assert desk.signals.interrupted == ""
    with desk.signals.caught(), pytest.raises(Interrupted):
        press()


def test_it_ends_by_itself(desk: Desk) -> None:
    """A stage that nobody looks at does not stand for ever."""
    desk.look_around(Standing(), max_s=0.0)
    assert len(desk.said) == 2


def test_a_stage_that_is_gone_is_held_no_longer(desk: Desk) -> None:
    """That is said, and is no error of the run."""
    desk.look_around(Standing("the engine is gone"))
    assert desk.said[-1] == "the stage is held no longer: the engine is gone"


def test_without_a_terminal_there_is_no_key() -> None:
    """Bad input, before anything starts."""
    with pytest.raises(BadInput, match="--hold: found no terminal on stdin"):
        LookAround(1.0, io.StringIO())


def test_the_pictures_end_where_the_hold_begins(tmp_path: Path) -> None:
    """A quarter of an hour of nothing is no part of a run."""
    made = MadeRecord(tmp_path)
    for at_s, name in ((0, "run.started"), (9, "generator.finished"), (10, "stage.held"), (50, "run.ended")):
        made.event(at_s, name)
    record: Record = made.record()
    assert json.loads(made.lines[-1])["event"] == "run.ended"
    assert Axis.of(record.events).seconds == 10
