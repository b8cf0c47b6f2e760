"""Programs that make images end, say why when they fail, and leave nothing behind."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from drills.errors import CannotRun
from drills.stage.children import process_state
from drills.stage.images import bounded


def test_a_program_that_fails_is_quoted(tmp_path: Path) -> None:
    """Its last lines and where the others are."""
    log = tmp_path / "it.log"
    script = "for n in 1 2 3 4 5 6 7; do echo line $n; done; exit 9"
    with pytest.raises(CannotRun, match=r"sh ended with 9 \(whole log: .*it\.log\)\n    line 3\n(.*\n)+    line 7$"):
        bounded.run(["sh", "-c", script], log, 10)


def test_a_program_that_takes_too_long_is_killed_with_its_children(tmp_path: Path) -> None:
    """Both are killed when the error is raised; the kernel buries the child, who is not ours, a moment later."""
    script = f"sleep 60 & echo $! > {tmp_path}/child; echo $$ > {tmp_path}/parent; wait"
    with pytest.raises(CannotRun, match=r"sh did not end within 1 s"):
        bounded.run(["sh", "-c", script], tmp_path / "log", 1)
    assert process_state(int((tmp_path / "parent").read_text())) == ""
    child, deadline = int((tmp_path / "child").read_text()), time.monotonic() + 5
    while process_state(child) not in ("", "Z"):
        assert time.monotonic() < deadline


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    """One family of errors."""
    with pytest.raises(CannotRun, match="/nowhere/at/all cannot be run: No such file"):
        bounded.run(["/nowhere/at/all"], tmp_path / "log", 1)


def test_a_program_gets_the_environment_it_is_given_and_no_input(tmp_path: Path) -> None:
    """On top of ours."""
    words = ["sh", "-c", "echo $GIVEN $(wc -c) $HOME"]
    bounded.run(words, tmp_path / "log", 10, environment={"GIVEN": "this"})
    assert (tmp_path / "log").read_text().split() == ["this", "0", os.environ["HOME"]]
