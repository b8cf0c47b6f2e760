"""A candidate held against thresholds that were written before it ran: pure arithmetic over what was seen of it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from typing import Any

P95 = 0.95
# after a gateway's upgrade: sockets to the old one are found dead (drills/load/users.py looks four times a second) and
# bound anew, and whoever asked while it was away has their answer
SETTLED_NS = 1_000_000_000


@dataclass(frozen=True)
class Thresholds:
    """What a candidate must keep to."""

    setup_success_ratio_min: float
    handshake_failure_ratio_max: float
    login_ms_p95_max: float

    @property
    def digest(self) -> str:
        """What they are known by in the record: a digest of the numbers."""
        return "sha256:" + sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]

    def bounds(self) -> dict[str, float]:
        """Each threshold by the name of its figure; that of the set-ups is the least, the others the most."""
        return {
            "setup_success_ratio": self.setup_success_ratio_min,
            "handshake_failure_ratio": self.handshake_failure_ratio_max,
            "login_ms_p95": self.login_ms_p95_max,
        }

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Thresholds:
        """From an event of the record."""
        return cls(**{name: float(fields[name]) for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class Upgraded:
    """A service that was seen to run the candidate: since when, and a relay's id as the candidate."""

    kind: str
    since_ns: int
    relay_id: str = ""


def since_ns(upgraded: Sequence[Upgraded]) -> int:
    """From when on set-ups are the candidate's: its gateway is at home, or the first relay where none was upgraded.

    Relays are emptied before they are replaced, so that set-ups meanwhile are its business too.
    """
    gateways = [one.since_ns + SETTLED_NS for one in upgraded if one.kind == "gateway"]
    return min(gateways or [one.since_ns for one in upgraded])


def logins_since_ns(upgraded: Sequence[Upgraded]) -> int:
    """From when on it is the candidate's doing how long a login takes: the last of its services is at home.

    Until then we start services beside it, on the same machine: that may fail nobody, but it takes CPU.
    """
    return max(since_ns(upgraded), *(one.since_ns for one in upgraded))


@dataclass(frozen=True)
class Seen:
    """What was seen of a candidate while it ran."""

    setups: int
    setups_ok: int
    handshakes: int
    handshakes_failed: int
    logins_ms: tuple[float, ...]

    def figures(self) -> dict[str, float | None]:
        """The three figures; None where nothing was seen."""
        return {
            "setup_success_ratio": self.setups_ok / self.setups if self.setups else None,
            "handshake_failure_ratio": self.handshakes_failed / self.handshakes if self.handshakes else None,
            "login_ms_p95": quantile(self.logins_ms, P95),
        }


def quantile(values: tuple[float, ...], share: float) -> float | None:
    """The smallest value that this share of them does not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)] if values else None


def past(seen: Seen, limits: Thresholds) -> list[str]:
    """Every figure that lies past its threshold, in words; luck is not asked about."""
    figures, bounds = seen.figures(), limits.bounds()
    return [f"{name} {figures[name]:.3g}, threshold {bounds[name]:g}" for name in past_names(seen, limits)]


def past_names(seen: Seen, limits: Thresholds) -> list[str]:
    """The names of these figures."""
    figures, bounds = seen.figures(), limits.bounds()
    found = []
    for name, figure in figures.items():
        if figure is not None and (figure < bounds[name] if name == "setup_success_ratio" else figure > bounds[name]):
            found.append(name)
    return found


def past_beyond_luck(seen: Seen, limits: Thresholds, forgiven_ms: float = 0.0) -> list[str]:
    """The thresholds crossed by more than luck explains, even with so much taken off every time."""
    from drills.weighing import HARMLESS_STALL_MS, interval_99

    found = []
    if (
        forgiven_ms < HARMLESS_STALL_MS["session_setup_success_ratio"]
        and interval_99(seen.setups_ok, seen.setups)[1] < limits.setup_success_ratio_min
    ):
        found.append("setup_success_ratio")
    if (
        forgiven_ms < HARMLESS_STALL_MS["handshake_failure_ratio"]
        and interval_99(seen.handshakes_failed, seen.handshakes)[0] > limits.handshake_failure_ratio_max
    ):
        found.append("handshake_failure_ratio")
    slow = sum(ms - forgiven_ms > limits.login_ms_p95_max for ms in seen.logins_ms)
    if interval_99(slow, len(seen.logins_ms))[0] > 1 - P95:
        found.append("login_ms_p95")
    return found


def past_had_it_been_slower(seen: Seen, limits: Thresholds, ms: float, unseen: float = 0.0, more: int = 0) -> list[str]:
    """The thresholds crossed had every login taken so many ms longer, and all of them once set-ups could fail of it.

    And had that share of the set-ups and handshakes, and so many more of each, been bad that were taken for good ones.
    """
    from drills.weighing import HARMLESS_STALL_MS

    if ms >= min(HARMLESS_STALL_MS["session_setup_success_ratio"], HARMLESS_STALL_MS["handshake_failure_ratio"]):
        return [*limits.bounds()]
    worse = replace(
        seen, logins_ms=tuple(login_ms + ms for login_ms in seen.logins_ms),
        setups_ok=max(0, seen.setups_ok - math.ceil(unseen * seen.setups) - more),
        handshakes_failed=min(seen.handshakes, seen.handshakes_failed + math.ceil(unseen * seen.handshakes) + more),
    )  # fmt: skip
    return past_names(worse, limits)


def too_few(seen: Seen, limits: Thresholds) -> str:
    """What there is too little of for these thresholds to be told from luck; empty where there is enough.

    3/(1 − limit) for a ratio (design §6), and for a p95 as many as for a share of 0.05.
    """
    needed = {
        "set-ups": (seen.setups, 3.0 / (1.0 - limits.setup_success_ratio_min)),
        "handshakes": (seen.handshakes, 3.0 / limits.handshake_failure_ratio_max),
        "logins": (len(seen.logins_ms), 3.0 / (1.0 - P95)),
    }
    return ", ".join(f"{count} {what}, at least {math.ceil(round(least, 6))} needed"
                     for what, (count, least) in needed.items() if count < round(least, 6))  # fmt: skip
