"""The first and the last panel of a run's picture: what was done and happened, and how the master saw its relays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from drills.report.canvas import (
    BLACK,
    GREEN,
    GREY,
    LEGEND,
    ON_COLOUR,
    ORANGE,
    PURPLE,
    QUIET,
    RED,
    SKY,
    WHITE,
    plain,
    shown,
)
from drills.report.files import SeriesFile

STATES = {
    "Active": GREEN, "Draining": ORANGE, "Probation": SKY, "New": SKY, "Degraded": PURPLE, "Quarantined": RED,
    "Banned": BLACK,
}  # fmt: skip
EVENTS_MAX = 8
LABEL_MAX = 28  # letters beside the relays; more would leave no room for the panels


@dataclass(frozen=True)
class StoryRow:
    """One line of the story: a fault with its bar, or an event with its mark."""

    text: str
    from_s: float
    to_s: float | None
    fault: bool
    proven: bool = True


def story_rows(series: SeriesFile) -> list[StoryRow]:
    """Faults by when they began, then events; an event that comes again and again is one line."""
    rows = []
    for fault in series.faults:
        proofs = (("land", fault.landed), ("be mended", fault.mended))
        missing = " or to ".join(words for words, seen in proofs if not seen)
        text = f"{fault.fault} {fault.subject}" + (f" (not seen to {missing})" if missing else "")
        rows.append(StoryRow(plain(text, 70), fault.from_s, fault.to_s, True, not missing))
    times = Counter(event.text for event in series.events)
    first = {event.text: event for event in reversed(series.events)}
    events = sorted(first.values(), key=lambda event: event.at_s)
    for event in events[:EVENTS_MAX]:
        text = event.text + (f" (×{times[event.text]})" if times[event.text] > 1 else "")
        rows.append(StoryRow(plain(text, 70), event.at_s, event.at_s, False))
    if len(events) > EVENTS_MAX:
        more = events[EVENTS_MAX]
        rows.append(StoryRow(f"and {len(events) - EVENTS_MAX} more events", more.at_s, more.at_s, False))
    return rows


def story(ax: Any, series: SeriesFile, outcomes: Mapping[str, str]) -> None:
    """The windows and their outcomes, a labelled bar for each fault, a mark for each event."""
    rows = story_rows(series)
    from_s, to_s = shown(series)
    least = (to_s - from_s) / 300  # a restart takes milliseconds; its bar must be seen
    for place, row in enumerate(rows):
        end = to_s if row.to_s is None else max(row.to_s, row.from_s + least)
        if row.fault:
            ax.barh(place, end - row.from_s, left=row.from_s, height=0.62, color=RED if row.proven else WHITE,
                    edgecolor=RED, linewidth=1)  # fmt: skip
        else:
            ax.plot([row.from_s], [place], marker="D", markersize=4, color=BLACK)
        _label(ax, row, end if row.fault else row.from_s, place, from_s, to_s)
    if not rows:
        middle = (from_s + to_s) / 2
        ax.text(middle, 0, "nothing was injected", ha="center", va="center", color=QUIET)
    ax.set_ylim(max(len(rows), 1) - 0.4, -0.6)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    for name, window in series.windows.items():
        words = f"{name}: {outcomes[name]}" if name in outcomes else name
        words += "" if window.closed else " (cut short)"
        ax.annotate(words, ((window.from_s + window.to_s) / 2, 1.0), xycoords=("data", "axes fraction"),
                    xytext=(0, 3), textcoords="offset points", ha="center", fontweight="bold")  # fmt: skip


def _label(ax: Any, row: StoryRow, end_s: float, place: int, from_s: float, to_s: float) -> None:
    """The words beside a bar, on the side where there is more room."""
    right = to_s - end_s >= row.from_s - from_s
    at, shift, side = (end_s, 5, "left") if right else (row.from_s, -5, "right")
    ax.annotate(row.text, (at, place), xytext=(shift, 0), textcoords="offset points", ha=side, va="center", fontsize=8)


def relay_rows(series: SeriesFile) -> dict[str, str]:
    """A label for every relay id that the master ever listed: a restarted relay has a new one, beside its old self."""
    first = {stretch.relay_id: stretch for stretch in reversed(series.relays)}
    rows: dict[str, str] = {}
    born: Counter[str] = Counter()
    for stretch in sorted(first.values(), key=lambda stretch: (stretch.relay, stretch.from_s)):
        born[stretch.relay] += 1
        nth = born[stretch.relay]
        rows[stretch.relay_id] = stretch.relay if nth == 1 else f"{stretch.relay}, new id" + f" {nth - 1}" * (nth > 2)
    return rows


def relays(ax: Any, series: SeriesFile) -> None:
    """In which state the master listed each relay; nothing where it did not list it."""
    rows = relay_rows(series)
    places = {relay_id: place for place, relay_id in enumerate(rows)}
    from_s, to_s = shown(series)
    for stretch in series.relays:
        place, begin, end = places[stretch.relay_id], max(stretch.from_s, from_s), min(stretch.to_s, to_s)
        if end < begin:
            continue
        colour = STATES.get(stretch.state, GREY)
        ax.barh(place, end - begin, left=begin, height=0.7, color=colour, edgecolor=WHITE, linewidth=0.8)
        if end - begin > (to_s - from_s) * 0.012 * len(stretch.state):
            ax.text((begin + end) / 2, place, plain(stretch.state), ha="center", va="center", fontsize=8,
                    color=WHITE if colour == BLACK else ON_COLOUR)  # fmt: skip
    ax.set_yticks(range(len(rows)), [plain(label, LABEL_MAX) for label in rows.values()])
    ax.set_ylim(max(len(rows), 1) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    present = [state for state in STATES if any(stretch.state == state for stretch in series.relays)]
    handles = [ax.barh([0], [0], color=STATES[state], label=state) for state in present]
    if handles:
        ax.legend(**{**LEGEND, "handlelength": 0.8})
