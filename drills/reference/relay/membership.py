"""A relay's standing with its master: what each heartbeat's outcome means, how long to wait, which key to trust.

Pure; ``master_link`` does the calls. The table is contract §3.5, the waits are §3.4, the keys are D-05 of
docs/contract.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from drills.reference.defects import Defects
from drills.reference.relay.admission import Keys
from drills.reference.timers import Timers

FAILURES_MAX = 6  # contract §3.5
GIVES_UP_AFTER = 2  # of the defect relay_gives_up_its_master
LOSSES_MAX = 3  # of the defect relay_gives_up_on_master
BACK_OFF_MAX_S = 60.0  # contract §3.4
JITTER = 0.2  # of the wait, either way, so that relays do not come back in lockstep (D-47)
INTERVAL_MIN_S = 0.5  # contract §3.5
NOT_FOUND = 404


@dataclass(frozen=True)
class Registration:
    """A master's answer to a registration."""

    interval_ms: int
    keys: Keys

    def interval_s(self, timers: Timers) -> float:
        """The period to beat at; the master has divided it already, only the least one is divided here."""
        return max(self.interval_ms / 1000, timers.scaled(INTERVAL_MIN_S))


def parse_registration(answer: object) -> Registration:
    """The answer read from JSON; one of another shape raises ValueError and counts as a failed try."""
    if not isinstance(answer, Mapping):
        raise ValueError("the registration answer is not a JSON object")
    interval, key, key_id = (
        answer.get(name) for name in ("heartbeat_interval_ms", "master_public_key", "master_key_id")
    )
    if not isinstance(interval, int) or interval < 0:
        raise ValueError("heartbeat_interval_ms is not a whole number")
    if key_id is not None and not isinstance(key_id, str):
        raise ValueError("master_key_id is not a string")
    return Registration(interval, Keys(_public_key(key), key_id))


def _public_key(listed: Any) -> bytes:
    """A public key as the registration answer writes it: a list of 32 integers (contract §2.6)."""
    if isinstance(listed, list) and len(listed) == 32 and all(isinstance(n, int) and 0 <= n <= 255 for n in listed):
        return bytes(listed)
    raise ValueError("master_public_key is not a list of 32 bytes")


class ForeignMaster(ValueError):
    """The master signs with another key than the one this relay was told to trust."""


def trusted(answer: Registration, explicit_key: bytes | None) -> Keys:
    """The keys to check leases with after a registration, first or repeated (D-05).

    Without an explicit key the answer's are taken. An explicit key is never replaced; its key id is the answer's,
    whatever it looks like, as long as the master says it signs with that very key. A master that signs with another
    raises ForeignMaster: every lease it gives would be refused here.
    """
    if explicit_key is not None and answer.keys.public_key != explicit_key:
        raise ForeignMaster("the master's public key is not the one given with --master-public-key")
    return answer.keys


def back_off_s(attempt: int, timers: Timers, chance: float) -> float:
    """How long to wait after failed try number ``attempt`` (0 is the first): 1, 2, 4 … 60 s, ±20 %.

    ``chance`` is uniform in 0 … 1 and decides where between.
    """
    wait = min(2.0 ** min(attempt, 10), BACK_OFF_MAX_S)
    return timers.scaled(wait * (1 + JITTER * (2 * chance - 1)))


class Membership:
    """Whether the master knows this relay, as far as the relay can tell."""

    def __init__(self, defects: Defects) -> None:
        self.registered = False
        self.failures = 0
        self.silent = False  # only ever by a defect: neither heartbeats nor registers again
        self._never_reregisters = defects.on("relay_never_reregisters")
        self._gives_up = defects.on("relay_gives_up_its_master")
        self._counts_losses, self._losses = defects.on("relay_gives_up_on_master"), 0

    def joined(self) -> None:
        """A registration was accepted."""
        self.registered = True
        self.failures = 0

    def must_rejoin_after(self, status: int | None) -> bool:
        """Note a heartbeat's outcome (None: no answer); whether the relay has to register again, now."""
        if status is not None and 200 <= status < 300:
            self.joined()
            return False
        self._losses += self.registered
        self.registered = False
        self.failures += 1
        if self._counts_losses and self._losses >= LOSSES_MAX:
            self.silent = True
            return False
        if self._gives_up:
            self.silent = self.failures >= GIVES_UP_AFTER
            return False
        if self._never_reregisters:
            self.silent = self.failures >= FAILURES_MAX
            return False
        return status == NOT_FOUND or self.failures >= FAILURES_MAX


class DrainWatch:
    """What the reference master says of this relay's state in its heartbeat answers (an extra field)."""

    def __init__(self) -> None:
        self._state: object = None

    def begins(self, answer: object) -> bool:
        """Whether this answer is the first to say Draining; says so once per change of state."""
        state = answer.get("state") if isinstance(answer, Mapping) else None
        if state is None:
            return False
        began = state == "Draining" and self._state != "Draining"
        self._state = state
        return began
