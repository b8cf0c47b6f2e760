"""The ``drills`` command. Nothing heavy is imported before it is needed.

Every way out is an exit code of design §6: no traceback reaches a user, and no unforeseen exception ever exits 1.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import sys
import threading
import time
from pathlib import Path
from typing import Any, NoReturn

from drills.errors import BadInput, CannotRun, DrillError, Exit
from drills.findings.arguments import add_findings_commands

PYTHON_MIN = (3, 11)
SEED_MAX = 2**32 - 1  # what every random generator of ours takes
PACES = ("real", "fast")
TARGETS = ("reference", "wavry")
STAGES = ("containers", "processes")
SUITES = ("monthly", "prerelease", "daily", "networks")  # as in drills.scenario.models, which must not be imported here
TIERS = ("dev", "stage", "prod")


class _Parser(argparse.ArgumentParser):
    """argparse says 2 for a mistake on the command line; here that is 4, bad input, in the words of every other."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **options})

    def error(self, message: str) -> NoReturn:
        raise BadInput(f"command line: {in_our_words(message)}; see `{self.prog} --help`")


# What argparse says, and what we say: which argument, what was found, what was expected.
_ARGPARSE = (
    (r"argument (\S+): invalid choice: (.*) \(choose from (.*)\)", r"\1: found \2, expected one of \3"),
    (r"argument (\S+): expected one argument", r"\1: found nothing, expected a value"),
    (r"argument (\S+): ignored explicit argument (.*)", r"\1: found \2, expected no value"),
    (r"argument (\S+): (found .*)", r"\1: \2"),
    (r"unrecognized arguments: (.*)", r"found \1, expected only arguments that this command knows"),
    (r"the following arguments are required: (.*)", r"\1: found nothing, expected one"),
)


def in_our_words(message: str) -> str:
    """A mistake as argparse words it, as ``argument: found …, expected …``."""
    for pattern, ours in _ARGPARSE:
        if re.fullmatch(pattern, message, re.DOTALL):
            return " ".join(re.sub(pattern, ours, message, count=1, flags=re.DOTALL).split())
    return message


def _seed(text: str) -> int:
    """A number that every random generator of ours takes."""
    if not text.isascii() or not text.isdigit() or len(text) > 10 or int(text) > SEED_MAX:
        raise argparse.ArgumentTypeError(f"found {text[:40]!r}, expected a whole number from 0 to {SEED_MAX}")
    return int(text)


def _count(text: str) -> int:
    """How many, at least one."""
    if not text.isascii() or not text.isdigit() or len(text) > 4 or int(text) < 1:
        raise argparse.ArgumentTypeError(f"found {text[:40]!r}, expected a whole number from 1 to 9999")
    return int(text)


def _folder(text: str) -> Path:
    """A folder, or what can become one."""
    path = Path(text)
    nearest = next((one for one in (path, *path.absolute().parents) if one.exists()), path)
    if not text or (nearest.exists() and not nearest.is_dir()):
        raise argparse.ArgumentTypeError(f"found {text!r}, which is not a folder, expected a folder")
    return path


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
    one.add_argument("--suite", choices=SUITES)
    one.add_argument("--side-by-side", type=int, choices=(1, 2), default=1, help="how many drills at once, after calm")
    one.add_argument("--attempts", type=_count, default=1, metavar="N", help="run again what was inconclusive; 1")
    one.add_argument(
        "--fail-overdue", action="store_true", help="exit code 1 while a finding of this target is overdue"
    )
    one.add_argument("--hold", action="store_true", help="one drill: leave the stage standing at the end, until a key")
    one.add_argument("--hold-max-s", type=_count, default=None, metavar="N", help="and no longer than that; else 900")
    one.add_argument("--quiet", action="store_true", help="only the table of verdicts at the end")
    one.add_argument("--plain", action="store_true", help="lines, also on a terminal")
    one.add_argument("--json", action="store_true", help="the verdicts as JSON on stdout, the lines on stderr")
    add_run_options(one)
    one = commands.add_parser("teeth", help="run drills against the defects that they claim to catch")
    one.add_argument("names", nargs="*", metavar="NAME")
    _add_teeth_options(one)
    one = commands.add_parser("judge", help="judge a run again, from its record")
    one.add_argument("run", type=Path, metavar="RUN_DIR")
    one.add_argument("--json", action="store_true", help="as JSON")
    one = commands.add_parser("report", help="write a month's report again, from disk alone")
    one.add_argument("month", metavar="YYYY-MM")
    one.add_argument("--out", type=_folder, default=None, help="the reports folder")
    one = commands.add_parser("findings", help="what has to be fixed, by whom and until when")
    add_findings_commands(one, _Parser, _folder)
    one = commands.add_parser("recover", help="remove what killed runs have left")
    one.add_argument("--out", type=_folder, default=None, help="the reports folder")
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
    one.add_argument("--stage", choices=STAGES, default=None, help="containers where an engine can, when left out")
    one.add_argument("--tier", choices=TIERS, default="stage")
    one.add_argument("--pace", choices=PACES, default="real")
    one.add_argument("--seed", type=_seed, default=1)
    one.add_argument("--network", metavar="NAME", help="under which condition of scenarios/networks, such as lte")
    one.add_argument(
        "--defect", action="append", default=[], metavar="NAME", help="switch on a defect of the reference"
    )
    one.add_argument("--out", type=_folder, default=None, help="the reports folder")


