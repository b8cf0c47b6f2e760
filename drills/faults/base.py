"""What every fault is: arguments, a way in, a way out, and a proof of both.

A fault is a context manager (design §5). It writes its undo record to disk before it acts, proves that it landed,
is mended in the same function whatever happens in between, and leaves a receipt in the journal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from drills.errors import Interrupted
from drills.signals import FirstErrorStays

if TYPE_CHECKING:
    from drills.scene import Scene


class Arguments(BaseModel):
    """What a fault or step takes from the scenario, beside its subject and its length."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True)


@dataclass(frozen=True)
class Proof:
    """What was measured of a fault at one moment."""

    seen: bool
    measured: str


@dataclass
class Receipt:
    """What was asked of a fault, what was measured of it, and from when to when (monotonic ns)."""

    fault: str
    subject: str
    asked: str
    landed: Proof | None = None
    mended: Proof | None = None
    asked_ns: int = 0
    from_ns: int = 0
    mending_ns: int = 0  # when its mending began: from here on it may or may not be in force
    to_ns: int = 0
    due_s: float = 0.0  # how soon after it was asked for it must be in force; 0 where that is no matter of moments
    detail: dict[str, Any] = field(default_factory=dict)

    def as_event(self) -> dict[str, Any]:
        """The receipt as it stands in the journal."""
        return {
            "fault": self.fault,
            "subject": self.subject,
            "asked": self.asked,
            "landed": bool(self.landed and self.landed.seen),
            "measured_on": self.landed.measured if self.landed else "nothing was measured",
            "mended": bool(self.mended and self.mended.seen),
            "measured_off": self.mended.measured if self.mended else "nothing was measured",
            "asked_ns": self.asked_ns,
            "from_ns": self.from_ns,
            "mending_ns": self.mending_ns,
            "to_ns": self.to_ns,
            **({"due_s": self.due_s} if self.due_s else {}),
            **self.detail,
        }


@dataclass(frozen=True)
class Fault:
    """One row of the table of faults."""

    name: str
    on: str  # "service", "proxy" (a TCP path) or "path" (a UDP path)
    kinds: frozenset[str]  # which kinds of service can take it; empty for proxies
    arguments: type[Arguments]
    injected: Callable[[Scene, str, Any], AbstractContextManager[Receipt]]
    lasting: bool  # False: it is over as soon as it is done (restart), and has neither length nor steps
    does: str  # one sentence for the handbook
    stages: frozenset[str] = frozenset({"processes", "containers"})  # which stages offer it
    unable: Callable[[str], str] = lambda stage: ""  # why a stage that offers it cannot make it here, empty if it can


class _Mending:
    """The way out of a fault: heal, prove, receipt, each once, however often and with whatever error it is left.

    Stands around the story twice. A signal that comes just when the story ends can interrupt the inner way out before
    it holds signals back; the outer one then does the work, undisturbed, as only the first signal is ever raised.
    """

    def __init__(
        self, scene: Scene, receipt: Receipt, heal: Callable[[], None], proven_off: Callable[[], Proof]
    ) -> None:
        self.scene, self.receipt, self.heal, self.proven_off = scene, receipt, heal, proven_off
        self.begun = False

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        from drills.scene import StoryStopped

        if self.begun:
            return
        # a stopped story is no error: the drill goes on, and would go on with a fault that could not be mended
        first = None if isinstance(error, StoryStopped) else error
        with FirstErrorStays(first, self._note), self.scene.signals_held():
            self.begun = True
            self._mend()

    def _mend(self) -> None:
        self.receipt.mending_ns = self.scene.now_ns()
        try:
            self.heal()
            self.receipt.to_ns = self.scene.now_ns()
            self.receipt.mended = self.proven_off()
        finally:
            self.receipt.to_ns = self.receipt.to_ns or self.scene.now_ns()
            self.scene.journal.write("fault.receipt", **self.receipt.as_event())

    def _note(self, error: BaseException) -> None:
        if isinstance(error, Interrupted):  # came while mending and waited for its end: nothing failed
            return
        fault, subject = self.receipt.fault, self.receipt.subject
        words = f"{type(error).__name__}: {error}"
        self.scene.journal.write("mending.failed", fault=fault, subject=subject, error=words)


@contextmanager
def carried_out(
    scene: Scene,
    receipt: Receipt,
    *,
    inject: Callable[[], None],
    heal: Callable[[], None],
    proven_on: Callable[[], Proof],
    proven_off: Callable[[], Proof],
) -> Iterator[Receipt]:
    """The order every fault keeps: undo record, inject, prove, (let the story go on), heal, prove, receipt.

    ``heal`` runs on success, on failure and on Ctrl-C. An error of the story stays the one that is raised; one of
    ``heal`` that comes after it is noted in the journal.
    """
    receipt.asked_ns = scene.now_ns()
    mending = _Mending(scene, receipt, heal, proven_off)
    with scene.undo_record(receipt.fault, receipt.subject), mending, mending:
        inject()
        receipt.from_ns = scene.now_ns()
        receipt.landed = proven_on()
        scene.journal.write("fault.injected", **receipt.as_event())
        yield receipt


def eventually(scene: Scene, within_s: float, look: Callable[[], Proof], *, every_s: float = 0.02) -> Proof:
    """Look until the proof is there or the time is up; the last thing seen is the witness either way."""
    deadline = scene.now_ns() + int(within_s * 1e9)
    while True:
        proof = look()
        if proof.seen or scene.now_ns() >= deadline:
            return proof
        scene.pause(every_s)


def on_the_clock(scene: Scene, ns: int) -> str:
    """The wall clock (UTC) at a moment of the monotonic one."""
    moment = datetime.now(UTC) - timedelta(microseconds=(scene.now_ns() - ns) / 1000)
    return f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}"


def each(*acts: Callable[[], None]) -> None:
    """Do all of them in their order, also those after one that fails; an error is raised when all are done."""
    with ExitStack() as stack:
        for act in reversed(acts):
            stack.callback(act)
