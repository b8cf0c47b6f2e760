"""How a command tells what it does: lines, nothing, JSON aside, or a view that gives the terminal back."""

from __future__ import annotations

import io
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from drills.stage.children import REPOSITORY
from drills.view.teller import SHOW_CURSOR, Quiet, Teller, ViewTeller, may_be_drawn, teller_for

HIDE_CURSOR = "\x1b[?25l"
WAIT_S = 30.0


class Terminal(io.StringIO):
    """A stream that is one."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("term", "ci", "stream", "drawn"),
    [("xterm", "", Terminal(), True), ("dumb", "", Terminal(), False), ("", "", Terminal(), False),
     ("xterm", "true", Terminal(), False), ("xterm", "", io.StringIO(), False)],
)  # fmt: skip
def test_only_a_terminal_that_somebody_looks_at_is_drawn_on(
    monkeypatch: pytest.MonkeyPatch, term: str, ci: str, stream: io.StringIO, drawn: bool
) -> None:
    """A pipe, a dumb terminal and a CI job get lines."""
    monkeypatch.setenv("TERM", term)
    monkeypatch.setenv("CI", ci)
    assert may_be_drawn(stream) == drawn


def test_the_options_choose(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON has stdout for itself, quiet says nothing, plain draws nothing."""
    monkeypatch.setattr("drills.view.teller.may_be_drawn", lambda stream: True)
    assert isinstance(teller_for(), ViewTeller)
    assert type(teller_for(plain=True)) is Teller
    teller_for(json_wanted=True)("calm: judging")
    teller_for(quiet=True, json_wanted=True)("calm: judging")
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.endswith(" calm: judging\n") and printed.err.count("calm") == 1
    assert isinstance(teller_for(quiet=True), Quiet)


def test_a_line_cannot_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    """A reason may quote a log; its indentation stays."""
    Teller()("  log: \x1b[2J\nand more")
    assert capsys.readouterr().out[8:] == "   log:  [2J and more\n"


def pretended(code: str) -> subprocess.Popen[str]:
    """A view that does this."""
    return subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, text=True)


def test_a_view_that_has_died_leaves_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is lost with it but the drawing, and the cursor is shown."""
    view = pretended("import sys; sys.exit(3)")
    view.wait(WAIT_S)
    with ViewTeller(lambda: view) as tell:
        tell("one")
        tell.watch(Path("/nowhere"))
        tell("two")
    printed = capsys.readouterr().out
    assert " one\n" in printed and " two\n" in printed and SHOW_CURSOR in printed


def test_a_view_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The command does not wait for it for long."""
    monkeypatch.setattr("drills.view.teller.CLOSE_S", 0.0)
    view = pretended("import signal; signal.pause()")
    with ViewTeller(lambda: view):
        pass
    assert view.returncode == -signal.SIGKILL and SHOW_CURSOR in capsys.readouterr().out


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """A pseudo-terminal: what is read of it, and what a program has for one."""
    ours, theirs = pty.openpty()
    yield ours, theirs
    os.close(ours)
    os.close(theirs)


def read_until(ours: int, wanted: str) -> str:
    """What a program has drawn, until this is in it."""
    drawn, deadline = "", time.monotonic() + WAIT_S
    while wanted not in drawn:
        assert time.monotonic() < deadline, drawn
        if select.select([ours], [], [], 0.1)[0]:
            drawn += os.read(ours, 65536).decode(errors="replace")
    return drawn


@pytest.mark.slow
@pytest.mark.parametrize("how", ["runner_gone", "terminated"])
def test_the_view_gives_the_terminal_back(terminal: tuple[int, int], tmp_path: Path, how: str) -> None:
    """Whether its runner is gone, even by SIGKILL, or it is asked to end itself."""
    ours, theirs = terminal
    run = {"at": "", "ns": 1, "event": "run.started", "drill": "calm", "planned_s": {"calm": 9.0}}
    (tmp_path / "journal.jsonl").write_text(json.dumps(run) + "\n")
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "24"}
    view = subprocess.Popen([sys.executable, "-m", "drills.view"], stdin=subprocess.PIPE, stdout=theirs, stderr=theirs,
                            text=True, cwd=REPOSITORY, env=environment, start_new_session=True)  # fmt: skip
    assert view.stdin
    try:
        view.stdin.write(json.dumps({"say": "14:00:00 calm: \x1b[2J begins"}) + "\n")
        view.stdin.write(json.dumps({"watch": str(tmp_path)}) + "\n")
        view.stdin.flush()
        drawn = read_until(ours, "to come, 9 s")
        assert HIDE_CURSOR in drawn and "14:00:00 calm:  [2J begins" in drawn
        if how == "terminated":
            view.terminate()
        view.stdin.close()
        assert SHOW_CURSOR in read_until(ours, SHOW_CURSOR)
        assert view.wait(WAIT_S) == 0
    finally:
        view.kill()
        view.wait()
