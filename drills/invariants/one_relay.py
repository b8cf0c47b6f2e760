"""one_relay_at_a_time: what a session has left no longer serves it.

Each packet carries the id of the lease that it was sent under, in a header that relays pass on unchanged
(contract-master-relay §4.2), so that its receiver knows by way of which relay it came. A packet under a lease that
the session left more than a second ago is written down by the load (``packet.stray``): then two relays served it.
"""

from __future__ import annotations

from itertools import pairwise

from drills.invariants.base import Checked, holds, unknown, violated
from drills.invariants.paths import paths_of
from drills.invariants.wholeness import disturbed_path, standstill_ns, why_not_whole
from drills.record import Event, Record, Span

ON_ITS_WAY_NS = 1_000_000_000  # what was sent before the move has arrived or is lost by then (SETTLE_S of the samples)


def check(record: Record) -> Checked:
    """No session hears a packet by way of a relay that it has left."""
    leases = paths_of(record).leases
    moves = sum(before["session"] == after["session"] for before, after in pairwise(leases))
    strays = record.named("packet.stray")
    wrong = [event for event in strays if _late_ns(record, event) > ON_ITS_WAY_NS]
    if wrong and (disturbed := disturbed_path(record)):
        return unknown(f"{disturbed}; {len(wrong)} packets came long after their session had moved")
    if wrong:
        words = (
            f"in {len({event['session'] for event in wrong})} of {moves} moves the relay that was left went on serving"
        )
        return violated(moves, words, [_witness(record, event) for event in wrong])
    if not moves:
        return unknown("no session moved from one lease to another")
    if any("strays" not in event.fields for event in record.named("generator.finished")):
        return unknown("the load did not watch for packets by way of relays that had been left")
    if missing := why_not_whole(record):
        return unknown(missing, moves)
    return holds(moves, f"{moves} moves to another lease, and nothing came by way of the one before")


def _late_ns(record: Record, stray: Event) -> int:
    """How long after the move it came, less what our own pump stood still meanwhile: it may have lain unread.

    And less what a relay stood still by no doing of its own: what was sent before the move may have lain there.
    """
    still = sum(
        max(0, min(gap["to_ns"], stray["heard_ns"]) - max(gap["from_ns"], stray["left_ns"]))
        for gap in record.named("generator.gap")
    )
    meanwhile = Span(stray["left_ns"], stray["heard_ns"])
    relays = {event["service"] for event in record.named("relay.known")}
    still += max((standstill_ns(record, relay, meanwhile) for relay in relays), default=0)
    return int(stray["heard_ns"] - stray["left_ns"] - still)


def _witness(record: Record, stray: Event) -> str:
    after_s = (stray["heard_ns"] - stray["left_ns"]) / 1e9
    return f"{record.seconds_at(stray['heard_ns']):.2f} s: session {stray['session']} heard a packet under a lease " \
           f"that it had left {after_s:.2f} s before"  # fmt: skip
