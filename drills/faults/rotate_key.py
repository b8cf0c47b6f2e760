"""rotate_key: the master is restarted with another signing key, and relays are told of it at their next start.

What an operator does who rotates the key: a relay that is left running still knows the old one, a relay that is
restarted meanwhile knows the new one. Mended by restarting the master, and those relays, with the key they had. The
proof is what ``/.well-known/wavry-id`` says; the keys themselves are written nowhere, their ids are.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from drills.faults.base import Arguments, Fault, Proof, Receipt, carried_out, each, eventually
from drills.faults.processes import note_started, start_noted

if TYPE_CHECKING:
    from drills.scene import Scene
    from drills.wavry.master import MasterHttp

WITHIN_S = 10.0


@contextmanager
def _injected(scene: Scene, service: str, arguments: Arguments) -> Iterator[Receipt]:
    from drills.wavry.lease import SigningKey
    from drills.wavry.master import MasterHttp

    stage, key = scene.stage, SigningKey.generate()
    receipt = Receipt("rotate_key", service, f"{service} signs with another key", detail={"new_key_id": key.key_id})
    starts = {name: stage.services[name].starts for name in stage.relays()}
    master = MasterHttp(stage.http(service), timeout_s=1.0)

    def inject() -> None:
        stage.rekey(service, key)
        note_started(scene, service)

    def heal() -> None:
        each(back, *(partial(restarted, name) for name in starts))

    def back() -> None:
        stage.rekey(service, None)
        note_started(scene, service)

    def restarted(name: str) -> None:
        if stage.services[name].starts > starts[name]:  # it was told the new key, and would trust no other
            stage.stop(name)
            start_noted(scene, name)

    def signs_with_ours(wanted: bool) -> Proof:
        told = _key_id(master, key.public_key)
        return Proof(told[0] is wanted, told[1])

    with master, carried_out(
        scene, receipt, inject=inject, heal=heal,
        proven_on=lambda: eventually(scene, WITHIN_S, lambda: signs_with_ours(True)),
        proven_off=lambda: eventually(scene, WITHIN_S, lambda: signs_with_ours(False)),
    ):  # fmt: skip
        yield receipt


def _key_id(master: MasterHttp, ours: bytes) -> tuple[bool | None, str]:
    """Whether the master signs with our key, None where it does not say; and its own words."""
    from drills.wavry.errors import WireError

    try:
        identity = master.identity()
    except WireError as error:
        return None, str(error)
    return identity.public_key == ours, f"the master signs with {identity.key_id}"


FAULT = Fault(
    "rotate_key", "service", frozenset({"master"}), Arguments, _injected, True,
    "the master is restarted with another signing key; relays are told of it at their next start",
)  # fmt: skip
