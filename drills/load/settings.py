"""What the load needs to know, carried to its processes as one JSON text in the environment."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from ipaddress import IPv4Address
from pathlib import Path

from drills.errors import BadInput

VARIABLE = "DRILLS_LOAD"
CONTROL_PORT = 5557  # Locust's own default, for its workers
ADDRESSES_A_WORKER = 256
ANSWER_WAIT_S = 0.5  # contract-master-relay §4.9
ENDS_AN_ADDRESS = 12  # a relay takes 1000 packets/s from one address (contract-master-relay §4.7)
COMMAND_PORT = 5558  # where the Locust master of ours listens for the runner
# On the direct path an end's port is known beforehand: below those that the kernel picks (net.ipv4.ip_local_port_range)
MEDIA_PORTS = 20000
DOORS_FIRST, DOORS_A_WORKER = 10000, 1024
WEB_PORT = 8089  # Locust's web UI, when the load was started by hand


@dataclass(frozen=True)
class LoadSettings:
    """Addresses in host:port form; lengths of time in seconds."""

    gateway: str
    master: str
    ends_first: str  # the first of the ends' own addresses; worker N has ADDRESSES_A_WORKER of them from N times that
    ends_addresses: int  # how many of its addresses each worker uses
    control_host: str  # the Locust master listens here, for its workers and for the runner
    resident: int
    visitors: int
    workers: int
    resident_length_s: tuple[float, float]
    visit_length_s: float
    renew_every_s: float
    inputs_per_s: int
    frames_per_s: int
    seed: int
    run_folder: str | None = None
    # clients or hosts -> a relay's host:port -> where to send instead; empty where nothing stands in their way
    detours: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    direct: str = ""  # host:port of the first end's door on the direct path; empty where that path is closed
    path_s: float = 0.0  # how long what one end sends may be on its way to the other, by the path alone
    round_trip_s: float = 0.0  # how long an answer of a relay usually takes at most, by the path alone

    @property
    def answer_wait_s(self) -> float:
        """How long an end waits for a relay's answer before it asks again: no sooner than one can have come."""
        return ANSWER_WAIT_S + self.round_trip_s

    def way(self, side: str, relay: tuple[str, int]) -> tuple[str, int]:
        """Where ends of one side (``clients``, ``hosts``) send what is meant for a relay."""
        instead = self.detours.get(side, {}).get(f"{relay[0]}:{relay[1]}")
        host, _, port = (instead or "").rpartition(":")
        return (host, int(port)) if instead else relay

    def media_port(self, number: int) -> int:
        """The port of a worker's ``number``-th end: its own where the direct path is open, known beforehand."""
        return MEDIA_PORTS + number if self.direct else 0

    def door(self, worker: int, number: int) -> str:
        """host:port where a worker's ``number``-th end is reached on the direct path, as its NAT would have it."""
        host, _, first = self.direct.rpartition(":")
        return f"{host}:{int(first) + worker * DOORS_A_WORKER + number}"

    def doors(self) -> dict[str, tuple[str, str]]:
        """Every door on the direct path by its proxy's name: where it listens, and the end behind it."""
        pairs = -(-self.population // self.workers) + 1  # Locust spreads them evenly
        return {
            f"direct_{worker}_{number}": (
                self.door(worker, number), f"{self.end_address(worker, number)}:{self.media_port(number)}"
            )
            for worker in range(self.workers) for number in range(2, 2 * pairs + 2)
        } if self.direct else {}  # fmt: skip

    def to_json(self) -> str:
        """The text for the environment."""
        return json.dumps(asdict(self))

    def environment(self) -> dict[str, str]:
        """What a process of the load must find in its environment."""
        return {VARIABLE: self.to_json()}

    @classmethod
    def from_environment(cls) -> LoadSettings:
        """What ``DRILLS_LOAD`` holds, or a small load by hand where the compose file's own variables are there."""
        text = os.environ.get(VARIABLE)
        if not text and "DRILLS_GATEWAY" in os.environ:
            return cls.by_hand(os.environ)
        if not text:
            raise BadInput(f"{VARIABLE}: found nothing, expected the settings that `drills stand` prints")
        try:
            raw = json.loads(text)
            return cls(**{**raw, "resident_length_s": tuple(raw["resident_length_s"])})
        except (ValueError, TypeError, KeyError) as error:
            raise BadInput(f"{VARIABLE}: found {text[:80]!r} ({error}), expected what `drills stand` prints") from None

    @classmethod
    def by_hand(cls, environment: Mapping[str, str]) -> LoadSettings:
        """For `docker compose up` without a run: a few sessions at Wavry's own pace, nothing is recorded."""
        return cls(
            gateway=environment["DRILLS_GATEWAY"], master=environment["DRILLS_MASTER"],
            ends_first=environment["DRILLS_ENDS"], ends_addresses=ADDRESSES_A_WORKER,
            control_host=environment["DRILLS_CONTROL_HOST"], resident=6, visitors=4, workers=1,
            resident_length_s=(65.0, 80.0), visit_length_s=1.8, renew_every_s=20.0, inputs_per_s=60, frames_per_s=60,
            seed=1,
        )  # fmt: skip

    def end_address(self, worker: int, number: int) -> str:
        """The address of a worker's ``number``-th end; ends share addresses where there are more of them."""
        first = IPv4Address(self.ends_first) + worker * ADDRESSES_A_WORKER
        return str(first + number % self.ends_addresses)

    @property
    def population(self) -> int:
        """How many pairs there are in all."""
        return self.resident + self.visitors

    @property
    def folder(self) -> Path | None:
        """Where journal and samples go; None for a load started by hand."""
        return Path(self.run_folder) if self.run_folder else None

    @property
    def run(self) -> str:
        """The run's name, which salts the fingerprints of tokens; empty for a load started by hand."""
        return self.folder.name if self.folder else ""
