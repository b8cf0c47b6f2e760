"""What a path alone does to a session, worked out before the run: the floor that path-dependent limits stand on.

A perfect relay between two impaired ways, in numbers: the proxy's own toxics decide about every packet of some sessions
of inputs and frames, and what comes out is read as a record is read. No sockets, no waiting, always the same answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from drills.paths.effects import EFFECTS
from drills.scenario.models import Action, Scenario, Step
from drills.scenario.networks import Network, Toxics
from drills.udp_proxy.attributes import parsed
from drills.udp_proxy.draws import Draws
from drills.udp_proxy.fates import Decide
from drills.udp_proxy.toxics.table import KINDS

SESSIONS, SECONDS = 64, 15.0  # as many session-seconds as a window of a drill has, and more
PACKET_BYTES = 52
ROUND_TRIPS = 3
THINNED_PER_S = 30  # packets a second of each end, under a condition
FOREVER_MS = 60_000.0  # where a way is closed: no limit over this floor says anything
Ways = Mapping[str, Mapping[str, Toxics]]  # side -> stream -> toxics
NOTHING: Ways = {"clients": {}, "hosts": {}}


@dataclass(frozen=True)
class Floor:
    """What the path adds, beside what a session with nothing in its way has; ms and shares."""

    present_ms_p95: float = 0.0  # of input-to-present
    present_ms_p99: float = 0.0
    lost_ratio: float = 0.0  # of all packets, end to end
    inputs_lost_ratio: float = 0.0
    frames_lost_ratio: float = 0.0
    silence_ms: float = 0.0  # the longest of any session
    frames_silence_ms: float = 0.0
    way_ms: float = 0.0  # the longest that a packet is on its way
    round_trip_ms: float = 0.0  # there and back again, nearly always (99 in 100 each way)
    rebound_s: float = (
        0.0  # of a session that has to be found again: a RENEW, a PRESENT and the first packet, there and back
    )

    def highest(self, other: Floor) -> Floor:
        """The higher of each figure."""
        mine, theirs = asdict(self), asdict(other)
        return Floor(**{key: max(mine[key], theirs[key]) for key in mine})


def floors(network: Network | None, scenario: Scenario) -> dict[str, Floor]:
    """For each window, the highest that the path can come to in it, by the condition and by faults on the path."""
    base = network.toxics if network else NOTHING
    written = (scenario.load.inputs_per_s, scenario.load.frames_per_s)
    load = thinned(scenario).load if network else scenario.load
    rates = (load.inputs_per_s, load.frames_per_s, written)
    plain = floor_of(base, *rates)
    fault = plain
    for ways in _states(scenario.fault, base):
        fault = fault.highest(floor_of(ways, *rates))
    return {"calm": plain, "fault": fault, "recovery": plain}


def _states(steps: tuple[Step, ...], ways: Ways) -> list[Ways]:
    """Every combination of faults on the paths that the story has in force at some time."""
    from drills.faults.table import FAULTS
    from drills.stage.compose import PATHS

    found: list[Ways] = []
    for step in steps:
        if isinstance(step, Action):
            continue
        inside = ways
        toxic = getattr(step.arguments, "toxic", None)
        if FAULTS[step.fault].on == "path" and toxic:
            direction = getattr(step.arguments, "direction", "both")
            streams = ("upstream", "downstream") if direction == "both" else (direction,)
            inside = {side: _with(mine, streams, toxic()) if side in PATHS[step.subject] else mine
                      for side, mine in ways.items()}  # fmt: skip
            found.append(inside)
        found += _states(step.steps, inside)
    return found


def _with(ways: Mapping[str, Toxics], streams: tuple[str, ...], toxic: tuple[str, Any]) -> dict[str, Toxics]:
    return {stream: (*ways.get(stream, ()), *((toxic,) if stream in streams else ()))
            for stream in ("upstream", "downstream")}  # fmt: skip


def thinned(scenario: Scenario) -> Scenario:
    """The drill with fewer packets: a proxy that holds every packet takes a test machine of two CPUs half of one.

    That an input waits longer for its frame then is in the floor: it is no relay's doing.
    """
    load = scenario.load
    fewer = {key: min(getattr(load, key), THINNED_PER_S) for key in ("inputs_per_s", "frames_per_s")}
    return replace(scenario, load=load.model_copy(update=fewer))


def floor_of(
    ways: Ways, inputs_per_s: int, frames_per_s: int, written: tuple[int, int] | None = None
) -> Floor:  # fmt: skip
    """The floor of one state of the path; over what the rates that are ``written`` come to, where those are others."""
    if not any(toxics for side in ways.values() for toxics in side.values()):
        return Floor()
    with_path = _simulated(ways, inputs_per_s, frames_per_s)
    without = _simulated(NOTHING, *(written or (inputs_per_s, frames_per_s)))
    *added, usual_ms = [max(0.0, high - low) for high, low in zip(with_path, without, strict=True)]
    found = replace(Floor(*added), round_trip_ms=2 * usual_ms, rebound_s=ROUND_TRIPS * 2 * usual_ms / 1000)
    inputs, frames = _lost(ways, "clients", "hosts"), _lost(ways, "hosts", "clients")
    both = (inputs * inputs_per_s + frames * frames_per_s) / (inputs_per_s + frames_per_s)
    return found.highest(Floor(lost_ratio=both, inputs_lost_ratio=inputs, frames_lost_ratio=frames))


def _lost(ways: Ways, sender: str, receiver: str) -> float:
    """The share of packets lost from one end to the other in the long run: bursts make a short count uncertain."""
    kept = 1.0
    for side, stream in ((sender, "upstream"), (receiver, "downstream")):
        for kind, attributes in ways.get(side, {}).get(stream, ()):
            effect = EFFECTS.get(kind)
            if effect and effect.what == "lost":
                kept *= 1.0 - effect.share(attributes)
    return 1.0 - kept


def _simulated(ways: Ways, inputs_per_s: int, frames_per_s: int) -> tuple[float, ...]:
    import numpy

    presents, inputs_lost, frames_lost, on_the_way = [], [], [], []
    silences, frame_silences = [0.0], [0.0]
    for session in range(SESSIONS):
        due = _due_ns(inputs_per_s, 0)
        frames_due = _due_ns(frames_per_s, 5 * 10**8 // frames_per_s)
        up = _travelled(due, ways, ("clients", "upstream"), ("hosts", "downstream"), session)
        down = _travelled(frames_due, ways, ("hosts", "upstream"), ("clients", "downstream"), session)
        presents.append(_presented_ms(due, up, frames_due, down))
        inputs_lost.append((up < 0).mean())
        frames_lost.append((down < 0).mean())
        silences.append(max(_silence_ms(due, up), _silence_ms(frames_due, down)))
        frame_silences.append(_silence_ms(frames_due, down))
        for sent, came in ((due, up), (frames_due, down)):
            heard = came >= 0
            on_the_way.append((came - sent)[heard] / 1e6)
    shown = numpy.concatenate(presents)
    quantiles = [float(numpy.quantile(shown, q, method="higher")) if len(shown) else FOREVER_MS for q in (0.95, 0.99)]
    lost_in, lost_out = float(numpy.mean(inputs_lost)), float(numpy.mean(frames_lost))
    both = (lost_in * inputs_per_s + lost_out * frames_per_s) / (inputs_per_s + frames_per_s)
    times = numpy.concatenate(on_the_way)
    longest, usual = (float(times.max()), float(numpy.quantile(times, 0.99))) if len(times) else (0.0, 0.0)
    return (*quantiles, both, lost_in, lost_out, max(silences), max(frame_silences), longest, usual)


def _due_ns(per_s: int, offset_ns: int) -> Any:
    import numpy

    return numpy.arange(int(SECONDS * per_s), dtype=numpy.int64) * (10**9 // per_s) + offset_ns


def _travelled(sent_ns: Any, ways: Ways, first: tuple[str, str], second: tuple[str, str], session: int) -> Any:
    """When each packet comes out at the other end; −1 where it never does."""
    import numpy

    numbers = list(range(len(sent_ns)))
    moments = [int(ns) for ns in sent_ns]
    for side, stream in (first, second):
        toxics = ways.get(side, {}).get(stream, ())
        numbers, moments = _through(numbers, moments, _deciders(toxics, side, stream, session))
    came = numpy.full(len(sent_ns), -1, dtype=numpy.int64)
    for number, ns in zip(numbers, moments, strict=True):
        if came[number] < 0 or ns < came[number]:
            came[number] = ns
    return came


def _deciders(toxics: Toxics, side: str, stream: str, session: int) -> list[Decide]:
    return [parsed(KINDS[kind], dict(attributes)).decider(Draws("floor", side, stream, kind, place, session))
            for place, (kind, attributes) in enumerate(toxics)]  # fmt: skip


def _through(numbers: list[int], moments: list[int], deciders: list[Decide]) -> tuple[list[int], list[int]]:
    """Packets through the toxics of one direction of a flow, in the order in which they come to each."""
    for decide in deciders:
        here = sorted(zip(moments, numbers, strict=True))
        numbers, moments = [], []
        for place, (ns, number) in enumerate(here):
            fate = decide(place, PACKET_BYTES, ns)
            if not fate.dropped:
                numbers.append(number)
                moments.append(ns + fate.delay_ns)
    return numbers, moments


def _presented_ms(due_ns: Any, came_ns: Any, frames_due_ns: Any, frames_came_ns: Any) -> Any:
    """Input-to-present of each input that came, as drills/measures/media.py has it; a second where never shown."""
    import numpy

    heard = came_ns >= 0
    order = numpy.argsort(came_ns[heard], kind="stable")
    arrived, newest = came_ns[heard][order], numpy.maximum.accumulate(numpy.flatnonzero(heard)[order])
    place = numpy.searchsorted(arrived, frames_due_ns, side="right") - 1
    shows = numpy.where(place >= 0, newest[numpy.maximum(place, 0)] if len(newest) else -1, -1)
    shown = (frames_came_ns >= 0) & (shows >= 0)
    order = numpy.argsort(frames_came_ns[shown], kind="stable")
    moments, latest = frames_came_ns[shown][order], numpy.maximum.accumulate(shows[shown][order])
    inputs = numpy.flatnonzero(heard & (due_ns < due_ns[-1] - 2 * 10**9))  # the last ones have too few frames left
    found = numpy.searchsorted(latest, inputs)
    never = found >= len(moments)
    values = numpy.full(len(inputs), 1000.0)
    values[~never] = (moments[found[~never]] - due_ns[inputs[~never]]) / 1e6
    return numpy.minimum(values, 1000.0)


def _silence_ms(due_ns: Any, came_ns: Any) -> float:
    """The longest stretch without an arrival, from the first send to the last send or arrival."""
    import numpy

    came = numpy.sort(came_ns[came_ns >= 0])
    if not len(came):
        return FOREVER_MS
    moments = numpy.concatenate((due_ns[:1], came, [max(int(due_ns[-1]), int(came[-1]))]))
    return float(numpy.diff(moments).max()) / 1e6