def _add_teeth_options(one: argparse.ArgumentParser) -> None:
    """What `teeth` takes; its target is always the reference, since only the reference has defects to switch on."""
    one.add_argument("--suite", choices=SUITES, default=None, help="monthly when left out")
    one.add_argument("--stage", choices=STAGES, default=None, help="containers where an engine can, when left out")
    one.add_argument("--tier", choices=TIERS, default="stage")
    one.add_argument("--pace", choices=PACES, default="fast")
    one.add_argument("--seed", type=_seed, default=1)
    one.add_argument("--sample", type=_count, default=0, metavar="N", help="so many of the rows, picked by the seed")
    one.add_argument("--alone", action="store_true", help="each defect in a run of its own, also those that get along")
    one.add_argument("--at-once", type=int, choices=(1, 2), help="how many runs at once, else as the machine carries")
    one.add_argument("--list", action="store_true", help="name the rows and run none")
    one.add_argument("--json", action="store_true", help="as JSON")
    one.add_argument("--out", type=_folder, default=None, help="the reports folder")
    one.set_defaults(target="reference", defect=[], network=None)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    threading.excepthook = _thread_died
    try:
        code = int(_run(parser().parse_args(words), words))
        sys.stdout.flush()  # here, where a closed pipe is met with an exit code, and not while Python shuts down
        return code
    except DrillError as error:
        return _told(error)
    except ModuleNotFoundError as error:
        if (error.name or "drills").split(".")[0] == "drills":
            return _unforeseen(error)
        return _told(CannotRun(f"Python: found no package {error.name!r}, expected the dependencies of this one; "
                               "`make setup` installs them, `drills doctor` says what is missing"))  # fmt: skip
    except KeyboardInterrupt:
        print("drills: interrupted", file=sys.stderr)
        return int(Exit.INCONCLUSIVE)
    except BrokenPipeError:  # `drills list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(Exit.CANNOT_RUN)
    except Exception as error:  # noqa: BLE001 - the last line of defence: an error of ours is a 3, never a verdict
        return _unforeseen(error)


def _told(error: DrillError) -> int:
    """Say each line of an error of the family, and which exit code it has."""
    for line in str(error).splitlines():
        print(f"drills: {line}", file=sys.stderr)
    return int(error.exit_code)


def _unforeseen(error: BaseException) -> int:
    """An error of ours: one line for the user, the details in a file for us."""
    print(f"drills: an error of our own: {type(error).__name__}: {' '.join(str(error).split())}", file=sys.stderr)
    print(f"drills: the details are in {_written_down(error)}; please report them", file=sys.stderr)
    return int(Exit.CANNOT_RUN)


def keep_tracebacks() -> None:
    """For a process of ours that nobody else watches over: what nobody foresaw is one line, its details in a file."""
    sys.excepthook = _died
    threading.excepthook = _thread_died


def _died(kind: type[BaseException], error: BaseException, traceback: object) -> None:
    _unforeseen(error)


def _thread_died(died: threading.ExceptHookArgs) -> None:
    """A watcher that ends is in the record (`watcher.died`); here only its details are kept from the terminal."""
    if died.exc_value is not None:
        _unforeseen(died.exc_value)


def _written_down(error: BaseException) -> str:
    """Keep the traceback for us in a file, out of the user's sight."""
    import tempfile
    import traceback

    try:
        with tempfile.NamedTemporaryFile("w", prefix="drills-error-", suffix=".txt", delete=False) as details:
            details.write("".join(traceback.format_exception(error)))
    except OSError as refused:
        return f"no file: {refused}"
    return details.name


def _run(options: argparse.Namespace, words: list[str]) -> int:
    from drills import commands

    if sys.version_info < PYTHON_MIN and options.command != "doctor":
        raise CannotRun(f"Python: found {sys.version.split()[0]}, expected {'.'.join(map(str, PYTHON_MIN))} or newer")
    began = time.monotonic()
    options.command_line = shlex.join(["drills", *words])
    command: Any = getattr(commands, options.command)
    code = command(options)
    if options.command in ("run", "teeth") and not (options.json or getattr(options, "list", False)):
        print(f"took {time.monotonic() - began:.0f} s, exit code {int(code)}", flush=True)
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
