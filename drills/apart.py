"""Drills in processes of their own, so that two can run at once: each with its own signals, threads and interpreter.

A *seat* is a process that is given one order after another, a line of JSON each, and answers with lines of JSON: what
it says, in which folder the record is, and at last what became of it. It has a session of its own: a terminal's Ctrl-C
reaches the runner alone, which then interrupts its seats and waits until they have mended and removed everything. A
seat whose runner is gone, even by SIGKILL, reads the end of its orders and interrupts itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from drills.errors import DrillError, Exit
from drills.options import Options
from drills.stage.children import REPOSITORY
from drills.weighing import Outcome

Say = Callable[[str], None]
INTERRUPTED_S = 90.0  # what mending and lowering may take after a signal (STOP_GRACE_S of each service, and a sweep)


@dataclass(frozen=True)
class Order:
    """One drill to be run and judged."""

    drill: str
    options: Options
    control: str = ""  # the verdict of calm of the same suite, where it came before and was not held
    defect: str = ""  # run after this defect alone: the run may stop once it is seen
    claims: tuple[str, ...] = ()
    shortened: bool = False
    gives_way: bool = False  # another run is being measured: leave it the CPUs until this one is measured itself
    waits: bool = False  # get everything ready, and let nothing be measured before it is told that its turn has come

    def to_json(self) -> str:
        """One line."""
        return json.dumps({**asdict(self), "options": {**asdict(self.options), "out": str(self.options.out)}})

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Order:
        """As ``to_json`` has written it."""
        options = raw["options"]
        options = Options(**{**options, "out": Path(options["out"]), "defects": tuple(options["defects"])})
        return cls(**{**raw, "options": options, "claims": tuple(raw["claims"])})


@dataclass(frozen=True)
class Done:
    """What became of an order: the record's folder, and why it has no verdict where it has none."""

    folder: Path | None = None
    problem: str = ""
    code: Exit = Exit.HELD  # of the verdict, or of the problem
    verdict: Outcome | None = None
    lines: tuple[str, ...] = ()  # the verdict in words, for a terminal


@dataclass
class Seat:
    """A process that runs drills, as the runner sees it."""

    say: Say
    folder: Path | None = None  # of the run that is under way, once it has one
    _heard: queue.Queue[dict[str, Any]] = field(default_factory=queue.Queue)
    _process: subprocess.Popen[str] | None = None
    _interrupted: bool = False

    def give(self, order: Order) -> None:
        """Let it begin; the process is started with the first order."""
        self.folder = None
        self._interrupted = False
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "drills.apart"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                start_new_session=True, cwd=REPOSITORY,
            )  # fmt: skip
            threading.Thread(target=_listen, args=(self._process, self._heard), daemon=True).start()
        assert self._process.stdin
        try:
            self._process.stdin.write(order.to_json() + "\n")
            self._process.stdin.flush()
        except OSError:
            self._heard.put({"gone": True})

    def turn(self, control: str) -> None:
        """Tell a run that waits that it is measured from now on, and what calm came to where it was not held."""
        if self._process and self._process.stdin:
            with contextlib.suppress(OSError):  # it is gone, and its end will be heard
                self._process.stdin.write(json.dumps({"turn": True, "control": control}) + "\n")
                self._process.stdin.flush()

    def heard(self, within_s: float) -> Done | None:
        """Listen for a while; returns what became of the order once it is known."""
        try:
            said = self._heard.get(timeout=within_s)
        except queue.Empty:
            return None
        if "say" in said:
            self.say(said["say"])
        elif "folder" in said:
            self.folder = Path(said["folder"])
        elif "gone" in said:
            code = self._ended()
            return Done(self.folder, f"its process ended with {code}", Exit.CANNOT_RUN)
        elif "code" in said:
            verdict = Outcome(said["verdict"]) if said["verdict"] else None
            return Done(self.folder, said["problem"], Exit(said["code"]), verdict, tuple(said["lines"]))
        return None

    def interrupt(self) -> None:
        """Ask it to stop, mend and remove, as a signal asks a runner; once."""
        if self._process and not self._interrupted:
            self._interrupted = True
            self._process.send_signal(signal.SIGTERM)

    def close(self) -> None:
        """No more orders; a run under way interrupts itself, and what does not end in time is killed."""
        if self._process is not None:
            self._ended()

    def _ended(self) -> int:
        assert self._process and self._process.stdin
        process, orders = self._process, self._process.stdin
        self._process, self._heard = None, queue.Queue()
        with contextlib.suppress(OSError):
            orders.close()
        try:
            return process.wait(INTERRUPTED_S)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()


