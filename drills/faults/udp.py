"""The faults on UDP paths: what ends and relays say to each other is lost, late, doubled, altered, swallowed, rebound.

A path is one side of it, to every relay on stage: ``clients``, ``hosts``, or ``ends`` for both. Upstream is from an end to
its relay. What a toxic does to a packet is decided in drills/udp_proxy/toxics; that it did is proven by canaries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from drills.faults.base import Arguments, Fault, Proof, Receipt, carried_out, each, eventually
from drills.faults.impaired import Toxic, impaired, look, proxy_of
from drills.record import Span

if TYPE_CHECKING:
    from drills.scene import Scene

Direction = Literal["upstream", "downstream", "both"]
Share = Annotated[float, Field(ge=0.01, le=1.0, description="of all packets; below 1 % no proof could tell it")]
REBOUND_S = 1.0
EVERYBODY_S = 0.2  # an end sends 60 packets a second: by then everybody's next packet has gone

Kinds = Callable[[Any], Mapping[str, Any]]


class LossArguments(Arguments):
    """How many packets are lost, and how many of them in a row."""

    probability: Share
    burst: Annotated[float, Field(ge=1, le=100, description="how many are lost in a row, in the mean")] = 1.0
    direction: Direction = "both"

    def toxic(self) -> tuple[str, Mapping[str, Any]]:
        """Independent, or by Gilbert-Elliott: spells of mean length 1/r that p/(p + r) of the packets meet."""
        if self.burst == 1:
            return "loss", {"probability": self.probability}
        if self.probability == 1:
            return "blackhole", {}
        r = 1.0 / self.burst
        return "bursty_loss", {"p": r * self.probability / (1.0 - self.probability), "r": r}


class LatencyArguments(Arguments):
    """How late packets are, one way."""

    latency_ms: Annotated[float, Field(ge=5, le=5000)]
    jitter_ms: Annotated[float, Field(ge=0, le=5000)] = 0.0
    distribution: Literal["uniform", "normal", "pareto"] = "uniform"
    order: Literal["kept", "free"] = "kept"
    direction: Direction = "both"

    def toxic(self) -> tuple[str, Mapping[str, Any]]:
        """The toxic of that name."""
        return "latency", {"latency": self.latency_ms, "jitter": self.jitter_ms, "distribution": self.distribution,
                           "order": self.order}  # fmt: skip


class DuplicateArguments(Arguments):
    """How many packets come twice; a relay passes one of them on, so only what comes to it may be doubled."""

    probability: Share
    direction: Literal["upstream"] = "upstream"

    def toxic(self) -> tuple[str, Mapping[str, Any]]:
        """One copy more."""
        return "duplicate", {"probability": self.probability}


class BlackholeArguments(Arguments):
    """Which way is closed."""

    direction: Direction = "both"

    def toxic(self) -> tuple[str, Mapping[str, Any]]:
        """Nothing comes through."""
        return "blackhole", {}


def _toxics(scene: Scene, path: str, fault: str, arguments: Any) -> list[Toxic]:
    kind, attributes = arguments.toxic()
    streams = ("upstream", "downstream") if arguments.direction == "both" else (arguments.direction,)
    return [Toxic(proxy, stream, kind, attributes, fault) for proxy in scene.stage.on_path(path) for stream in streams]


def _lasting(name: str, arguments: type[Arguments], does: str) -> Fault:
    @contextmanager
    def injected(scene: Scene, path: str, given: Any) -> Iterator[Receipt]:
        toxics = _toxics(scene, path, name, given)
        asked = f"{path} {given.direction}: {toxics[0].effect.words(toxics[0].attributes)}" if toxics else path
        with impaired(scene, Receipt(name, path, asked), toxics) as receipt:
            yield receipt

    return Fault(name, "path", frozenset(), arguments, injected, True, does)


@contextmanager
def _rebound(scene: Scene, path: str, arguments: Arguments) -> Iterator[Receipt]:
    """Every flow of the path gets a new source port towards its relay, as behind a NAT that forgot it."""
    server, proxies = proxy_of(scene), scene.stage.on_path(path)
    before = {proxy: look(scene, proxy, "upstream", Span(0, scene.now_ns())).port for proxy in proxies}
    receipt = Receipt("udp_rebind", path, f"{path}: a new source port for every flow")

    def rebound() -> Proof:
        now = {proxy: look(scene, proxy, "upstream", Span(0, scene.now_ns())).port for proxy in proxies}
        words = ", ".join(f"{proxy} {before[proxy]} → {port}" for proxy, port in now.items())
        return Proof(all(port and port != before[proxy] for proxy, port in now.items()), f"canary: source port {words}")

    def heard() -> Proof:
        now_ns = scene.now_ns()
        span = Span(max(receipt.to_ns, now_ns - 300_000_000), max(receipt.to_ns, now_ns - 100_000_000))
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
        proven_on=lambda: eventually(scene, REBOUND_S, rebound),
        proven_off=lambda: eventually(scene, REBOUND_S, heard),
    ):  # fmt: skip
        yield receipt


LOSS = _lasting("udp_loss", LossArguments, "ends and relays lose some of what they say to each other")
LATENCY = _lasting("udp_latency", LatencyArguments, "what ends and relays say to each other comes late, unevenly")
DUPLICATE = _lasting("udp_duplicate", DuplicateArguments, "some of what ends say to relays comes twice")
BLACKHOLE = _lasting("udp_blackhole", BlackholeArguments, "nothing that ends and relays say comes through, one way or both")
REBIND = Fault(
    "udp_rebind", "path", frozenset(), Arguments, _rebound, False, "every flow comes from a new port, as after a NAT's restart"
)
