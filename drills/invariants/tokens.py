"""refused_token_stays_refused: a token that the gateway has once refused is never accepted again.

The record has no tokens, only fingerprints (``drills/fingerprints.py``). ``token.used`` is written by whoever shows a
token: ``fingerprint``, ``accepted``, ``used_ns`` when it was shown, and the event's own time when the answer was there.
Only an answer about the token itself counts; a limit, a time-out or a database that is away is none, and no event.
A gateway behind which we have put an empty database (``volume_lost``) refuses every token, and knows them all again
when its own is put back: what it refuses in between says nothing of a token either.
"""

from __future__ import annotations

from drills.invariants.base import Checked, holds, unknown, violated
from drills.record import Event, Record, Span

DATA_AWAY = "volume_lost"  # not volume_destroyed: a restore from a backup must not bring old tokens back


def check(record: Record) -> Checked:
    """No token is accepted that was shown after a refusal of the same token had been answered."""
    refused: dict[str, int] = {}
    away = [Span(event["asked_ns"], event["to_ns"]) for event in record.named("fault.receipt")
            if event["fault"] == DATA_AWAY]  # fmt: skip
    for event in record.named("token.used"):  # by the time of their answers
        if not event["accepted"] and not any(event.ns in span for span in away):
            refused.setdefault(event["fingerprint"], event.ns)
    again = [
        event for event in record.named("token.used") if refused.get(event["fingerprint"], event.ns) < _shown(event)
    ]
    wrong = [event for event in again if event["accepted"]]
    if wrong:
        words = f"{len(wrong)} of {len(again)} times a refused token was shown again it was accepted"
        return violated(len(again), words, [_witness(record, event, refused) for event in wrong])
    if not refused:
        return unknown("no token was refused")
    if not again:
        return unknown(f"none of the {len(refused)} tokens that were refused was shown again")
    return holds(len(again), f"refused tokens were shown again {len(again)} times, and refused each time")


def _shown(event: Event) -> int:
    return int(event.get("used_ns") or event.ns)


def _witness(record: Record, event: Event, refused: dict[str, int]) -> str:
    mark = event["fingerprint"]
    return f"token {mark}: refused at {record.seconds_at(refused[mark]):.2f} s, accepted at " \
           f"{record.seconds_at(event.ns):.2f} s"  # fmt: skip
