"""udp_rebind: every flow of a UDP path gets a new source port towards its relay, as behind a NAT that forgot it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from drills.faults.base import Arguments, Fault, Proof, Receipt, carried_out, each, eventually
from drills.faults.impaired import look, proxy_of
from drills.record import Span

if TYPE_CHECKING:
    from drills.scene import Scene

REBOUND_S = 1.0
HEARD_NS, ON_ITS_WAY_S = 200_000_000, 0.1
EVERYBODY_S = 0.2  # an end sends 30 packets a second at least: by then everybody's next packet has gone


@contextmanager
def _rebound(scene: Scene, path: str, arguments: Arguments) -> Iterator[Receipt]:
    """Every flow of the path gets a new source port towards its relay, as behind a NAT that forgot it."""
    server, proxies = proxy_of(scene), scene.stage.on_path(path)
    before = {proxy: look(scene, proxy, "upstream", Span(0, scene.now_ns())).port for proxy in proxies}
    way_s = scene.load_settings.path_s + ON_ITS_WAY_S
    receipt = Receipt("udp_rebind", path, f"{path}: a new source port for every flow")

    def rebound() -> Proof:
        now = {proxy: look(scene, proxy, "upstream", Span(0, scene.now_ns())).port for proxy in proxies}
        words = ", ".join(f"{proxy} {before[proxy]} → {port}" for proxy, port in now.items())
        return Proof(all(port and port != before[proxy] for proxy, port in now.items()), f"canary: source port {words}")

    def heard() -> Proof:
        now_ns = scene.now_ns()
        settled_ns = now_ns - int(way_s * 1e9)
        span = Span(max(receipt.to_ns, settled_ns - HEARD_NS), max(receipt.to_ns, settled_ns))
        seen = [look(scene, proxy, stream, span) for proxy in proxies for stream in ("upstream", "downstream")]
        came, sent = sum(one.sent - one.lost for one in seen), sum(one.sent for one in seen)
        left = [proxy for proxy in proxies if "udp_rebind" in server.toxics(proxy)]
        words = f"canary: {came} of {sent} came" + (f"; still on: {', '.join(left)}" if left else "")
        return Proof(sent > 0 and not left and all(one.sent > one.lost for one in seen), words)

    def inject() -> None:
        for proxy in proxies:
            server.add_toxic(proxy, "udp_rebind", "rebind", "upstream", {"every": 0})
        scene.pause(EVERYBODY_S)

    with carried_out(
        scene, receipt,
        inject=inject,
        heal=lambda: each(*(partial(server.remove_toxic, proxy, "udp_rebind") for proxy in proxies)),
        proven_on=lambda: eventually(scene, REBOUND_S + way_s, rebound),
        proven_off=lambda: eventually(scene, REBOUND_S + way_s, heard),
    ):  # fmt: skip
        yield receipt


FAULT = Fault(
    "udp_rebind", "path", frozenset(), Arguments, _rebound, False,
    "every flow comes from a new port, as after a NAT's restart",
)  # fmt: skip
