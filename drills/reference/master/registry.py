"""The relays a master knows: registration, heartbeats, operators' states, the sweeper (contract §2.6, §2.7, §2.9).

A record lives in memory and comes back by itself; what operators said of a relay lives in ``Memory``, outlasts
the record, and wins over it. Ages are steady-clock seconds at the pace of ``Timers``. Where Wavry's master loses
drains, counts the dead or hands out the silent, this does what was meant: see docs/contract.md, section Master.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from drills.reference.defects import Defects
from drills.reference.master.endpoints import hosts_of, shared
from drills.reference.master.memory import Hold, Memory
from drills.reference.master.selection import Candidate
from drills.reference.master.states import HELD, NOT_SELECTABLE, State, state_for_load
from drills.reference.timers import Timers

RELAYS_PER_ADDRESS = 5  # the next one is refused (contract §2.9)
SHOCK_BEATS = 24  # of the defect lends_nothing_after_a_loss
FEEDBACK_WEIGHT = 0.1  # of the newest feedback in the success rate (contract §2.7)


@dataclass(frozen=True)
class Registration:
    """What a relay says of itself; max_sessions and features are not kept (contract §2.6)."""

    relay_id: str
    endpoints: tuple[str, ...]
    region: str | None = None
    asn: int | None = None
    max_bitrate_kbps: int = 10_000


@dataclass(frozen=True)
class Relay:
    """One record."""

    said: Registration
    state: State
    last_seen_s: float
    load_pct: float = 0.0
    success_rate: float = 1.0  # unknown is not bad (intended; D-29)
    beats_while_draining: int = 0  # only the defect heartbeat_forgets_drain looks at it


class Registry:
    """All records by relay id."""

    def __init__(self, timers: Timers, memory: Memory, defects: Defects | None = None) -> None:
        self._timers = timers
        self._memory = memory
        self._defects = defects or Defects()
        self._relays: dict[str, Relay] = {}
        self._counts_everybody = self._defects.on("master_counts_a_relay_against_itself")
        self._takes_one_back = memory.restarted and self._defects.on("master_takes_one_relay_back")

    def relays(self) -> list[Relay]:
        """Every record, in no promised order."""
        return list(self._relays.values())

    def refusal(self, said: Registration, now_s: float) -> str | None:
        """Why this registration gets 403, as a log line; None if it may be stored."""
        known = self._relays.get(said.relay_id)
        if self._takes_one_back and self._others(said):
            return f"relay {said.relay_id} rejected: another came first"
        if known and known.said.endpoints != said.endpoints and self._is_live(known, now_s):
            return f"relay {said.relay_id} rejected: it is live with other endpoints"
        if known and known.said.endpoints == said.endpoints and not self._counts_everybody:
            return None  # a relay that comes back is never one too many (intended; D-02)
        for host in sorted(hosts_of(said.endpoints)):
            others = sum(1 for relay in self._others(said) if self._counts_against(relay, host, said, now_s))
            if self._counts_everybody:
                others = sum(1 for relay in self.relays() if host in hosts_of(relay.said.endpoints))
            if others >= RELAYS_PER_ADDRESS:
                return f"Sybil check failed for IP {host}: {others} relays"
        return None

    def register(self, said: Registration, now_s: float) -> None:
        """Store a registration that ``refusal`` let pass; the relay starts as New unless an operator holds it.

        A record with the same endpoint under another id is superseded: its process is gone (D-08). Raises
        NotSaved, nothing changed.
        """
        self._carry_holds_over(said)
        for superseded in [relay for relay in self._others(said) if shared(relay.said.endpoints, said.endpoints)]:
            del self._relays[superseded.said.relay_id]
        known = self._relays.get(said.relay_id)
        self._relays[said.relay_id] = Relay(
            said,
            self._held(said.relay_id) or State.NEW,
            now_s,
            success_rate=known.success_rate if known else 1.0,
        )

    def heartbeat(self, relay_id: str, load_pct: float, now_s: float) -> State | None:
        """Take note of a beat and give the state after it; None for an unknown relay."""
        relay = self._relays.get(relay_id)
        if relay is None:
            return None
        if relay.state is State.DRAINING:
            relay = self._counted_while_draining(relay)
        state = self._held(relay_id) or state_for_load(load_pct)
        self._relays[relay_id] = replace(relay, load_pct=load_pct, last_seen_s=now_s, state=state)
        return state

    def set_state(self, relay_id: str, state: State) -> State | None:
        """An operator's word; gives the state before it, or None for an unknown relay.

        A held relay counts as known without a record, so that a hold can be lifted while its relay is away.
        Raises NotSaved, nothing changed.
        """
        before = self._known(relay_id)
        if before is None:
            return None
        holds = {**self._memory.holds, relay_id: replace(before, state=state)}
        if state not in HELD:
            del holds[relay_id]
        self._memory.hold(holds)
        if relay_id in self._relays:
            self._relays[relay_id] = replace(self._relays[relay_id], state=state, beats_while_draining=0)
        return before.state

    def rate(self, relay_id: str, success: bool) -> None:
        """One feedback; an unknown relay is ignored (intended; D-29)."""
        relay = self._relays.get(relay_id)
        if relay is not None:
            rate = (1 - FEEDBACK_WEIGHT) * relay.success_rate + FEEDBACK_WEIGHT * success
            self._relays[relay_id] = replace(relay, success_rate=rate)

    def sweep(self, now_s: float) -> None:
        """Quarantine what has been silent for long, forget what has been silent for very long (contract §2.7)."""
        for relay_id, relay in list(self._relays.items()):
            if now_s - relay.last_seen_s > self._timers.purge_age_s:
                del self._relays[relay_id]
            elif not self._is_live(relay, now_s) and relay.state not in HELD:
                self._relays[relay_id] = replace(relay, state=State.QUARANTINED)

    def assignable(self, now_s: float) -> int:
        """How many relays /health and /ready count: heard from within 3 beats and in a state that gets leases."""
        return sum(1 for relay in self.relays() if relay.state not in NOT_SELECTABLE and self._is_heard(relay, now_s))

    def selectable(self, now_s: float) -> list[Candidate]:
        """The relays that may be handed out now; the same ones that ``assignable`` counts (intended; D-08)."""
        if self._defects.on("lends_nothing_after_a_loss") and any(
            not self._is_heard(relay, now_s) and now_s - relay.last_seen_s < SHOCK_BEATS * self._timers.heartbeat_s
            for relay in self.relays()
        ):
            return []
        return [
            self._candidate(relay, now_s)
            for relay in self.relays()
            if self._is_selectable(relay, now_s)
            and (relay.state not in NOT_SELECTABLE or self._drain_is_ignored(relay))
        ]

    def _candidate(self, relay: Relay, now_s: float) -> Candidate:
        return Candidate(
            relay_id=relay.said.relay_id,
            address=relay.said.endpoints[0],
            state=State.ACTIVE if self._drain_is_ignored(relay) else relay.state,
            load_pct=relay.load_pct,
            age_s=(now_s - relay.last_seen_s) * self._timers.divisor,
            success_rate=relay.success_rate,
            region=relay.said.region,
            asn=relay.said.asn,
        )

    def _is_live(self, relay: Relay, now_s: float) -> bool:
        """Not yet due for quarantine."""
        return now_s - relay.last_seen_s <= self._timers.quarantine_age_s

    def _is_heard(self, relay: Relay, now_s: float) -> bool:
        """At most three beats missed."""
        return now_s - relay.last_seen_s <= self._timers.selectable_age_s

    def _is_selectable(self, relay: Relay, now_s: float) -> bool:
        return self._is_heard(relay, now_s) or (
            self._is_live(relay, now_s) and self._defects.on("selection_keeps_the_dead")
        )

    def _others(self, said: Registration) -> list[Relay]:
        return [relay for relay in self.relays() if relay.said.relay_id != said.relay_id]

    def _counts_against(self, relay: Relay, host: str, said: Registration, now_s: float) -> bool:
        """Whether it is another live relay on this machine, and not one that the registration is about to supersede."""
        endpoints = relay.said.endpoints
        return self._is_live(relay, now_s) and host in hosts_of(endpoints) and not shared(endpoints, said.endpoints)

    def _held(self, relay_id: str) -> State | None:
        hold = self._memory.holds.get(relay_id)
        return hold.state if hold else None

    def _known(self, relay_id: str) -> Hold | None:
        """State and endpoints of a relay that has a record or is held without one."""
        relay = self._relays.get(relay_id)
        return Hold(relay.state, relay.said.endpoints) if relay else self._memory.holds.get(relay_id)

    def _carry_holds_over(self, said: Registration) -> None:
        """Keep a returning relay's hold (D-03); a ban or quarantine also follows the endpoint to a new id.

        A drain does not: the runbook drains, restarts and expects the new id to become Active.
        """
        holds = dict(self._memory.holds)
        own = holds.get(said.relay_id)
        states = {own.state} if own else set()
        for relay_id, hold in self._memory.holds.items():
            if relay_id != said.relay_id and shared(hold.endpoints, said.endpoints):
                states |= {holds.pop(relay_id).state} - {State.DRAINING}
        if self._defects.on("relay_forgets_drain"):
            states.discard(State.DRAINING)
        holds.pop(said.relay_id, None)
        for state in (State.BANNED, State.QUARANTINED, State.DRAINING):  # the gravest wins
            if state in states:
                holds[said.relay_id] = Hold(state, said.endpoints)
                break
        self._memory.hold(holds)

    def _counted_while_draining(self, relay: Relay) -> Relay:
        """One more beat of a draining relay; the defect lifts the drain at the third."""
        relay = replace(relay, beats_while_draining=relay.beats_while_draining + 1)
        if self._defects.on("heartbeat_forgets_drain") and relay.beats_while_draining >= 3:
            holds = dict(self._memory.holds)
            holds.pop(relay.said.relay_id, None)
            self._memory.hold(holds)
        return relay

    def _drain_is_ignored(self, relay: Relay) -> bool:
        return relay.state is State.DRAINING and self._defects.on("selection_ignores_drain")
