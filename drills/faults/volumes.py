"""What the faults on a volume share: a known account's login and a registration, as proof that data is there or not.

A volume that is gone refuses the login of an account that was there; one that cannot be written refuses a registration.
A gateway that merely does not answer proves neither.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from drills.faults.base import Proof, Receipt, carried_out, eventually

if TYPE_CHECKING:
    from drills.probes.witnesses import Tried, Witnesses
    from drills.scene import Scene

LIMITED = 429  # too many requests, or a lock: says nothing about the data
STARTED_S = 10.0
AGAIN_S = 0.1


def witnesses_of(scene: Scene) -> Witnesses:
    """The drill's own accounts; raises StoryStopped where there are none."""
    from drills.scene import StoryStopped

    if scene.witnesses is None or scene.witnesses.known is None:
        raise StoryStopped("there is no known account to prove it by: `make_witnesses` comes first")
    return scene.witnesses


def proven_by(
    scene: Scene, receipt: Receipt, look: Callable[..., Proof], *, inject: Callable[[], None], heal: Callable[[], None]
) -> AbstractContextManager[Receipt]:
    """A fault carried out whose proof, on and off, is what ``look`` at the gateway finds refused and granted."""

    def until(works: bool) -> Proof:
        return eventually(scene, STARTED_S, lambda: look(scene, works=works), every_s=AGAIN_S)

    return carried_out(
        scene, receipt, inject=inject, heal=heal, proven_on=lambda: until(False), proven_off=lambda: until(True)
    )


def login(scene: Scene, *, works: bool) -> Proof:
    """Whether the known account's login is granted, or refused by a gateway that answers."""
    witnesses = witnesses_of(scene)
    assert witnesses.known
    return _proof("the known account's login", witnesses.log_in(witnesses.known), works)


def write(scene: Scene, *, works: bool) -> Proof:
    """Whether a registration is granted, or refused by a gateway that answers."""
    _, tried = witnesses_of(scene).register()
    return _proof("a registration", tried, works)


def _proof(what: str, tried: Tried, works: bool) -> Proof:
    seen = tried.ok if works else tried.status not in (None, LIMITED)
    return Proof(seen and tried.ok == works, f"{what}: {tried}")
