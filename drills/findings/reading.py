"""The files of the ledger: read strictly, all their problems at once, and written as a whole or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from drills.errors import BadInput, CannotRun
from drills.findings.finding import TEXT_MAX, Finding
from drills.findings.states import as_of
from drills.record import scrubbed
from drills.report.outside import one_line
from drills.scenario import strict_yaml
from drills.scenario.problems import Problems, shown
from drills.scenario.reading import read_part

FOLDER = "findings"
LOCK_S = 10.0  # folding a year of runs takes a tenth of it
HEAD = """\
# A finding of wavry-drills (reports/README.md). Yours to edit: severity, owner, due, retest, root_cause, timeline.
# The rest is written by `drills run` and `drills report`; comments of your own are not kept.
"""


def read_findings(folder: Path, today: date | None = None) -> tuple[Finding, ...]:
    """Every finding in a folder, by id; with ``today`` in the state that it has on that day, else as it was written.

    No folder, no findings. Raises BadInput with all problems of all files.
    """
    problems: list[str] = []
    found = []
    for path in sorted(folder.glob("*.yaml")):
        finding, wrong = _read(path)
        problems += wrong
        if finding:
            found.append(as_of(finding, today) if today else finding)
    if problems:
        raise BadInput(*problems)
    return tuple(found)


def _read(path: Path) -> tuple[Finding | None, list[str]]:
    try:
        data = strict_yaml.load(path)
    except BadInput as error:
        return None, [*error.problems]
    problems = Problems(path)
    if not isinstance(data, dict):
        return None, [f"{path}: found {shown(data)}, expected a mapping with the keys of a finding"]
    finding = read_part(problems, "", Finding, data)
    if finding and finding.id != path.stem:
        problems.add("id", finding.id, f"{path.stem}, as the file is called")
    return finding, problems.lines


def write_finding(folder: Path, finding: Finding) -> bool:
    """Write a finding's file where it says anything new; False where it does not."""
    path = folder / f"{finding.id}.yaml"
    content = HEAD + yaml.dump(finding.model_dump(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
    if path.is_file() and path.read_text(encoding="utf-8") == content:
        return False
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(content, encoding="utf-8")
    unfinished.rename(path)
    return True


class _Dumper(yaml.SafeDumper):
    """Without anchors and aliases, which the reader refuses."""

    def ignore_aliases(self, data: Any) -> bool:
        """Every value stands where it is meant."""
        return True


def plain(text: str) -> str:
    """A text from outside as a finding keeps it: printable, on one line, without secrets, not too long."""
    return scrubbed(one_line(text))[:TEXT_MAX]


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Nobody else writes the ledger meanwhile; raises CannotRun where somebody else does for too long."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("w")
    except OSError as error:
        raise CannotRun(f"{folder}: cannot be written: {error.strerror}") from None
    with lock:
        deadline = time.monotonic() + LOCK_S
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise CannotRun(f"{folder}: another command has been writing it for {LOCK_S:g} s") from None
                time.sleep(0.05)
        yield
