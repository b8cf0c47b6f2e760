"""One proxy: listens, knows its flows by client address, has toxics."""

from __future__ import annotations

import contextlib
import socket
import time
from dataclasses import dataclass, replace
from typing import Any

from drills.udp_proxy.bodies import Canary
from drills.udp_proxy.counts import Tally
from drills.udp_proxy.flow import BATCH, Flow
from drills.udp_proxy.link import Link
from drills.udp_proxy.loop import Loop
from drills.udp_proxy.sockets import DATAGRAM_BYTES_MAX, Address, dropped, udp_socket
from drills.udp_proxy.sources import Sources
from drills.udp_proxy.toxic import STREAMS, Toxic
from drills.udp_proxy.toxics.table import Attributes

FLOWS_MAX = 4096
CANARY = -1  # the number of its flow: no other flow's number moves when it comes and goes


@dataclass(frozen=True)
class Settings:
    """What all proxies of a program have in common."""

    loop: Loop
    seed: int
    sources: Sources
    idle_s: float


class Proxy:
    """Between clients and one upstream. A proxy that is not enabled has neither sockets nor flows."""

    def __init__(self, name: str, listen: Address, upstream: Address, settings: Settings) -> None:
        self.name, self.listen, self.upstream = name, listen, upstream
        self.enabled = False
        self.toxics: list[Toxic] = []
        self.canary: Canary | None = None
        self._tally = Tally()
        self._settings, self._loop = settings, settings.loop
        self._flows: dict[Any, Flow] = {}  # by the client's socket address
        self._flows_seen = 0
        self._orders = 0
        self._socket: socket.socket | None = None

    # -- on and off -----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Listen; raises OSError where the address cannot be had."""
        if self.enabled:
            return
        sock = udp_socket(self.listen.family)
        try:
            sock.bind((self.listen.host, self.listen.port))
        except OSError:
            sock.close()
            raise
        self._socket, self.enabled = sock, True
        self.listen = Address(*sock.getsockname()[:2])
        self._loop.watch(sock, self._read)

    def stop(self) -> None:
        """Forget every flow and what is held for it, and listen no longer."""
        if self._socket is None:
            return
        self._forget([*self._flows])
        self._tally.losses.receive_buffers += dropped(self._socket)
        self._loop.forget(self._socket)
        self._socket.close()
        self._socket, self.enabled = None, False

    def move(self, listen: Address, upstream: Address, enabled: bool) -> None:
        """Toxiproxy's update: other addresses end all flows. Raises OSError where it cannot listen there."""
        if (listen, upstream) != (self.listen, self.upstream):
            self.stop()
            self.listen, self.upstream = listen, upstream
        if enabled:
            self.start()
        else:
            self.stop()

    def watch(self, canary: Canary | None) -> None:
        """Another canary from now on, or none: the flow of the one before ends."""
        if canary != self.canary:
            self._forget([client for client, flow in self._flows.items() if flow.number == CANARY])
            self.canary = canary

    def forget_idle(self, now_ns: int) -> None:
        """Close flows that nothing came for in either direction for the settings' time."""
        before_ns = now_ns - round(self._settings.idle_s * 1e9)
        self._forget([client for client, flow in self._flows.items() if flow.seen_ns < before_ns])

    def _forget(self, clients: list[Any]) -> None:
        flows = [self._flows.pop(client) for client in clients]
        if flows:
            self._loop.held.forget({link for flow in flows for link in flow.links})
        for flow in flows:
            flow.close()

    # -- toxics ---------------------------------------------------------------------------------------------------

    def toxic(self, name: str) -> Toxic | None:
        """The toxic of this name."""
        return next((toxic for toxic in self.toxics if toxic.name == name), None)

    def add(self, name: str, kind: str, stream: str, toxicity: float, attributes: Attributes) -> Toxic:
        """Put a toxic behind the others; the name must be free."""
        self._orders += 1
        toxic = Toxic(name, kind, stream, toxicity, attributes, self._orders)
        self._refit([*self.toxics, toxic])
        return toxic

    def edit(self, old: Toxic, toxicity: float, attributes: Attributes) -> Toxic:
        """Other attributes at the same place, the same decisions where they are asked alike."""
        new = replace(old, toxicity=toxicity, attributes=attributes)
        self._refit([new if toxic is old else toxic for toxic in self.toxics])
        return new

    def remove(self, toxic: Toxic) -> None:
        """Take a toxic off; what it holds goes on at once."""
        self._refit([one for one in self.toxics if one is not toxic])

    def clear(self) -> None:
        """Take all toxics off."""
        self._refit([])

    def _refit(self, toxics: list[Toxic]) -> None:
        self.toxics = sorted(toxics, key=lambda toxic: STREAMS.index(toxic.stream))  # shown as Toxiproxy does
        gone: set[tuple[Link, int]] = set()
        for flow in self._flows.values():
            gone |= flow.refit(self.toxics, self._settings.seed, self.name)
        self._loop.held.hasten(gone, time.monotonic_ns())

    # -- packets --------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        assert self._socket is not None
        receive, flows, now = self._socket.recvfrom, self._flows, time.monotonic_ns
        with contextlib.suppress(BlockingIOError):
            for _ in range(BATCH):
                payload, client = receive(DATAGRAM_BYTES_MAX)
                flow = flows.get(client) or self._begun(client)
                if flow:
                    flow.seen_ns = now_ns = now()
                    flow.up.take(payload, now_ns)

    def _begun(self, client: Any) -> Flow | None:
        """A flow for a client that was not there; None, and a loss of ours, where there can be none."""
        assert self._socket is not None
        address = Address(*client[:2])
        try:
            if len(self._flows) >= FLOWS_MAX:
                raise OSError("too many flows")
            source = self._settings.sources.of(address.host)
            watched = self.canary if self.canary and address == self.canary.client else None
            number, upstream = (CANARY, watched.upstream) if watched else (self._flows_seen, self.upstream)
            flow = Flow(number, address, self._socket, upstream, source, self._loop, self._tally)
        except OSError:
            self._tally.losses.flows += 1
            return None
        self._flows_seen += not watched
        self._flows[client] = flow
        flow.refit(self.toxics, self._settings.seed, self.name)
        return flow

    # -- shown ----------------------------------------------------------------------------------------------------

    def tally(self) -> Tally:
        """What was counted so far, what died in the buffers of open sockets included."""
        open_sockets = sum(flow.dropped() for flow in self._flows.values())
        if self._socket is not None:
            open_sockets += dropped(self._socket)
        losses = self._tally.losses
        return replace(self._tally, losses=replace(losses, receive_buffers=losses.receive_buffers + open_sockets))

    def to_json(self) -> dict[str, Any]:
        """As Toxiproxy shows one, and beside it what only this program counts."""
        acted = {toxic.name: toxic.acted for toxic in self.toxics}
        counts = {**self.tally().to_json(), "flows": len(self._flows), "flows_seen": self._flows_seen, "acted": acted}
        canary = self.canary and {"client": str(self.canary.client), "upstream": str(self.canary.upstream)}
        return {"name": self.name, "listen": str(self.listen), "upstream": str(self.upstream), "enabled": self.enabled,
                **({"canary": canary} if canary else {}),
                "toxics": [toxic.to_json() for toxic in self.toxics], "counts": counts}  # fmt: skip

    def flows_to_json(self) -> list[dict[str, Any]]:
        """Every flow: its number, who it is on both sides, and the packets that arrived from each."""
        return [{"number": flow.number, "client": str(flow.client), "source": str(flow.source()),
                 "upstream_packets": flow.up.number, "downstream_packets": flow.down.number}
                for flow in self._flows.values()]  # fmt: skip
