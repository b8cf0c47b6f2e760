"""What a toxic ought to do to packets, and whether a canary saw it: asked, measured, and a yes or no. Pure.

Shares are held against four standard deviations of what was asked (one honest measurement in 16 000 lies outside),
delays against a millisecond at the median, or more where jitter alone moves it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from drills.faults.base import Proof
from drills.paths.notes import EVERY_NS, Seen

DEVIATIONS = 4.0
MEDIAN_MS = 1.0  # the issue's own figure for the proxy's accuracy
OFF_SHARE = 1 / 3  # off again: less than a third of what was asked is left
ENOUGH_HITS = 8.0  # so many packets ought to be hit before a share is believed
DELAYS_MIN, SILENCE_MIN = 30, 20
RARE = 0.01  # only conditions lose so little; a fault loses more (drills/faults/impaired.py, Share)
NEVER = 1e-6  # a first hit later than this probability allows came late


@dataclass(frozen=True)
class Effect:
    """How one kind of toxic shows. ``on`` and ``off`` take what was seen and what is there without it."""

    what: str  # which figure of what was seen it moves: lost, doubled, altered, or delay
    share: Callable[[Mapping[str, Any]], float]  # of the packets, how many it hits in the long run
    words: Callable[[Mapping[str, Any]], str]  # what is asked, for a reader
    needs: Callable[[Mapping[str, Any]], int]  # packets a direction before it can be told
    on: Callable[[Mapping[str, Any], Seen, float], Proof]
    off: Callable[[Mapping[str, Any], Seen, float], Proof]
    late_ns: Callable[[Mapping[str, Any], int, Seen], int]  # how long after a moment its first sign came, if too long


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _deviation(share: float, packets: int, together: float = 1.0) -> float:
    """The standard deviation of a measured share, hits coming in bursts of so many at a time."""
    return math.sqrt(max(1e-9, share * (1 - share)) * together / max(1, packets))


def _share_effect(what: str, name: str, share: Callable[[Mapping[str, Any]], float],
                  bursts: Callable[[Mapping[str, Any]], float] = lambda attributes: 1.0) -> Effect:  # fmt: skip
    """A toxic that hits a share of the packets."""

    def on(attributes: Mapping[str, Any], now: Seen, there: float) -> Proof:
        asked = share(attributes)
        wanted = there + asked - there * asked
        found, deviation = now.share(what), _deviation(wanted, now.sent, bursts(attributes))
        words = f"{name}: asked {_percent(wanted)}, measured {_percent(found)} ± {_percent(deviation)} of {now.sent}"
        allowed = DEVIATIONS * deviation
        hits = now.sent * asked
        if asked < RARE and hits < ENOUGH_HITS:  # so few are due that none at all is no wonder
            sign = True
        elif hits / bursts(attributes) < ENOUGH_HITS:  # so few bursts that there may be half of them, or double
            sign = found > there
        else:
            sign = found - there > OFF_SHARE * asked
        return Proof(abs(found - wanted) <= allowed and sign, words)

    def off(attributes: Mapping[str, Any], now: Seen, there: float) -> Proof:
        asked, found = share(attributes), now.share(what)
        allowed = there + OFF_SHARE * asked + 2 * _deviation(there, now.sent)
        return Proof(found <= allowed, f"{name}: {_percent(found)} of {now.sent}")

    def late_ns(attributes: Mapping[str, Any], since_ns: int, now: Seen) -> int:
        asked = min(share(attributes), 1 - 1e-9)
        allowed = math.ceil(math.log(NEVER) / math.log(1 - asked) * bursts(attributes)) * EVERY_NS + 50_000_000
        first = next((ns for ns in now.hits_ns if ns >= since_ns), 0)
        return first - since_ns if first and first - since_ns > allowed else 0

    return Effect(what, share, lambda attributes: f"{name} {_percent(share(attributes))}",
                  lambda attributes: math.ceil(ENOUGH_HITS * bursts(attributes) / share(attributes)), on, off,
                  late_ns)  # fmt: skip


def _none_late(attributes: Mapping[str, Any], since_ns: int, now: Seen) -> int:
    return 0


def _latency() -> Effect:
    def on(attributes: Mapping[str, Any], now: Seen, there: float) -> Proof:
        added, jitter = now.delay_ms() - there, float(attributes.get("jitter", 0))
        asked = float(attributes["latency"])
        # in order, a packet waits for the one before it, and the median of what comes lies higher
        upper = MEDIAN_MS + DEVIATIONS * 1.25 * jitter / math.sqrt(max(1, now.sent))
        upper += 2.0 * jitter if attributes.get("order", "kept") == "kept" else 0.0
        lower = MEDIAN_MS + DEVIATIONS * 1.25 * jitter / math.sqrt(max(1, now.sent))
        spread = (now.delay_ms(0.84) - now.delay_ms(0.16)) / 2
        words = f"latency: asked {asked:g} ± {jitter:g} ms, measured {added:.1f} ± {spread:.1f} ms of {now.sent}"
        wide = not jitter or spread > 0.2 * jitter
        return Proof(-lower <= added - asked <= upper and wide, words)

    def off(attributes: Mapping[str, Any], now: Seen, there: float) -> Proof:
        left = now.delay_ms() - there
        return Proof(left < max(MEDIAN_MS, OFF_SHARE * float(attributes["latency"])), f"latency: {left:+.1f} ms left")

    def words(attributes: Mapping[str, Any]) -> str:
        return f"latency {attributes['latency']:g} ± {attributes.get('jitter', 0):g} ms"

    return Effect("delay", lambda attributes: 1.0, words,
                  lambda attributes: DELAYS_MIN, on, off, _none_late)  # fmt: skip


def _blackhole() -> Effect:
    def on(attributes: Mapping[str, Any], now: Seen, there: float) -> Proof:
        return Proof(now.sent > 0 and now.lost == now.sent, f"silence: {now.sent - now.lost} of {now.sent} came")

    def off(attributes: Mapping[str, Any], now: Seen, there: float) -> Proof:
        return Proof(now.sent > 0 and now.share("lost") <= there + OFF_SHARE,
                     f"silence: {now.sent - now.lost} of {now.sent} came")  # fmt: skip

    return Effect(
        "lost",
        lambda attributes: 1.0,
        lambda attributes: "nothing comes through",
        lambda attributes: SILENCE_MIN,
        on,
        off,
        _none_late,
    )


def bursty_share(attributes: Mapping[str, Any]) -> float:
    """The share of packets that a Gilbert-Elliott chain loses in the long run."""
    p, r = float(attributes["p"]), float(attributes["r"])
    bad = p / (p + r)
    return bad * float(attributes.get("loss_bad", 1.0)) + (1 - bad) * float(attributes.get("loss_good", 0.0))


def _probability(attributes: Mapping[str, Any]) -> float:
    return float(attributes["probability"])


EFFECTS: dict[str, Effect] = {
    "loss": _share_effect("lost", "loss", _probability),
    # neighbours in a chain are alike: by 2/r - 1 at most does that widen a measured share
    "bursty_loss": _share_effect("lost", "loss in bursts", bursty_share, lambda one: 2.0 / float(one["r"])),
    "duplicate": _share_effect("doubled", "doubled", _probability),
    "corrupt": _share_effect("altered", "altered", _probability),
    "latency": _latency(),
    "blackhole": _blackhole(),
}
