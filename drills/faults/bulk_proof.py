"""The proof of a toxic that slows a flow down: many requests on one connection, timed before, on and off."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from drills.faults.base import Proof, eventually
from drills.faults.canary import Bulk, bulk

if TYPE_CHECKING:
    from drills.scene import Scene

REQUESTS = 12
TELLING_MS = 20.0  # a delay shorter than this cannot be told from a quiet path on a busy machine
LEAST_SHARE, OFF_SHARE = 0.5, 0.5  # on: of what was asked, at least; off again: less than


def slowed(
    scene: Scene, proxy: str, expected_ms: Callable[[Bulk], float]
) -> tuple[Callable[[], Proof], Callable[[], Proof]]:
    """The proofs on and off; ``expected_ms`` says how much longer the flow that it is given should take."""
    before = bulk(scene.stage, proxy, REQUESTS, 3.0)
    asked_ms = expected_ms(before)

    def measure(on: bool) -> Proof:
        patience_s = 3.0 + (3.0 * asked_ms if on else OFF_SHARE * asked_ms) / 1000.0
        flown = bulk(scene.stage, proxy, REQUESTS, patience_s)
        if flown.outcome != "ok" or before.outcome != "ok":
            return Proof(False, f"canary: {flown if before.outcome == 'ok' else before}")
        extra_ms = flown.ms - before.ms
        enough = max(LEAST_SHARE * asked_ms, TELLING_MS / 2)
        seen = extra_ms >= enough if on else extra_ms < max(OFF_SHARE * asked_ms, TELLING_MS / 2)
        words = f"asked {asked_ms if on else 0.0:.0f} ms more, measured {extra_ms:.0f} ms"
        return Proof(seen, f"{words} (canary: {flown})")

    return (lambda: measure(on=True)), (lambda: eventually(scene, 2.0, lambda: measure(on=False)))
