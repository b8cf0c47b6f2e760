"""What a scenario may promise: one table from the name of a claim to how it is measured and judged.

The table is light to import (``drills list`` reads it); the measuring itself sits in ``drills/measures`` and is
looked up by name when a record is judged.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from drills.measures.evidence import Measure


class Shape(StrEnum):
    """How a figure meets its limit."""

    RATIO_MAX = "ratio_max"  # share of failures, 0 to 1, at most the limit
    RATIO_MIN = "ratio_min"  # share of successes, 0 to 1, at least the limit
    QUANTILE_MAX = "quantile_max"  # a percentile, at most the limit
    COUNT_MAX = "count_max"  # how many were seen, at most the limit
    COUNT_MIN = "count_min"  # how many were seen, at least the limit
    TIME_MAX = "time_max"  # how long one thing took, at most the limit


class DoubtKind(StrEnum):
    """What can make a measured figure say less than it seems to (design §4)."""

    GENERATOR = "generator"  # our load was late, or stood still
    OWN_LOSS = "own_loss"  # packets died in our own sockets
    STARVED = "starved"  # the machine kept a stage process waiting for a CPU
    FAULT = "fault"  # the fault did not land, landed late or stayed
    CLOCK = "clock"  # the wall clock stepped
    STAGE = "stage"  # a service is not where or what it should be
    INTERRUPTED = "interrupted"  # somebody stopped the run
    RECORD = "record"  # part of the record is missing
    CONTROL = "control"  # calm, the control run of the same suite, was not held


# Doubts that any claim has; the others are listed by claim, because only some figures can be explained by them.
ALWAYS = frozenset({DoubtKind.FAULT, DoubtKind.STAGE, DoubtKind.INTERRUPTED, DoubtKind.RECORD, DoubtKind.CONTROL})
MEDIA = frozenset({DoubtKind.GENERATOR, DoubtKind.OWN_LOSS, DoubtKind.STARVED, DoubtKind.CLOCK})
SETUP = frozenset({DoubtKind.GENERATOR, DoubtKind.STARVED, DoubtKind.CLOCK})


@dataclass(frozen=True)
class Claim:
    """One thing that can be promised."""

    name: str
    shape: Shape
    unit: str
    measure_name: str  # "module:function" under drills.measures
    promise: str  # the claim as a sentence
    quantile: float | None = None
    doubts: frozenset[DoubtKind] = frozenset()
    indicator: str = ""  # the Operations page's name, where it is one of its service indicators
    windows: tuple[str, ...] = ("calm", "fault", "recovery")
    about_time_ms: float = 0.0  # how many ms one unit is, for claims whose limit is a time; 0 for others
    rows: str = "journal.jsonl"  # what the figure is made of: a file of the record, and which of its rows and columns

    @property
    def measure(self) -> Measure:
        """The function that reads the record for this claim."""
        module, function = self.measure_name.split(":")
        found: Any = getattr(import_module(f"drills.measures.{module}"), function)
        return found  # type: ignore[no-any-return]


_TABLE = (
    Claim(
        "session_setup_success_ratio", Shape.RATIO_MIN, "ratio", "sessions:setups",
        "a session that is asked for comes up", doubts=SETUP, indicator="session setup success rate",
        rows="journal.jsonl#event=session.setup, by=intended_ns, field=ok",
    ),
    Claim(
        "setup_outage_s", Shape.TIME_MAX, "s", "sessions:setup_outage",
        "whoever asks for a session gets one again soon", doubts=SETUP, about_time_ms=1000.0,
        rows="journal.jsonl#event=session.setup, by=intended_ns, field=ok",
    ),
    Claim(
        "handshake_failure_ratio", Shape.RATIO_MAX, "ratio", "sessions:handshakes",
        "a relay acknowledges the lease that is presented to it", doubts=SETUP, indicator="handshake failure rate",
        rows="journal.jsonl#event=handshake, by=sent_ns, field=outcome",
    ),
    Claim(
        "session_drop_ratio", Shape.RATIO_MAX, "ratio", "sessions:drops",
        "a session lasts until its planned end", doubts=MEDIA, indicator="session drop rate",
        rows="ledger.csv#column=cut_off",
    ),
    Claim(
        "packets_lost_ratio", Shape.RATIO_MAX, "ratio", "media:losses",
        "what one end sends, the other receives", doubts=MEDIA,
        rows="ledger.csv#column=packets_lost of packets_sent",
    ),
    Claim(
        "silence_ms_p99", Shape.QUANTILE_MAX, "ms", "media:longest_silences",
        "no session hears nothing for long", quantile=0.99, doubts=MEDIA, about_time_ms=1.0,
        rows="ledger.csv#column=longest_ms",
    ),
    Claim(
        "media_continuity_ratio", Shape.RATIO_MIN, "ratio", "continuity:media_continuity",
        "a session's media goes on: nothing freezes, and nobody has to look for another relay", doubts=MEDIA,
        rows="ledger.csv#column=continuous",
    ),
    Claim(
        "signaling_continuity_ratio", Shape.RATIO_MIN, "ratio", "continuity:signaling_continuity",
        "whoever is bound stays bound, or is again soon by the token that they have", doubts=SETUP,
        indicator="signal continuity", rows="journal.jsonl#event=signal.bound, signal.lost, signal.rebound",
    ),
    Claim(
        "auth_continuity_ratio", Shape.RATIO_MIN, "ratio", "continuity:auth_continuity",
        "a token that was accepted goes on being accepted", indicator="auth continuity",
        rows="journal.jsonl#event=signal.bound, signal.rebound, signal.refused",
    ),
    Claim(
        "input_to_present_ms_p95", Shape.QUANTILE_MAX, "ms", "media:input_to_present",
        "an input is seen in a frame soon", quantile=0.95, doubts=MEDIA, about_time_ms=1.0,
        indicator="p95 input-to-present latency", rows="samples/*.parquet#direction=0, by=intended_ns",
    ),
    Claim(
        "input_to_present_ms_p99", Shape.QUANTILE_MAX, "ms", "media:input_to_present",
        "almost every input is seen in a frame soon", quantile=0.99, doubts=MEDIA, about_time_ms=1.0,
        indicator="p99 input-to-present latency", rows="samples/*.parquet#direction=0, by=intended_ns",
    ),
    Claim(
        "no_lease_lands_on_a_draining_relay", Shape.COUNT_MAX, "leases", "drain:leases_on_the_drained",
        "nobody new is sent to a relay that is being drained", windows=("fault",),
        rows="journal.jsonl#event=lease.given, by=asked_ns, field=relay_id",
    ),
    Claim(
        "drain_holds", Shape.COUNT_MIN, "heartbeats", "drain:heartbeats_held",
        "a drained relay stays drained while it goes on beating", windows=("fault",),
        rows="journal.jsonl#event=relays.seen, by=asked_ns, field=relays",
    ),
    Claim(
        "reregistration_seen", Shape.COUNT_MIN, "registrations", "drain:reregistrations",
        "a relay that lost its master registers again by itself", windows=("fault",),
        rows="journal.jsonl#event=master.registered, field=relay_id",
    ),
    Claim(
        "drain_survives_reregistration", Shape.COUNT_MAX, "sightings", "drain:sightings_after_reregistration",
        "a drain is not undone by the relay registering again", windows=("fault",),
        rows="journal.jsonl#event=relays.seen, by=asked_ns, field=relays",
    ),
    Claim(
        "relay_back_s", Shape.TIME_MAX, "s", "drain:seconds_until_back",
        "a restarted relay is ready, named by a lease and forwarding soon", windows=("fault",), about_time_ms=1000.0,
        rows="journal.jsonl#event=fault.receipt, relay.back, field=asked_ns, forwarded_ns",
        doubts=frozenset({DoubtKind.STARVED, DoubtKind.CLOCK}),
    ),
)  # fmt: skip

CLAIMS: dict[str, Claim] = {claim.name: claim for claim in _TABLE}
