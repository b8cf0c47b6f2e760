"""The ``drills`` command. Nothing heavy is imported before it is needed.

Every way out is an exit code of design §6: no traceback reaches a user, and no unforeseen exception ever exits 1.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NoReturn

from drills.errors import BadInput, DrillError, Exit

PACES = ("real", "fast")
TARGETS = ("reference", "wavry")
STAGES = ("processes",)


class _Parser(argparse.ArgumentParser):
    """argparse says 2 for a mistake on the command line; here that is 4, bad input."""

    def error(self, message: str) -> NoReturn:
        raise BadInput(f"command line: {message}; see `{self.prog} --help`")


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = _Parser(prog="drills", description="Rehearse the failures of Wavry's control plane, and judge them.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    one = commands.add_parser("list", help="which drills there are")
    one.add_argument("--json", action="store_true", help="as JSON")
    one = commands.add_parser("check", help="parse scenarios, start nothing")
    one.add_argument("files", nargs="*", type=Path, metavar="FILE", help="all scenarios when left out")
    one.add_argument("--json", action="store_true", help="as JSON")
    one = commands.add_parser("run", help="run drills and judge them")
    one.add_argument("names", nargs="*", metavar="NAME")
    one.add_argument("--suite", choices=("monthly", "prerelease", "daily"))
    add_run_options(one)
    one = commands.add_parser("judge", help="judge a run again, from its record")
    one.add_argument("run", type=Path, metavar="RUN_DIR")
    one.add_argument("--json", action="store_true", help="as JSON")
    one = commands.add_parser("report", help="write a month's report again, from disk alone")
    one.add_argument("month", metavar="YYYY-MM")
    one.add_argument("--out", type=Path, default=None, help="the reports folder")
    one = commands.add_parser("recover", help="remove what killed runs have left")
    one.add_argument("--out", type=Path, default=None, help="the reports folder")
    one.add_argument("--json", action="store_true", help="as JSON")
    one = commands.add_parser("doctor", help="what this machine has and what is missing")
    one.add_argument("--json", action="store_true", help="as JSON")
    one = commands.add_parser("stand", help="raise a drill's stage and leave it standing until Ctrl-C")
    one.add_argument("names", nargs=1, metavar="NAME")
    add_run_options(one)
    return top


def add_run_options(one: argparse.ArgumentParser) -> None:
    """What `run` and `stand` take (design §6)."""
    one.add_argument("--target", choices=TARGETS, default="reference")
    one.add_argument("--stage", choices=STAGES, default="processes")
    one.add_argument("--tier", choices=("dev", "stage", "prod"), default="stage")
    one.add_argument("--pace", choices=PACES, default="real")
    one.add_argument("--seed", type=int, default=1)
    one.add_argument("--defect", action="append", default=[], metavar="NAME", help="switch on a defect of the reference")
    one.add_argument("--out", type=Path, default=None, help="the reports folder")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    try:
        return int(_run(parser().parse_args(words), words))
    except DrillError as error:
        for line in str(error).splitlines():
            print(f"drills: {line}", file=sys.stderr)
        return int(error.exit_code)
    except KeyboardInterrupt:
        print("drills: interrupted", file=sys.stderr)
        return int(Exit.INCONCLUSIVE)
    except BrokenPipeError:  # `drills list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(Exit.CANNOT_RUN)
    except Exception as error:  # noqa: BLE001 - the last line of defence: an error of ours is a 3, never a verdict
        print(f"drills: an error of our own: {type(error).__name__}: {error}", file=sys.stderr)
        print(f"drills: the details are in {_written_down(error)}; please report them", file=sys.stderr)
        return int(Exit.CANNOT_RUN)


def _written_down(error: Exception) -> str:
    """Keep the traceback for us in a file, out of the user's sight."""
    import traceback

    with tempfile.NamedTemporaryFile("w", prefix="drills-error-", suffix=".txt", delete=False) as details:
        details.write("".join(traceback.format_exception(error)))
    return details.name


def _run(options: argparse.Namespace, words: list[str]) -> int:
    from drills import commands

    began = time.monotonic()
    options.command_line = shlex.join(["drills", *words])
    command: Any = getattr(commands, options.command)
    code = command(options)
    if options.command == "run":
        print(f"took {time.monotonic() - began:.0f} s, exit code {int(code)}", flush=True)
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