def _listen(process: subprocess.Popen[str], heard: queue.Queue[dict[str, Any]]) -> None:
    assert process.stdout
    with process.stdout as lines:
        for line in lines:
            with contextlib.suppress(ValueError):
                heard.put(json.loads(line))
    heard.put({"gone": True})


# -- inside a seat ----------------------------------------------------------------------------------------------------


def main() -> int:
    """Run what comes on stdin, one order after another, until there is no more."""
    from drills.__main__ import keep_tracebacks

    keep_tracebacks()
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever else prints must not be taken for an answer

    def tell(**said: Any) -> None:
        with contextlib.suppress(OSError, ValueError):  # the runner is gone; the end of its orders will say so
            answers.write(json.dumps(said) + "\n")

    orders: queue.Queue[Order | None] = queue.Queue()
    turns: queue.Queue[str] = queue.Queue()
    busy = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))  # between two orders; a run has its own handlers
    threading.Thread(target=_read_orders, args=(orders, turns, busy), daemon=True).start()
    while order := orders.get():
        busy.set()
        tell(**_obeyed(order, tell, turns))
        busy.clear()
    return 0


def _read_orders(orders: queue.Queue[Order | None], turns: queue.Queue[str], busy: threading.Event) -> None:
    for line in sys.stdin:
        said = json.loads(line)
        if "turn" in said:
            turns.put(said["control"])
        else:
            while not turns.empty():  # of an order that ended before it asked: it would be taken for this one's
                turns.get_nowait()
            orders.put(Order.from_dict(said))
    orders.put(None)
    if busy.is_set():
        os.kill(os.getpid(), signal.SIGTERM)


@dataclass
class _Told:
    """Whether the run may be measured, and what calm had come to by then."""

    turns: queue.Queue[str]
    waits: bool
    control: str

    def come(self) -> bool:
        """True from the moment on at which it was told so; we are an ordinary process again then."""
        if self.waits:
            with contextlib.suppress(queue.Empty):
                self.control = self.turns.get_nowait()
                self.waits = False
        if not self.waits:
            _placed(behind=False)
        return not self.waits


def _placed(*, behind: bool) -> None:
    """Our own place in the queue for the CPUs: what a run is got ready by gives way as what it has started does."""
    from drills.stage import priority

    if priority.may_come_forward():
        priority.placed(os.getpid(), priority.BEHIND if behind else priority.ORDINARY)


def _obeyed(order: Order, tell: Callable[..., None], turns: queue.Queue[str]) -> dict[str, Any]:
    """One order from its folder to its verdict, and what to answer."""
    from drills.judging import judge_folder, note_control
    from drills.report.terminal import verdict_lines
    from drills.run import Turn, run_drill, run_folder
    from drills.signals import Signals
    from drills.stage.priority import giving_way, may_be_raised_beside
    from drills.wavry.errors import WireError

    signals = Signals()
    told = _Told(turns, order.waits, order.control)
    answer: dict[str, Any] = {"problem": "", "code": int(Exit.HELD), "verdict": "", "lines": []}

    def say(text: str) -> None:
        tell(say=text)

    _placed(behind=order.gives_way and may_be_raised_beside(order.options.stage))
    try:
        with signals.caught():
            scenario, catalogue = _scenario(order)
            folder = run_folder(order.options.out, order.drill)
            tell(folder=str(folder))
            run_drill(
                scenario, catalogue.compose, catalogue.tiers, order.options, say, signals, folder=folder,
                pursuit=_pursuit(order, scenario, catalogue.tiers), turn=Turn(order.gives_way, told.come),
            )  # fmt: skip
            note_control(folder, told.control)
            with giving_way():
                verdict = judge_folder(folder)
    except DrillError as error:
        return answer | {"problem": str(error), "code": int(error.exit_code)}
    except (WireError, OSError) as error:
        return answer | {"problem": str(error), "code": int(Exit.CANNOT_RUN)}
    return answer | {"code": int(verdict.exit_code), "verdict": str(verdict.verdict), "lines": verdict_lines(verdict)}


def _scenario(order: Order) -> tuple[Any, Any]:
    from drills.catalogue import Catalogue

    catalogue = Catalogue()
    (scenario,) = catalogue.named([order.drill])
    if order.shortened:
        from drills.teeth.pursuit import lighter

        scenario = lighter(scenario, _row(order), fast=order.options.pace == "fast")
    return scenario, catalogue


def _pursuit(order: Order, scenario: Any, tiers: Any) -> Any:
    if not order.shortened:
        return None
    from drills.teeth.pursuit import DefectSeen

    return DefectSeen(_row(order), scenario, tiers)


def _row(order: Order) -> Any:
    from drills.teeth.rows import Row

    return Row(order.drill, order.defect, order.claims)


if __name__ == "__main__":
    sys.exit(main())
