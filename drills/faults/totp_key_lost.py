"""totp_key_lost: the service is restarted with another key for second factors than it had, and later with its own.

Proven by what the running process has in its environment, not by what it does with it: that is for the drill to see.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from drills.faults.base import Arguments, Fault, Proof, Receipt, carried_out
from drills.faults.processes import running_again, start_noted
from drills.stage.compose import TOTP_KEY

if TYPE_CHECKING:
    from drills.scene import Scene

VARIABLE = "WAVRY_TOTP_KEY_B64"  # contract-gateway §1.2


@contextmanager
def _injected(scene: Scene, service: str, arguments: Arguments) -> Iterator[Receipt]:
    from drills.stage.base import fresh_totp_key

    stage = scene.stage
    own, other = stage.variables[TOTP_KEY], fresh_totp_key()
    receipt = Receipt("totp_key_lost", service, f"{service} restarted with another key for second factors")

    def restarted_with(key: str) -> None:
        stage.stop(service)
        stage.change(service, **{TOTP_KEY: key})
        start_noted(scene, service)

    def has(key: str) -> Proof:
        ready = running_again(scene, service, receipt)
        told = stage.told(service, VARIABLE)
        which = "its own key" if told == own else "another key" if told else "no key that we could read"
        return Proof(ready.seen and told == key, f"{ready.measured}, with {which}")

    with carried_out(
        scene, receipt, inject=lambda: restarted_with(other), heal=lambda: restarted_with(own),
        proven_on=lambda: has(other), proven_off=lambda: has(own),
    ):  # fmt: skip
        yield receipt


FAULT = Fault(
    "totp_key_lost", "service", frozenset({"gateway"}), Arguments, _injected, True,
    "restarted with another key for second factors, and with its own at the end",
)  # fmt: skip
