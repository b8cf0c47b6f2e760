"""drain / activate: a relay takes nobody new, by the master's own admin API.

Mending is `activate`, unless the relay was restarted meanwhile: it then has another id (contract-master-relay §3.2), is
active already, and the old id must stay drained, or the master would hand out a relay that no longer exists.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from drills.faults.base import Arguments, Fault, Proof, Receipt, carried_out, eventually

if TYPE_CHECKING:
    from drills.scene import Scene
    from drills.wavry.master import RelayState

WITHIN_S = 2.0


@contextmanager
def _injected(scene: Scene, service: str, arguments: Arguments) -> Iterator[Receipt]:
    from drills.errors import CannotRun
    from drills.probes.relays import current_relay_id, state_of
    from drills.wavry.errors import WireError
    from drills.wavry.master import MasterHttp, RelayState

    try:
        relay_id = current_relay_id(scene.stage, service)
    except WireError as error:
        raise CannotRun(f"{service} cannot be drained, it does not tell its id: {error}") from error
    master = MasterHttp(scene.stage.http("master"), timeout_s=3.0, admin_token=scene.stage.secrets.admin_token)
    receipt = Receipt("drain", service, f"{service} Draining", detail={"relay_id": relay_id})

    def replaced() -> bool:
        try:
            return current_relay_id(scene.stage, service) != relay_id
        except WireError:
            return True  # gone, or not back yet: the drained process will not come back under its old id

    def heal() -> None:
        scene.drained.pop(service, None)
        if not replaced():
            ask_for(RelayState.ACTIVE)

    def ask_for(state: RelayState) -> None:
        try:
            master.update_state(relay_id, state)
        except WireError as error:
            raise CannotRun(f"the master did not make {service} {state}: {error}") from error

    def looks(wanted: RelayState) -> Proof:
        state = state_of(master, relay_id)
        return Proof(state == wanted, f"the master lists it as {state or 'unknown'}")

    def proven_off() -> Proof:
        if replaced():
            return Proof(True, "the drained id is gone: the relay was restarted under another")
        return eventually(scene, WITHIN_S, lambda: looks(RelayState.ACTIVE))

    def inject() -> None:
        scene.drained[service] = relay_id
        ask_for(RelayState.DRAINING)

    with master, carried_out(
        scene, receipt, inject=inject, heal=heal, proven_off=proven_off,
        proven_on=lambda: eventually(scene, WITHIN_S, lambda: looks(RelayState.DRAINING)),
    ):  # fmt: skip
        yield receipt


FAULT = Fault(
    "drain", "service", frozenset({"relay"}), Arguments, _injected, True, "the master sends nobody new to the relay"
)
