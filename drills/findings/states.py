"""The state of a finding: pure, from the looks at it, what people decided, and the day.

- *new*: one run has broken the promise.
- *ongoing*: more than one has, or a resolved one was reopened by hand.
- *resolved*: it has held, in every place (stage, tier, pace, condition) where it was broken, in a run begun later; or
  somebody closed it.
- *regressed*: resolved, and broken again since; it stays so until it is resolved.
- *stale*: open, and nobody knows any more: no run has said broken or held for STALE_DAYS, or the re-test day is past
  and no run has since. The next run that says either ends it.

An inconclusive run says nothing, here as elsewhere: it neither resolves nor keeps a finding fresh.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from drills.findings.finding import Act, Finding, Look, State

STALE_DAYS = 35  # the page wants a rehearsal a month; the first Tuesdays of two months are at most 35 days apart


def as_of(finding: Finding, today: date) -> Finding:
    """The finding with the state that it has on a day."""
    return finding.model_copy(update={"state": state_of(finding, today)})


def state_of(finding: Finding, today: date) -> State:
    """As in the module's docstring."""
    state: State | None = None
    broken_in: set[tuple[str, ...]] = set()
    for one in _in_order(finding.evidence, finding.acts):
        if isinstance(one, Act):
            if one.act == "closed":
                broken_in, state = set(), "resolved"
            elif state == "resolved":
                state = "ongoing"
        elif one.outcome == "broken":
            broken_in.add(one.place)
            state = "new" if state is None else "regressed" if state in ("resolved", "regressed") else "ongoing"
        elif state is not None:
            broken_in.discard(one.place)
            state = state if broken_in else "resolved"
    if state is None:  # judged again by a mended objective, no run breaks it any more
        return "resolved"
    return "stale" if state != "resolved" and is_stale(finding, today) else state


def is_stale(finding: Finding, today: date) -> bool:
    """Whether nobody has looked for too long."""
    if finding.newest is None:
        return True
    looked = datetime.fromisoformat(finding.newest.at).date()
    missed = finding.retest is not None and looked < finding.retest < today
    return missed or today - looked > timedelta(days=STALE_DAYS)


def _in_order(looks: Iterable[Look], acts: Iterable[Act]) -> list[Look | Act]:
    """By their time; who closes a finding in the second in which a run began has the last word."""
    every: list[Look | Act] = [*looks, *acts]
    return sorted(every, key=lambda one: (one.at, isinstance(one, Act), one.run if isinstance(one, Look) else ""))


def thinned(looks: Iterable[Look]) -> tuple[Look, ...]:
    """The looks that matter: of every stretch with one outcome in one place, the first and the last; oldest first."""
    ordered = sorted(looks, key=lambda look: (look.at, look.run))
    kept: set[str] = set()
    for place in {look.place for look in ordered}:
        here = [look for look in ordered if look.place == place]
        for before, look, after in zip([None, *here], here, [*here[1:], None], strict=False):
            if not before or not after or before.outcome != look.outcome or after.outcome != look.outcome:
                kept.add(look.run)
    return tuple(look for look in ordered if look.run in kept)
