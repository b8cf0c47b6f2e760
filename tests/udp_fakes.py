"""The UDP proxy of the fake stage, and what its canaries see: as much as its toxics do, when they were there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drills.paths.effects import EFFECTS
from drills.paths.notes import EVERY_NS, Seen
from drills.record import Span

if TYPE_CHECKING:
    from tests.fakes import FakeScene, FakeStage

PROXIES = ("clients_to_relay_a", "clients_to_relay_b", "hosts_to_relay_a", "hosts_to_relay_b")


class FakeUdpProxy:
    """Toxics by proxy, in memory, with a history: ``late_ns`` is how long after its asking a toxic acts."""

    def __init__(self, stage: FakeStage) -> None:
        self.stage = stage
        self.kept: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in PROXIES}
        self.history: list[tuple[int, dict[str, list[dict[str, Any]]]]] = [(0, {})]
        self.ports = dict.fromkeys(PROXIES, 40000)
        self.lost = 0
        self.late_ns = 0
        self.share = 1.0  # how much of what it is asked a toxic does
        self.now_ns = lambda: 0

    def add_toxic(self, name: str, toxic: str, kind: str, stream: str, attributes: dict[str, Any]) -> None:
        self.stage.act(f"add {toxic}", name, mends=False)
        if not self.stage.deaf:
            self.kept[name][toxic] = {"name": toxic, "type": kind, "stream": stream, "attributes": dict(attributes)}
            self.ports[name] += kind == "rebind"
            self._note(self.late_ns)

    def remove_toxic(self, name: str, toxic: str) -> None:
        self.stage.act(f"remove {toxic}", name, mends=True)
        if not self.stage.deaf:
            self.kept[name].pop(toxic, None)
            self._note(0)

    def add_everywhere(self, names: list[str], toxic: str, kind: str, stream: str) -> None:
        for name in names:
            self.add_toxic(name, toxic, kind, stream, {})

    def remove_everywhere(self, names: list[str], toxic: str) -> None:
        for name in names:
            self.remove_toxic(name, toxic)

    def acted(self, names: list[str], toxic: str) -> list[int]:
        return [7 for name in names if toxic in self.kept[name]]

    def _note(self, after_ns: int) -> None:
        self.history.append((self.now_ns() + after_ns, {name: [*kept.values()] for name, kept in self.kept.items()}))

    def toxics(self, name: str) -> tuple[str, ...]:
        return tuple(self.kept[name])

    def show(self, name: str) -> dict[str, Any]:
        return {"toxics": [*self.kept[name].values()], "counts": {"acted": dict.fromkeys(self.kept[name], 7)}}

    def own_losses(self) -> int:
        return self.lost

    def at(self, ns: int, proxy: str) -> list[dict[str, Any]]:
        """The toxics in force at a moment."""
        return next(kept for since, kept in reversed(self.history) if since <= ns).get(proxy, [])


def fake_look(scene: FakeScene, proxy: str, stream: str, span: Span) -> Seen:
    """In place of what a canary saw: packet after packet, each as the toxics of its moment have it."""
    server: FakeUdpProxy = scene.stage.udp_proxy  # type: ignore[assignment]
    scene.trail.append(f"look {proxy} {stream}")
    counts = {"lost": 0.0, "doubled": 0.0, "altered": 0.0}
    delays, hits = [], []
    first_ns = max(span.from_ns, span.to_ns - 3_000_000_000)
    moments = range(first_ns, span.to_ns, EVERY_NS)
    for ns in moments:
        whole = {what: int(count) for what, count in counts.items()}
        delay_ms = 0.2
        for toxic in server.at(ns, proxy):
            effect = EFFECTS.get(toxic["type"])
            if effect is None or toxic["stream"] != stream:
                continue
            if effect.what == "delay":
                attributes = toxic["attributes"]
                swing = (len(delays) % 21 - 10) / 10 * attributes["jitter"]
                delay_ms += server.share * (attributes["latency"] + swing)
            else:
                counts[effect.what] += server.share * effect.share(toxic["attributes"])
        if any(int(counts[what]) > whole[what] for what in counts):
            hits.append(ns)
        if int(counts["lost"]) == whole["lost"]:
            delays.append(delay_ms)
    return Seen(len(moments), int(counts["lost"]), int(counts["doubled"]), int(counts["altered"]), 0,
                tuple(sorted(delays)), tuple(hits), server.ports[proxy])  # fmt: skip
