"""The panels of a run's picture, each drawn on axes it is given.

Colours are Okabe and Ito's, which people with any kind of colour vision can tell apart; states are also written out.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from drills.report.files import Row, SeriesFile
from drills.report.words import number

BLACK, GREY, ORANGE, SKY, GREEN, BLUE, RED, PURPLE = (
    "#000000", "#8c8c8c", "#e69f00", "#56b4e9", "#009e73", "#0072b2", "#d55e00", "#cc79a7",
)  # fmt: skip
FAULT_SHADE = "#f6ead2"
STATES = {
    "Active": GREEN, "Draining": ORANGE, "Probation": SKY, "New": SKY, "Degraded": PURPLE, "Quarantined": RED,
    "Banned": BLACK,
}  # fmt: skip
EVENTS_MAX = 8
LEAD_S = 2.0  # shown before calm and after recovery
LOG_FROM = 6.0  # a value this many times the limit (or the median) makes a scale logarithmic
LEGEND = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.04), "frameon": False, "fontsize": 8, "handlelength": 1.4}


def plain(words: str) -> str:
    """Outside text for a label: no mathematics, no other line breaks than ours, not too long."""
    lines = ("".join(c for c in line if c.isprintable()) for line in words.split("\n"))
    return "\n".join(line[:119] + "…" if len(line) > 120 else line for line in lines).replace("$", r"\$")


def shown(series: SeriesFile) -> tuple[float, float]:
    """The stretch of time that is shown: the windows and a little more, or all where there are none."""
    spans = series.windows.values()
    if not spans:
        return 0.0, float(max(series.seconds, 1))
    return max(0.0, min(w.from_s for w in spans) - LEAD_S), max(w.to_s for w in spans) + LEAD_S


def windows(ax: Any, series: SeriesFile) -> None:
    """The windows' edges, and the fault window shaded."""
    for name, window in series.windows.items():
        if name == "fault":
            ax.axvspan(window.from_s, window.to_s, color=FAULT_SHADE, linewidth=0, zorder=0)
        for edge in (window.from_s, window.to_s):
            ax.axvline(edge, color=GREY, linewidth=0.6, zorder=1)


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
        missing = " and ".join(word for word, seen in (("landed", fault.landed), ("mended", fault.mended)) if not seen)
        text = f"{fault.fault} {fault.subject}" + (f" (not seen to have {missing})" if missing else "")
        rows.append(StoryRow(plain(text), fault.from_s, fault.to_s, True, not missing))
    times = Counter(event.text for event in series.events)
    first = {event.text: event for event in reversed(series.events)}
    events = sorted(first.values(), key=lambda event: event.at_s)
    for event in events[:EVENTS_MAX]:
        text = event.text + (f" (×{times[event.text]})" if times[event.text] > 1 else "")
        rows.append(StoryRow(plain(text), event.at_s, event.at_s, False))
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
            ax.barh(place, end - row.from_s, left=row.from_s, height=0.62, color=RED if row.proven else "white",
                    edgecolor=RED, linewidth=1)  # fmt: skip
        else:
            ax.plot([row.from_s], [place], marker="D", markersize=4, color=BLACK)
        _label(ax, row, end if row.fault else row.from_s, place, from_s, to_s)
    if not rows:
        middle = (from_s + to_s) / 2
        ax.text(middle, 0, "nothing was injected", ha="center", va="center", color=GREY)
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


def latency(ax: Any, series: SeriesFile, limit_ms: float | None) -> None:
    """Input-to-present of each second's inputs."""
    rows = [series.row(f"present_ms_{name}") for name in ("p50", "p95", "p99")]
    for row, name, colour, width in zip(rows, ("p50", "p95", "p99"), (SKY, BLUE, RED), (1.2, 1.6, 1.0), strict=True):
        ax.plot(_middles(series), _gaps(row), color=colour, linewidth=width, label=name)
    _limit(ax, limit_ms, "p95 limit")
    _scale(ax, [value for row in rows for value in row], limit_ms)
    _dress(ax, "input-to-present\nms")


def silences(ax: Any, series: SeriesFile, limit_ms: float | None) -> None:
    """The longest silence of any session that began in each second, beside what our own generator did."""
    longest, gaps = series.row("silence_ms_max"), series.row("generator_gap_ms_max")
    _columns(ax, series, longest, BLUE, "any session")
    ax.plot(_middles(series), _gaps(gaps), color=ORANGE, linewidth=1.2, label="our generator\nstood still")
    _limit(ax, limit_ms, "limit")
    _scale(ax, longest, limit_ms)
    _dress(ax, "longest silence\nms")


def losses(ax: Any, series: SeriesFile) -> None:
    """Packets that were sent in each second and never arrived."""
    lost, skipped = series.row("packets_lost"), series.row("packets_skipped")
    _columns(ax, series, lost, RED, "lost")
    if series.total("packets_skipped"):
        ax.plot(_middles(series), _gaps([x or None for x in skipped]), color=GREY, marker="x", markersize=4,
                linestyle="none", label="not sent by us")  # fmt: skip
    due = series.total("packets_due") - series.total("packets_skipped")
    words = f"{series.total('packets_lost')} lost of {due} packets" if due else "no packet was sent"
    ax.annotate(words, (0.01, 0.93), xycoords="axes fraction", va="top", fontsize=8, color="#444444")
    ax.set_ylim(0, max([1.0, *(x for x in [*lost, *skipped] if x)]) * 1.35)
    _whole_ticks(ax)
    _dress(ax, "packets\nper s")


