"""What ``drills findings`` takes; light, since every command line is parsed with it."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

SEVERITIES = ("critical", "major", "minor")  # as in drills/findings/finding.py, which must not be imported here


def add_findings_commands(
    findings: argparse.ArgumentParser, kind: type[argparse.ArgumentParser], folder: Callable[[str], Path]
) -> None:
    """What is under `findings`; alone it is `findings list`."""
    findings.add_argument("--json", action="store_true", help="as JSON")
    findings.add_argument("--out", type=folder, default=None, help="the reports folder")
    acts = findings.add_subparsers(dest="act", metavar="ACT", parser_class=kind)

    def act(name: str, does: str, *, lists: bool = False) -> argparse.ArgumentParser:
        one = acts.add_parser(name, help=does)
        one.add_argument("--out", type=folder, default=argparse.SUPPRESS, help="the reports folder")
        if lists:
            one.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="as JSON")
        if name not in ("list", "update"):
            one.add_argument("id", metavar="ID", help="or a part of it that no other has")
        return one

    one = act("list", "all of them, the overdue first", lists=True)
    one.add_argument("--overdue", action="store_true", help="only those; exit code 1 where there is one")
    act("show", "one of them with its history", lists=True)
    act("update", "fold every run on disk again, then list", lists=True)
    one = act("assign", "who fixes it until when")
    one.add_argument("--owner", metavar="NAME")
    one.add_argument("--due", metavar="YYYY-MM-DD")
    one.add_argument("--retest", metavar="YYYY-MM-DD", help="when it is to be looked at again")
    one.add_argument("--severity", choices=SEVERITIES)
    for name, does in (("close", "resolved, though no run has seen it hold"), ("reopen", "not resolved after all")):
        act(name, does).add_argument("--because", metavar="TEXT", required=True)
    one = act("note", "one more line for its timeline")
    one.add_argument("text", metavar="TEXT")
    one.add_argument("--at", metavar="MOMENT", help="such as 2026-11-24T14:03:00Z; now when left out")
    act("cause", "its root cause, as it is known").add_argument("text", metavar="TEXT")
