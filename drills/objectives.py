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
START = frozenset({DoubtKind.STARVED, DoubtKind.CLOCK})  # how long something took to come back: no load is in it


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
    floor: str = ""  # the figure of the path's own floor that its limit stands on (drills/paths/floor.py); in its unit
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
        "what one end sends, the other receives", doubts=MEDIA, floor="lost_ratio",
        rows="ledger.csv#column=packets_lost of packets_sent",
    ),
    Claim(
        "silence_ms_p99", Shape.QUANTILE_MAX, "ms", "media:longest_silences",
        "no session hears nothing for long", quantile=0.99, doubts=MEDIA, about_time_ms=1.0, floor="silence_ms",
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
        floor="present_ms_p95", indicator="p95 input-to-present latency",
        rows="samples/*.parquet#direction=0, by=intended_ns",
    ),
    Claim(
        "input_to_present_ms_p99", Shape.QUANTILE_MAX, "ms", "media:input_to_present",
        "almost every input is seen in a frame soon", quantile=0.99, doubts=MEDIA, about_time_ms=1.0,
        floor="present_ms_p99", indicator="p99 input-to-present latency",
        rows="samples/*.parquet#direction=0, by=intended_ns",
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
        doubts=START,
    ),
    Claim(
        "master_back_s", Shape.TIME_MAX, "s", "master:seconds_until_healthy",
        "a master that is brought back is healthy soon", windows=("fault",), about_time_ms=1000.0, doubts=START,
    ),
    Claim(
        "relays_back_s", Shape.TIME_MAX, "s", "master:seconds_until_relays",
        "a master that is back lists every relay it had before soon", windows=("fault",), about_time_ms=1000.0,
        doubts=START,
    ),
    Claim(
        "ready_is_truthful", Shape.COUNT_MAX, "looks", "master:untruthful_looks",
        "the master says that it is ready when there is a relay to lend, and only then", windows=("fault",),
    ),
    Claim(
        "key_identity_unchanged", Shape.COUNT_MAX, "changes", "master:key_changes",
        "a master comes back with the key that its relays know", windows=("fault",),
    ),
    Claim(
        "fresh_lease_accepted_s", Shape.TIME_MAX, "s", "master:seconds_until_accepted",
        "a lease asked for after an outage is accepted soon by a relay that went through it", windows=("fault",),
        about_time_ms=1000.0, doubts=START,
    ),
    Claim(
        "ready_relays_accept_leases", Shape.COUNT_MAX, "leases", "master:leases_refused_by_ready_relays",
        "a relay that says it is ready accepts the leases that name it", windows=("fault",),
    ),
    Claim(
        "drain_survives_master_restart", Shape.COUNT_MAX, "sightings", "master:sightings_after_the_outage",
        "a drain is not undone by an outage of the master", windows=("fault",),
    ),
    Claim(
        "master_loss_noticed_s", Shape.TIME_MAX, "s", "master:seconds_until_noticed",
        "a relay that cannot reach its master says so soon", windows=("fault",), about_time_ms=1000.0, doubts=START,
    ),
    Claim(
        "direct_path_ratio", Shape.RATIO_MIN, "ratio", "direct:direct_share",
        "whoever can be reached without a relay is", doubts=SETUP, indicator="direct vs relay ratio",
        rows="journal.jsonl#event=session.setup, by=intended_ns, field=path",
    ),
    Claim(
        "fell_back_s", Shape.TIME_MAX, "s", "direct:seconds_until_served",
        "whoever loses the direct path is served by a relay soon", windows=("fault",), about_time_ms=1000.0,
        doubts=MEDIA, rows="journal.jsonl#event=path.fell_back, field=heard_ns, served_ns",
    ),
    Claim(
        "relays_stay_ready", Shape.COUNT_MAX, "looks", "partition:looks_not_ready",
        "a relay whose way to the master is slow goes on being ready", windows=("fault",),
        doubts=frozenset({DoubtKind.STARVED}), rows="journal.jsonl#event=relay.health, by=asked_ns, field=ready",
    ),
    Claim(
        "partition_healed_s", Shape.TIME_MAX, "s", "partition:seconds_until_ready",
        "a relay that was cut off from its master is ready again soon after, each time", windows=("fault",),
        about_time_ms=1000.0, doubts=START, rows="journal.jsonl#event=fault.receipt, relay.health, field=ready",
    ),
    Claim(
        "sockets_let_go", Shape.COUNT_MAX, "sockets", "partition:sockets_left",
        "a gateway lets a connection go whose other end is gone", windows=("fault",),
        rows="journal.jsonl#event=sockets.held, field=orphans",
    ),
    Claim(
        "restore_s", Shape.TIME_MAX, "s", "backup:seconds_until_restored",
        "a destroyed database is restored and somebody logs in again soon", windows=("fault",), about_time_ms=1000.0,
        rows="journal.jsonl#event=fault.receipt, relay.back, field=asked_ns, forwarded_ns",
        doubts=frozenset({DoubtKind.STARVED, DoubtKind.CLOCK}),
    ),
    Claim(
        "data_loss_s", Shape.TIME_MAX, "s", "backup:seconds_lost",
        "a restore loses what was acknowledged after the backup, and nothing older", windows=("fault",),
        about_time_ms=1000.0, doubts=frozenset({DoubtKind.STARVED, DoubtKind.CLOCK}),
    ),
    Claim(
        "backup_age_s", Shape.TIME_MAX, "s", "backup:seconds_of_age",
        "the backup that a restore starts from is not old", windows=("fault",), about_time_ms=1000.0,
        doubts=frozenset({DoubtKind.CLOCK}),
    ),
    Claim(
        "restored_rows_match", Shape.COUNT_MAX, "tables", "backup:tables_that_differ",
        "a restored database is whole and has the rows of the manifest", windows=("fault",),
    ),
    Claim(
        "restored_login_works", Shape.COUNT_MIN, "logins", "backup:logins",
        "an account of the backup logs in after the restore", windows=("fault",),
    ),
    Claim(
        "restored_write_works", Shape.COUNT_MIN, "registrations", "backup:writes",
        "a restored gateway can write", windows=("fault",),
    ),
    Claim(
        "old_tokens_refused_after_restore", Shape.COUNT_MAX, "tokens", "backup:tokens_accepted",
        "after a restore every token of before is refused until its owner logs in again", windows=("fault",),
    ),
    Claim(
        "totp_login_works_after_restore", Shape.COUNT_MIN, "logins", "backup:logins_with_a_code",
        "a second factor of the backup is worth as much after the restore", windows=("fault",),
    ),
    Claim(
        "totp_fails_without_its_key", Shape.COUNT_MIN, "refusals", "backup:visible_refusals",
        "without the key of the backup a second factor is refused, and the log says why", windows=("fault",),
    ),
    Claim(
        "storage_fault_seen_s", Shape.TIME_MAX, "s", "storage:seconds_until_seen",
        "a gateway whose volume is lost or refuses shows it soon", windows=("fault",), about_time_ms=1000.0,
        doubts=frozenset({DoubtKind.STARVED, DoubtKind.CLOCK}),
    ),
    Claim(
        "health_tells_of_storage", Shape.COUNT_MAX, "looks", "storage:green_looks",
        "a gateway that cannot write does not call itself healthy", windows=("fault",),
    ),
    Claim(
        "candidate_not_worse", Shape.COUNT_MAX, "thresholds", "rollback:thresholds_crossed",
        "a candidate keeps to the thresholds that were written before it ran", windows=("fault",), doubts=SETUP,
    ),
    Claim(
        "rollback_s", Shape.TIME_MAX, "s", "rollback:seconds_to_roll_back",
        "from the decision to everything proven on the known-good release it takes no longer", windows=("fault",),
        doubts=frozenset({DoubtKind.STARVED, DoubtKind.CLOCK}), about_time_ms=1000.0,
    ),
    Claim(
        "releases_verified", Shape.COUNT_MAX, "services", "rollback:services_left_behind",
        "after a rollback every service runs the known-good release", windows=("fault",),
    ),
    Claim(
        "rollback_needs_no_restore", Shape.COUNT_MAX, "restores", "rollback:restores",
        "the known-good release starts on the data that the candidate has left", windows=("fault",),
    ),
    Claim(
        "accounts_survive", Shape.COUNT_MAX, "accounts", "rollback:accounts_lost",
        "accounts made before an upgrade and during it log in after the rollback", windows=("fault",),
    ),
    Claim(
        "back_in_band_ms_p95", Shape.QUANTILE_MAX, "ms", "rollback:beyond_the_band",
        "after a rollback set-ups take no longer than before the upgrade", quantile=0.95, windows=("recovery",),
        doubts=SETUP, about_time_ms=1.0,
    ),
    Claim(
        "dead_relay_named_s", Shape.TIME_MAX, "s", "relay_loss:seconds_named",
        "no lease names a relay that has been dead for a while", windows=("fault",), about_time_ms=1000.0,
        doubts=frozenset({DoubtKind.STARVED, DoubtKind.CLOCK}),
    ),
    Claim(
        "loss_recovered_s", Shape.TIME_MAX, "s", "relay_loss:seconds_until_served",
        "whoever loses a relay is served by another soon", windows=("fault",), about_time_ms=1000.0, doubts=SETUP,
    ),
    Claim(
        "sessions_lost_with_relay", Shape.COUNT_MAX, "sessions", "relay_loss:sessions_lost",
        "a session that loses its relay goes on by way of another until its planned end", windows=("fault",),
        doubts=SETUP,
    ),
    Claim(
        "bystanders_silence_ms_p99", Shape.QUANTILE_MAX, "ms", "relay_loss:bystanders_silences",
        "whoever is on another relay notices nothing", quantile=0.99, windows=("fault",), about_time_ms=1.0,
        doubts=MEDIA, floor="silence_ms",
    ),
    Claim(
        "gateway_back_s", Shape.TIME_MAX, "s", "gateway:seconds_until_healthy",
        "a restarted gateway is healthy again soon", windows=("fault",), about_time_ms=1000.0,
        doubts=frozenset({DoubtKind.STARVED, DoubtKind.CLOCK}),
    ),
    Claim(
        "old_token_binds", Shape.COUNT_MAX, "refusals", "gateway:old_tokens_refused",
        "a session token outlives a restart of the gateway", windows=("fault",),
    ),
    Claim(
        "revoked_token_refused", Shape.COUNT_MAX, "acceptances", "gateway:revoked_tokens_accepted",
        "a token that was logged out stays dead over a restart", windows=("fault",),
    ),
    Claim(
        "lockout_kept", Shape.COUNT_MAX, "admissions", "gateway:locked_ones_admitted",
        "who is locked out is locked out after a restart too", windows=("fault",),
    ),
    Claim(
        "known_account_logs_in", Shape.COUNT_MAX, "refusals", "gateway:known_accounts_refused",
        "an account that was made before a restart is there after it", windows=("fault",),
    ),
    Claim(
        "signals_flow_both_ways", Shape.COUNT_MAX, "messages", "gateway:signals_lost",
        "offers and answers go both ways between those who bound again", windows=("fault",),
        doubts=frozenset({DoubtKind.STARVED}),
    ),
    Claim(
        "rebind_storm_s", Shape.TIME_MAX, "s", "gateway:seconds_until_all_bound",
        "everybody who lost the gateway is bound again soon after it is back", windows=("fault",), about_time_ms=1000.0,
        doubts=SETUP,
    ),
    Claim(
        "relogins", Shape.COUNT_MAX, "ends", "gateway:new_logins",
        "nobody has to log in again because the gateway was restarted", windows=("fault",),
    ),
    Claim(
        "newer_socket_reachable", Shape.COUNT_MAX, "rounds", "gateway:newer_sockets_lost",
        "a user's newer socket is reached when the older one has ended", windows=("fault",),
        doubts=frozenset({DoubtKind.STARVED}),
    ),
    Claim(
        "frames_lost_ratio", Shape.RATIO_MAX, "ratio", "paths:frames_lost",
        "what a host sends, its client receives", doubts=MEDIA, floor="frames_lost_ratio",
        rows="samples/*.parquet#direction=1, by=intended_ns",
    ),
    Claim(
        "frames_silence_ms_p99", Shape.QUANTILE_MAX, "ms", "paths:frames_silences",
        "no client is without a frame for long", quantile=0.99, doubts=MEDIA, about_time_ms=1.0,
        floor="frames_silence_ms", rows="samples/*.parquet#direction=1, by=received_ns",
    ),
    Claim(
        "packets_repeated", Shape.COUNT_MAX, "packets", "paths:repeated",
        "what comes to a relay twice is passed on once", rows="samples/*.parquet#column=copies",
    ),
    Claim(
        "leases_kept", Shape.COUNT_MAX, "sessions", "sessions:unplanned_leases",
        "nobody has to look for another lease, and nobody is sent away", doubts=SETUP,
        rows="journal.jsonl#event=session.released, by=began_ns, field=cause",
    ),
    Claim(
        "rebound_s", Shape.TIME_MAX, "s", "paths:rebound",
        "whoever has a new port behind their NAT is served again soon", windows=("fault",), about_time_ms=1000.0,
        doubts=MEDIA, floor="rebound_s", rows="samples/*.parquet#by=received_ns",
    ),
)  # fmt: skip

CLAIMS: dict[str, Claim] = {claim.name: claim for claim in _TABLE}
