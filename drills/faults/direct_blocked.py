"""direct_blocked: the path between ends is closed, for whoever is on it and whoever comes (`blackhole`, every door).

Proven by a canary that flies through one end's door by way of the same toxic. The toxic is read back at every door, and
the proxy's counters say how many packets it has swallowed, and at how many doors.
"""

from __future__ import annotations

import contextlib
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from drills.errors import CannotRun
from drills.faults.base import Arguments, Fault, Proof, Receipt, carried_out, each, eventually
from drills.stage.compose import DIRECT

if TYPE_CHECKING:
    from drills.paths.canaries import Canary
    from drills.scene import Scene
    from drills.stage.udp_proxy import UdpProxyServer

TOXIC = "direct_blocked"
PACKETS, PATIENCE_S = 20, 0.3
DUE_S = 2.0  # a hundred doors and more, a request each


@contextmanager
def _injected(scene: Scene, path: str, arguments: Arguments) -> Iterator[Receipt]:
    from drills.paths.canaries import hatched

    server, ways = scene.stage.udp_proxy, scene.stage.direct_ways()
    if server is None or not ways:
        raise CannotRun("the direct path is not on stage: the drill's load says `direct_path: closed`")
    doors = [*ways]
    receipt = Receipt(TOXIC, path, f"{path}: nothing comes through, at {len(doors)} doors", due_s=DUE_S)

    def inject() -> None:
        server.add_everywhere(doors, TOXIC, "blackhole", "upstream")

    def heal() -> None:
        each(partial(_count, server, receipt, doors), partial(server.remove_everywhere, doors, TOXIC))

    with contextlib.ExitStack() as stack:
        canary = hatched(scene.stage, server, doors[0], ways[doors[0]][0], stack)

        def look(wanted: int) -> Proof:
            came = flown(canary)
            return Proof(came == wanted, f"canary: {came} of {PACKETS} packets came")

        with carried_out(
            scene, receipt, inject=inject, heal=heal,
            proven_on=lambda: eventually(scene, 1.0, lambda: look(0)),
            proven_off=lambda: eventually(scene, 2.0, lambda: look(PACKETS)),
        ):  # fmt: skip
            yield receipt


def flown(canary: Canary) -> int:
    """How many of some packets came out at the other end."""
    for number in range(PACKETS):
        canary.client.send(b"direct %d" % number)
    came, until = 0, time.monotonic() + PATIENCE_S
    while came < PACKETS and (left := until - time.monotonic()) > 0:
        if select.select([canary.upstream], [], [], left)[0]:
            canary.upstream.recv(64)
            came += 1
    return came


def _count(server: UdpProxyServer, receipt: Receipt, doors: list[str]) -> None:
    """How many packets were swallowed, and at how many doors."""
    acted = server.acted(doors, TOXIC)
    receipt.detail["swallowed"] = {"packets": sum(acted), "doors": sum(count > 0 for count in acted)}


FAULT = Fault(
    TOXIC, "path", frozenset({DIRECT}), Arguments, _injected, True, "nothing comes through on the path between ends"
)