def sessions(ax: Any, series: SeriesFile) -> None:
    """Live sessions."""
    live = _counts(series.row("sessions_live")) or [0.0]
    ax.stairs(live, range(len(live) + 1), color=BLUE, linewidth=1.4, label="live", baseline=None)
    ax.set_ylim(0, max([1.0, *live]) * 1.15)
    _whole_ticks(ax)
    _dress(ax, "sessions")


def setups(ax: Any, series: SeriesFile) -> None:
    """What was asked for in each second: set-ups that came up, those that failed, handshakes that were refused."""
    ok, failed = _counts(series.row("setups_ok")), _counts(series.row("setups_failed"))
    refused = series.row("handshakes_failed")
    _columns(ax, series, [one + other for one, other in zip(ok, failed, strict=True)], SKY, "came up")
    _columns(ax, series, list(failed), RED, "failed")
    if series.total("handshakes_failed"):
        ax.plot(_middles(series), _gaps([count or None for count in refused]), color=BLACK, marker=".", markersize=4,
                linestyle="none", label="failed\nhandshakes")  # fmt: skip
    tops = [one + other for one, other in zip(ok, failed, strict=True)] + _counts(refused)
    ax.set_ylim(0, max([1.0, *tops]) * 1.15)
    _whole_ticks(ax)
    _dress(ax, "set-ups\nper s")


def relay_rows(series: SeriesFile) -> dict[str, str]:
    """A label for every relay id that the master ever listed: a restarted relay has a new one, beside its old self."""
    first = {stretch.relay_id: stretch for stretch in reversed(series.relays)}
    rows: dict[str, str] = {}
    born: Counter[str] = Counter()
    for stretch in sorted(first.values(), key=lambda stretch: (stretch.relay, stretch.from_s)):
        born[stretch.relay] += 1
        rows[stretch.relay_id] = stretch.relay + (f", id no. {born[stretch.relay]}" if born[stretch.relay] > 1 else "")
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
        ax.barh(place, end - begin, left=begin, height=0.7, color=colour, edgecolor="white", linewidth=0.8)
        if end - begin > (to_s - from_s) * 0.012 * len(stretch.state):
            ax.text((begin + end) / 2, place, plain(stretch.state), ha="center", va="center", fontsize=8,
                    color="white" if colour in (GREEN, RED, BLACK) else BLACK)  # fmt: skip
    ax.set_yticks(range(len(rows)), [plain(label) for label in rows.values()])
    ax.set_ylim(max(len(rows), 1) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    present = [state for state in STATES if any(stretch.state == state for stretch in series.relays)]
    handles = [ax.barh([0], [0], color=STATES[state], label=state) for state in present]
    if handles:
        ax.legend(**{**LEGEND, "handlelength": 0.8})


def _columns(ax: Any, series: SeriesFile, row: Row, colour: str, label: str) -> None:
    """A filled column for each second, as one shape."""
    ax.stairs(_counts(row) or [0.0], range(max(series.seconds, 1) + 1), fill=True, color=colour, label=label)


def _counts(row: Row) -> list[float]:
    return [0.0 if value is None else value for value in row]


def _middles(series: SeriesFile) -> list[float]:
    return [second + 0.5 for second in range(series.seconds)]


def _gaps(row: Row) -> list[float]:
    return [math.nan if value is None else value for value in row]


def _limit(ax: Any, limit: float | None, words: str) -> None:
    if limit is not None:
        ax.axhline(limit, color=BLACK, linewidth=1, linestyle=(0, (5, 3)), label=f"{words}\n{number(limit, 'ms')} ms")


def _scale(ax: Any, values: Row, limit: float | None) -> None:
    """From zero, with the limit in sight; logarithmic where the worst would flatten all the rest."""
    seen = sorted(value for value in values if value)
    top = max([*seen, limit or 0.0, 1.0])
    usual = max(limit or 0.0, seen[len(seen) // 2] if seen else 0.0, 1.0)
    if top > LOG_FROM * usual:
        from matplotlib.ticker import FuncFormatter

        ax.set_yscale("log")
        ax.set_ylim(max(1.0, seen[0] * 0.7), top * 1.4)
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.yaxis.set_minor_formatter("")
    else:
        ax.set_ylim(0, top * 1.12)


def _whole_ticks(ax: Any) -> None:
    from matplotlib.ticker import MaxNLocator

    ax.yaxis.set_major_locator(MaxNLocator(4, integer=True))


def _dress(ax: Any, words: str) -> None:
    ax.set_ylabel(words)
    ax.grid(axis="y", color="#e3e3e3", linewidth=0.6)
    handles, labels = ax.get_legend_handles_labels()
    shapes_first = sorted(zip(handles, labels, strict=True), key=lambda pair: hasattr(pair[0], "get_marker"))
    ax.legend([handle for handle, _ in shapes_first], [label for _, label in shapes_first], **LEGEND)
