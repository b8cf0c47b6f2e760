"""Toxics on UDP paths, carried out and proven: what every UDP fault and every named network condition rests on.

The quick proof, right after a toxic was put on, is only a sign that it acts; what stands in the receipt is measured
over the whole time by a canary on every proxy, in every direction, and held against what was asked
(drills/paths/effects.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from drills.errors import CannotRun
from drills.faults.base import Arguments, Fault, Proof, Receipt, carried_out, each, eventually, on_the_clock
from drills.paths.effects import EFFECTS, Effect
from drills.paths.notes import Seen, seen, together
from drills.record import Span

Direction = Literal["upstream", "downstream", "both"]  # upstream is from an end to its relay
Share = Annotated[float, Field(ge=0.01, le=1.0, description="of all packets; below 1 % no proof could tell it")]

if TYPE_CHECKING:
    from drills.scene import Scene
    from drills.stage.udp_proxy import UdpProxyServer

BEFORE_NS = 700_000_000  # how late packets are without it is measured over so long; a fault before it is over by then
SIGN_S, OFF_S = 1.5, 3.0  # how long a sign of it, and of its end, is waited for
SIGN_PACKETS, OFF_PACKETS = 50, 40  # of each direction: a second of a canary, or a little less
ON_ITS_WAY_NS = 150_000_000  # what has not come so long after it should have is not coming


@dataclass(frozen=True)
class Toxic:
    """One toxic on one direction of one proxy."""

    proxy: str
    stream: str
    kind: str
    attributes: Mapping[str, Any]
    prefix: str  # of its name: which fault put it there

    @property
    def name(self) -> str:
        """Its name at the proxy."""
        return f"{self.prefix}_{self.kind}_{self.stream}"

    @property
    def effect(self) -> Effect:
        """What it ought to do."""
        return EFFECTS[self.kind]

    @property
    def holds_ns(self) -> int:
        """How long it may hold a packet."""
        return int(1e6 * (float(self.attributes.get("latency", 0)) + 6 * float(self.attributes.get("jitter", 0))))


def proxy_of(scene: Scene) -> UdpProxyServer:
    """The UDP proxy of the stage; CannotRun where there is none, which only a slip of ours can bring about."""
    if scene.stage.udp_proxy is None:
        raise CannotRun("no UDP proxy is on stage, and a fault on a UDP path needs one")
    return scene.stage.udp_proxy


def look(scene: Scene, proxy: str, stream: str, span: Span) -> Seen:
    """What a proxy's canary saw of one direction."""
    if scene.canaries is None:
        raise CannotRun("no canary flies over the UDP paths")
    return seen(scene.canaries.by_proxy[proxy].notes[stream], span)


def lasting(name: str, arguments: type[Arguments], does: str) -> Fault:
    """The row of a fault on a UDP path; its arguments say their toxic (type and attributes) and its ``direction``."""

    @contextmanager
    def injected(scene: Scene, path: str, given: Any) -> Iterator[Receipt]:
        kind, attributes = given.toxic()
        streams = ("upstream", "downstream") if given.direction == "both" else (given.direction,)
        toxics = [Toxic(proxy, stream, kind, attributes, name)
                  for proxy in scene.stage.on_path(path) for stream in streams]  # fmt: skip
        asked = f"{path} {given.direction}: {EFFECTS[kind].words(attributes)}"
        with impaired(scene, Receipt(name, path, asked), toxics) as receipt:
            yield receipt

    return Fault(name, "path", frozenset(), arguments, injected, True, does)


@contextmanager
def impaired(scene: Scene, receipt: Receipt, toxics: list[Toxic], *, told: bool = True) -> Iterator[Receipt]:
    """These toxics are on while this lasts; the receipt says what they were measured to do.

    ``told``: each must have met as many packets of canaries as it takes to tell that it acts. Without that, a share so
    small that none is a likely count too is only held to be no greater than was asked.
    """
    server = proxy_of(scene)
    before_ns = scene.now_ns()
    places = _places(toxics)
    there = {one: _there(scene, one, Span(before_ns - BEFORE_NS, before_ns)) for one in places}
    way_ns = int(scene.load_settings.path_s * 1e9) + ON_ITS_WAY_NS
    hold_ns = max((toxic.holds_ns for toxic in toxics), default=0) + way_ns
    lost_before = server.own_losses()

    def inject() -> None:
        for toxic in toxics:
            server.add_toxic(toxic.proxy, toxic.name, toxic.kind, toxic.stream, toxic.attributes)

    def heal() -> None:
        each(*(partial(_note_counts, scene, receipt, toxics, lost_before),
               *(partial(server.remove_toxic, toxic.proxy, toxic.name) for toxic in toxics)))  # fmt: skip

    def measured(span: Span, on: bool) -> Proof:
        now = {one: look(scene, one.proxy, one.stream, span) for one in places}
        return judged(toxics, now, there, on, span.from_ns)

    def settled(from_ns: int, packets: int, on: bool) -> Proof:
        to_ns = scene.now_ns() - (hold_ns if on else way_ns)
        span = Span(from_ns, max(from_ns, to_ns))
        fewest = min((look(scene, one.proxy, one.stream, span).sent for one in places), default=0)
        if fewest < packets:
            return Proof(False, f"canary: only {fewest} packets a direction")
        return measured(span, on)

    def proven_on() -> Proof:
        enough = min(SIGN_PACKETS, max((toxic.effect.needs(toxic.attributes) for toxic in toxics), default=1))
        return eventually(scene, SIGN_S + hold_ns / 1e9, lambda: settled(receipt.from_ns, enough, True))

    def proven_off() -> Proof:
        whole = Span(receipt.from_ns, max(receipt.from_ns, receipt.mending_ns - hold_ns))
        scene.path_faults.append((receipt.asked_ns - hold_ns, receipt.to_ns + hold_ns))
        alone = _left_alone(whole, scene.path_faults[:-1])
        now = {one: together([look(scene, one.proxy, one.stream, span) for span in alone]) for one in places}
        found = judged(toxics, now, there, True, receipt.from_ns)
        few = too_few(toxics, now) if told else ""
        found = Proof(False, f"{found.measured}; {few}") if few else found
        said = f"{found.measured}, from {on_the_clock(scene, receipt.from_ns)} to {on_the_clock(scene, receipt.to_ns)}"
        receipt.landed = Proof(found.seen, said)
        return eventually(scene, OFF_S + way_ns / 1e9, lambda: settled(receipt.to_ns, OFF_PACKETS, False))

    with carried_out(
        scene, receipt, inject=inject, heal=heal, proven_on=proven_on, proven_off=proven_off
    ):  # fmt: skip
        yield receipt


