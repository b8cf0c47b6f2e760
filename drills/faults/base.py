"""What every fault is: arguments, a way in, a way out, and a proof of both.

A fault is a context manager (design §5). It writes its undo record to disk before it acts, proves that it landed,
is mended in the same function whatever happens in between, and leaves a receipt in the journal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

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
    to_ns: int = 0
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
            "to_ns": self.to_ns,
            **self.detail,
        }


@dataclass(frozen=True)
class Fault:
    """One row of the table of faults."""

    name: str
    on: str  # "service" or "proxy"
    kinds: frozenset[str]  # which kinds of service can take it; empty for proxies
    arguments: type[Arguments]
    injected: Callable[[Scene, str, Any], AbstractContextManager[Receipt]]
    lasting: bool  # False: it is over as soon as it is done (restart), and has neither length nor steps
    does: str  # one sentence for the handbook


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

    ``heal`` runs on success, on failure and on Ctrl-C. An error of the story stays the one that is raised.
    """
    receipt.asked_ns = scene.now_ns()
    with scene.undo_record(receipt.fault, receipt.subject):
        try:
            inject()
            receipt.from_ns = scene.now_ns()
            receipt.landed = proven_on()
            scene.journal.write("fault.injected", **receipt.as_event())
            yield receipt
        finally:
            with scene.signals_held():
                try:
                    heal()
                    receipt.to_ns = scene.now_ns()
                    receipt.mended = proven_off()
                finally:
                    receipt.to_ns = receipt.to_ns or scene.now_ns()
                    scene.journal.write("fault.receipt", **receipt.as_event())


def eventually(scene: Scene, within_s: float, look: Callable[[], Proof], *, every_s: float = 0.02) -> Proof:
    """Look until the proof is there or the time is up; the last thing seen is the witness either way."""
    deadline = scene.now_ns() + int(within_s * 1e9)
    while True:
        proof = look()
        if proof.seen or scene.now_ns() >= deadline:
            return proof
        scene.pause(every_s)
