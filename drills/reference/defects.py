"""The registry of named defects: what ``DRILLS_DEFECTS`` may name, and what each one breaks.

Every defect is a few lines beside the sound behaviour, reached by ``defects.on("name")`` in the service
it belongs to. All are off by default. An unknown name ends the service at start with exit code 2: a
misspelt defect must never pass for a sound system.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

VARIABLE = "DRILLS_DEFECTS"


@dataclass(frozen=True)
class Defect:
    """One named way for the reference to be wrong."""

    name: str
    service: str  # gateway, master or relay
    wrong: str  # what it does instead of the sound behaviour
    origin: str = ""  # the id in the defect lists of the contracts, where it is taken from one
    release: str = ""  # the only release that has it, where it is not in all of them


# Defects that may be on in the same run of the teeth matrix: what names one of them is nothing that another breaks, as
# the runs of each alone have shown (`drills teeth --alone`, which is how to try a change to this).
TOGETHER = (
    ("relay_drops_one_in_fifty", "relay_adds_40ms", "gateway_loses_one_offer_in_ten"),
    ("relay_goes_deaf", "relay_refuses_one_present_in_ten", "drain_cuts_sessions", "relay_stops_without_master"),
    ("heartbeat_forgets_drain", "gateway_drops_sockets"),
    ("relay_returns_late", "gateway_runs_the_newest"),
    ("gateway_returns_late", "gateway_forgets_tokens"),
    ("selection_ignores_drain", "gateway_forgets_tokens_early"),
    ("restore_is_slow", "restore_keeps_sessions", "restored_totp_key_lost"),
    ("backup_is_of_yesterday", "restore_forgets_lockouts", "totp_secrets_in_plain"),
    ("gateway_revives_revoked", "gateway_forgets_lockouts"),
    ("master_ready_lies", "master_changes_its_key_id"),
    ("slow_auth", "schema_step"),
)

REGISTRY: dict[str, Defect] = {
    defect.name: defect
    for defect in (
        Defect("relay_forgets_drain", "master", "a re-registering relay comes back Active, its drain lost", "D-03"),
        Defect("heartbeat_forgets_drain", "master", "the third heartbeat of a draining relay makes it Active again"),
        Defect("selection_ignores_drain", "master", "leases go on naming relays whose state is Draining"),
        Defect("drain_cuts_sessions", "relay", "a relay that is drained forgets all its sessions at once"),
        Defect("relay_drops_one_in_fifty", "relay", "every fiftieth FORWARD is not sent on"),
        Defect("relay_goes_deaf", "relay", "for 1.2 s in every 6 s no FORWARD is sent on"),
        Defect("relay_never_reregisters", "relay", "after six failed heartbeats it goes silent instead of registering"),
        Defect("relay_adds_40ms", "relay", "every FORWARD is held for 40 ms before it is sent on"),
        Defect("gateway_loses_one_offer_in_ten", "gateway", "every tenth Offer is not passed on", "D20"),
        Defect("gateway_drops_candidates", "gateway", "no Candidate is passed on, and nobody is told"),
        Defect("gateway_returns_late", "gateway", "after a restart it listens only when 14.5 s are over", "D18"),
        Defect("gateway_forgets_tokens", "gateway", "a restart ends every session"),
        Defect("gateway_revives_revoked", "gateway", "tokens are revoked in memory only: after a restart they bind"),
        Defect("gateway_forgets_lockouts", "gateway", "failed logins are counted in memory only"),
        Defect("gateway_loses_newest_accounts", "gateway", "the accounts made last are not on disk after a restart"),
        Defect("gateway_loses_answers_after_restart", "gateway", "after a restart no Answer is passed on"),
        Defect("gateway_rebinds_slowly", "gateway", "for 8 s after a restart older tokens cannot be looked up"),
        Defect(
            "gateway_forgets_newer_socket", "gateway", "an older socket that ends takes the newer one's place", "D2"
        ),
        Defect(
            "gateway_drops_sockets",
            "gateway",
            "three times a second it closes another bound socket and lets its user bind no more for 10 s",
        ),
        Defect("gateway_forgets_tokens_early", "gateway", "a session token is good for 10 s, not for 24 h"),
        Defect("relay_refuses_one_present_in_ten", "relay", "every tenth valid LEASE_PRESENT gets REJECT 2"),
        Defect("relay_returns_late", "relay", "it registers 16 heartbeats after its start"),
        Defect("master_returns_late", "master", "it listens 12 heartbeats after its start"),
        Defect("master_takes_one_relay_back", "master", "started again, it refuses every relay but the first", "D-02"),
        Defect(
            "master_counts_a_relay_against_itself",
            "master",
            "the sixth registration from an address gets 403, whoever it is and however long ago the others were heard",
            "D-02",
        ),
        Defect("master_ready_lies", "master", "/ready says 200 without a relay to lend, and 503 with one"),
        Defect("master_changes_its_key_id", "master", "each start gives its key another id", "D-05"),
        Defect("master_returns_with_new_key", "master", "started again, it signs with a key of its own making", "D-05"),
        Defect("master_forgets_drains_on_restart", "master", "what was drained or banned is not read at start", "D-04"),
        Defect("relay_refuses_leases_after_rejoining", "relay", "registered again, it refuses every lease", "D-05"),
        Defect("relay_ignores_new_key", "relay", "registered again, it keeps the key it had and says ready", "D-05"),
        Defect("relay_waits_for_ever", "relay", "a call to the master that is not answered is never given up", "D-24"),
        Defect("relay_gives_up_its_master", "relay", "after two failed heartbeats it goes silent for good"),
        Defect("relay_gives_up_on_master", "relay", "the third time that it loses its master it goes silent for good"),
        Defect("relay_times_out_early", "relay", "a call to the master that takes longer than 0.4 s is given up"),
        Defect(
            "master_times_out_early", "master", "a WebSocket on which nothing is said within 0.3 s of opening is closed"
        ),
        Defect("gateway_leaks_sockets", "gateway", "a connection that ends without a goodbye is never let go", "D15"),
        Defect("relay_stops_without_master", "relay", "no FORWARD is sent on for 3 heartbeats after one that failed"),
        Defect("restore_keeps_sessions", "gateway", "its restore command leaves all sessions in the restored database"),
        Defect("restore_leaves_root_owner", "gateway", "its restore command leaves a file that is somebody else's"),
        Defect("restore_forgets_lockouts", "gateway", "its restore command leaves the failed logins out"),
        Defect("restore_is_slow", "gateway", "its restore command waits 12 s before it begins"),
        Defect("restored_totp_key_lost", "gateway", "once restored it runs without the key of the second factors"),
        Defect("backup_misses_newest_rows", "gateway", "its backup command leaves out the 20 newest accounts"),
        Defect("backup_is_of_yesterday", "gateway", "its backup command hands out a backup of 25 hours ago"),
        Defect("totp_secrets_in_plain", "gateway", "second factors are stored in plain and need no key"),
        Defect("health_ignores_database", "gateway", "/health is green whatever the database does", "D19"),
        Defect(
            "gateway_hides_database_trouble",
            "gateway",
            "no health, no counter and no log line tells of a database that is lost or refuses",
            "D33",
        ),
        Defect("gateway_listens_late", "gateway", "it listens 10 s late where its database is not a new one"),
        Defect("gateway_runs_the_newest", "gateway", "started as an older release, it runs the newest that was here"),
        Defect(
            "database_stays_slow",
            "gateway",
            "once a newer release has used its database, every login takes a second longer",
        ),
        Defect("slow_auth", "gateway", "every login takes a second longer", release="candidate"),
        Defect("handshake_fails_one_in_ten", "relay", "every tenth LEASE_PRESENT gets REJECT 2", release="candidate"),
        Defect(
            "schema_step",
            "gateway",
            "it brings the database to a schema that older releases refuse",
            release="candidate",
        ),
        Defect("selection_keeps_the_dead", "master", "leases name a silent relay until its quarantine", "D-08"),
        Defect("lends_nothing_after_a_loss", "master", "no lease is given for 24 heartbeats after a relay went silent"),
        Defect("relay_sends_twice", "relay", "every fiftieth FORWARD is sent on two times, and counted once"),
        Defect("relay_alters_packets", "relay", "in every fiftieth FORWARD the last bit is turned round"),
        Defect("relay_miscounts", "relay", "every fiftieth FORWARD that it sends on is in none of its counters"),
        Defect(
            "relay_forwards_after_lease", "relay", "it says that leases end after a tenth of the time they do", "D5"
        ),
        Defect("relay_keeps_whom_it_sent_away", "relay", "every tenth RENEW is rejected, and its session still served"),
        Defect("relay_duplicates", "relay", "a FORWARD that comes to it twice is sent on twice"),
        Defect("relay_window_too_narrow", "relay", "a FORWARD that one with a higher number has overtaken is dropped"),
        Defect("relay_refuses_rebind", "relay", "a peer that presents its lease from another address gets REJECT 2"),
        Defect(
            "relay_keeps_to_the_old_port",
            "relay",
            "a peer that presents its lease from another address gets an ACK, and stays where it was",
        ),
        Defect(
            "relay_reaps_one_way", "relay", "a session one of whose peers has been silent for the idle time is ended"
        ),
        Defect("relay_wants_low_numbers", "relay", "a session whose numbering begins above 100 is never forwarded"),
    )
}


@dataclass(frozen=True)
class Defects:
    """The defects one process was started with."""

    names: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, names: Iterable[str]) -> Defects:
        """The named defects; a name that is not in the registry raises ValueError."""
        wanted = frozenset(name for name in (raw.strip() for raw in names) if name)
        unknown = sorted(wanted - REGISTRY.keys())
        if unknown:
            raise ValueError(f"unknown defect {', '.join(unknown)}; known: {', '.join(sorted(REGISTRY))}")
        return cls(wanted)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Defects:
        """What ``DRILLS_DEFECTS`` names (comma-separated), empty when unset."""
        return cls.parse(environment.get(VARIABLE, "").split(","))

    def on(self, name: str) -> bool:
        """Whether this defect is switched on; asking for an unregistered name raises KeyError (our own mistake)."""
        return REGISTRY[name].name in self.names