def _left_alone(whole: Span, others: list[tuple[int, int]]) -> list[Span]:
    """The parts of a time in which no fault that came and went meanwhile was on; all, where one nearly always was.

    A condition lasts the whole run, and what a drill does to its path besides is not the condition's.
    """
    parts, from_ns = [], whole.from_ns
    for begun_ns, ended_ns in sorted(other for other in others if other[1] > whole.from_ns):
        parts.append(Span(from_ns, min(begun_ns, whole.to_ns)))
        from_ns = max(from_ns, ended_ns)
    parts.append(Span(from_ns, whole.to_ns))
    left = [part for part in parts if part.to_ns > part.from_ns]
    return left if 2 * sum(part.seconds for part in left) > whole.seconds or len(left) > 1 else [whole]


@dataclass(frozen=True)
class _Place:
    """One direction of one proxy."""

    proxy: str
    stream: str


def _there(scene: Scene, place: _Place, span: Span) -> Mapping[str, float]:
    """What is there without the new toxics: shares as the toxics that are on it have them, and the delay as it is."""
    found, late = {"delay": 0.0}, False
    for toxic in proxy_of(scene).show(place.proxy)["toxics"]:
        effect = EFFECTS.get(toxic["type"])
        late = late or bool(effect and effect.what == "delay" and toxic["stream"] == place.stream)
        if effect and effect.what != "delay" and toxic["stream"] == place.stream:
            share, already = effect.share(toxic["attributes"]), found.get(effect.what, 0.0)
            found[effect.what] = already + share - already * share
    # where nothing is late on purpose, what is late is the machine's doing, as while a stage is still being raised
    if late and (delays := look(scene, place.proxy, place.stream, span).delays_ms):
        found["delay"] = delays[len(delays) // 2]
    return found


def _places(toxics: list[Toxic]) -> list[_Place]:
    return [*dict.fromkeys(_Place(toxic.proxy, toxic.stream) for toxic in toxics)]


def judged(
    toxics: list[Toxic], now: Mapping[_Place, Seen], there: Mapping[_Place, Mapping[str, float]], on: bool,
    since_ns: int,
) -> Proof:  # fmt: skip
    """All toxics by what the canaries saw: each alike is one in the words, and each must be seen in its own place."""
    words, unseen = [], []
    alike: dict[tuple[str, str, str], list[Toxic]] = {}
    for toxic in toxics:
        alike.setdefault((toxic.stream, toxic.kind, str(sorted(toxic.attributes.items()))), []).append(toxic)
    for (stream, _, _), same in alike.items():
        places = [_Place(toxic.proxy, toxic.stream) for toxic in same]
        effect, attributes = same[0].effect, same[0].attributes
        say = effect.on if on else effect.off
        without = {one: there[one].get(effect.what, 0.0) for one in places}
        pooled = say(attributes, together([now[one] for one in places]), sum(without.values()) / len(without))
        words.append(f"{stream} {pooled.measured}")
        if not pooled.seen:
            unseen.append(stream)
        for one in places if on else ():
            each_one = say(attributes, now[one], without[one])
            if not each_one.seen:
                unseen.append(f"{one.proxy} {one.stream}: {each_one.measured}")
            if late_ns := effect.late_ns(attributes, since_ns, now[one]):
                unseen.append(f"{one.proxy} {one.stream}: its first sign came {late_ns / 1e9:.2f} s late")
    said = "canary: " + "; ".join(words)
    return Proof(not unseen, said + (f"; not as asked: {'; '.join(unseen)}" if unseen else ""))


def too_few(toxics: list[Toxic], now: Mapping[_Place, Seen]) -> str:
    """Which toxic too few packets of canaries met to tell whether it acted; empty where all met enough."""
    for toxic in toxics:
        sent = sum(seen.sent for place, seen in now.items() if place.stream == toxic.stream)
        needs = toxic.effect.needs(toxic.attributes)
        if sent < needs:
            return f"{sent} packets of canaries {toxic.stream}, at least {needs} needed for {toxic.kind}"
    return ""


def _note_counts(scene: Scene, receipt: Receipt, toxics: list[Toxic], lost_before: int) -> None:
    """The proxy's own counters, just before the toxics go: how many packets each has acted on, and its own losses."""
    server = proxy_of(scene)
    acted: dict[str, int] = {}
    for proxy in dict.fromkeys(toxic.proxy for toxic in toxics):
        counts = server.show(proxy)["counts"]["acted"]
        acted |= {f"{proxy} {name}": count for name, count in counts.items()}
    receipt.detail["acted"] = acted
    receipt.detail["own_losses"] = server.own_losses() - lost_before
