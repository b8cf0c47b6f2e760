"""refused_token_stays_refused: a token that the gateway has once refused is never accepted again.

The record has no tokens, only fingerprints (``drills/fingerprints.py``). ``token.used`` is written by whoever shows a
token: ``fingerprint``, ``accepted``, ``used_ns`` when it was shown, and the event's own time when the answer was there.
The drill's own accounts have one token each, and say in ``account.look`` whether it was bound.
Only an answer about the token itself counts; a limit, a time-out or a database that is away is none, and no event.
A gateway behind which we have put an empty database (``volume_lost``) refuses every token, and knows them all again
when its own is put back: what it refuses in between says nothing of a token either, nor does what was asked for in
between and heard later, because we stood still.
"""

from __future__ import annotations

from dataclasses import dataclass

from drills.invariants.base import Checked, holds, unknown, violated
from drills.record import Record, Span

DATA_AWAY = "volume_lost"  # not volume_destroyed: a restore from a backup must not bring old tokens back


@dataclass(frozen=True)
class _Use:
    """A token that was shown, and what became of it; ``mark`` is what it is known by."""

    mark: str
    accepted: bool
    shown_ns: int
    answered_ns: int


def check(record: Record) -> Checked:
    """No token is accepted that was shown after a refusal of the same token had been answered."""
    refused: dict[str, int] = {}
    away = [Span(event["asked_ns"], event["to_ns"]) for event in record.named("fault.receipt")
            if event["fault"] == DATA_AWAY]  # fmt: skip
    uses = _uses(record)  # by the time of their answers
    for use in uses:
        if not use.accepted and not any(use.answered_ns in span or use.shown_ns in span for span in away):
            refused.setdefault(use.mark, use.answered_ns)
    again = [use for use in uses if refused.get(use.mark, use.answered_ns) < use.shown_ns]
    wrong = [use for use in again if use.accepted]
    if wrong:
        words = f"{len(wrong)} of {len(again)} times a refused token was shown again it was accepted"
        return violated(len(again), words, [_witness(record, use, refused) for use in wrong])
    if not refused:
        return unknown("no token was refused")
    if not again:
        return unknown(f"none of the {len(refused)} tokens that were refused was shown again")
    return holds(len(again), f"refused tokens were shown again {len(again)} times, and refused each time")


def _uses(record: Record) -> list[_Use]:
    found = [_Use(event["fingerprint"], event["accepted"], int(event.get("used_ns") or event.ns), event.ns)
             for event in record.named("token.used")]  # fmt: skip
    looks = [event for event in record.named("account.look")
             if event["look"] == "bind" and event["outcome"] in ("bound", "refused")]  # fmt: skip
    found += [_Use(f"of {event['account']}", event["outcome"] == "bound", int(event.get("began_ns") or event.ns),
                   event.ns) for event in looks]  # fmt: skip
    return sorted(found, key=lambda use: use.answered_ns)


def _witness(record: Record, use: _Use, refused: dict[str, int]) -> str:
    return f"token {use.mark}: refused at {record.seconds_at(refused[use.mark]):.2f} s, accepted at " \
           f"{record.seconds_at(use.answered_ns):.2f} s"  # fmt: skip
