"""A service's connections as the kernel lists them: real sockets, on addresses of this test's own."""

from __future__ import annotations

import os
import socket
import time
from types import SimpleNamespace

from drills.probes.sockets import Held, held_by
from drills.stage.addresses import claimed


def counted(host: str, port: int, connections: int) -> Held:
    """What is held, looked at until as many connections are listed as there should be, or a second is over."""
    running = SimpleNamespace(pid=os.getpid())
    service = SimpleNamespace(address=host, running=running)
    stage = SimpleNamespace(services={"gateway": service}, everybody=lambda: [running])
    deadline = time.monotonic() + 1.0
    while True:
        held = held_by(stage, "gateway", port)
        if len(held.orphans) == connections or time.monotonic() > deadline:
            return held


def test_a_connection_whose_other_end_is_gone_is_an_orphan_until_it_is_closed() -> None:
    """One that is in use is held, and none."""
    with claimed() as block, socket.create_server((block.address(1, 220), 0)) as door:
        host, port = door.getsockname()
        near, far = socket.create_connection((host, port)), socket.create_connection((host, port))
        held_near, held_far = door.accept()[0], door.accept()[0]
        assert counted(host, port, 0).orphans == frozenset()
        assert len(counted(host, port, 0).connections) == 2
        far.close()
        held = counted(host, port, 1)
        assert (len(held.connections), len(held.orphans)) == (2, 1)
        held_far.close()
        assert counted(host, port, 0).orphans == frozenset()
        for one in (near, held_near):
            one.close()
