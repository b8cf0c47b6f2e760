"""The silence chart: a line for each session for as long as it lived, with its long silences on it.

All lines of a kind are one shape, so that a thousand sessions make a picture of a hundred kilobytes and not of ten
megabytes; a silence is drawn at least a point high, so that a single one among a thousand sessions is still seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from heapq import heappop, heappush
from typing import Any

from drills.report.canvas import GREY, ORANGE, QUIET, RED, SKY, shown
from drills.report.files import SeriesFile
from drills.report.panels import dress

CLASSES = ((100.0, SKY, "from 100 ms"), (250.0, ORANGE, "from 250 ms"), (1000.0, RED, "from 1 s"))  # worst on top
ROW_IN, LEAST_IN, MOST_IN = 0.075, 0.75, 2.9
LEAST_PT = 1.3
NAMED_MAX = 40  # so many sessions have a line and their number beside it; of more, several share a lane


def height_in(series: SeriesFile) -> float:
    """Room for all lanes, as far as there is room; little where no session was silent for long."""
    if not series.silences:
        return LEAST_IN
    return min(MOST_IN, max(LEAST_IN, ROW_IN * lanes(lanes_of(series))))


def lanes(found: Mapping[int, int]) -> int:
    """How many there are."""
    return max(found.values(), default=-1) + 1


def lanes_of(series: SeriesFile) -> dict[int, int]:
    """The lane of each session that lived while the picture shows anything, by its place.

    Few sessions have one each. Of many, whoever comes takes the first that is free again: as many lanes as there were
    ever sessions at once.
    """
    from_s, to_s = shown(series)
    lives = zip(series.sessions.from_s, series.sessions.to_s, strict=True)
    here = [place for place, (began_s, ended_s) in enumerate(lives) if ended_s > from_s and began_s < to_s]
    if len(here) <= NAMED_MAX:
        return {place: lane for lane, place in enumerate(here)}
    found: dict[int, int] = {}
    free: list[int] = []
    busy: list[tuple[float, int]] = []  # until when, which lane
    for place in sorted(here, key=lambda place: series.sessions.from_s[place]):
        while busy and busy[0][0] <= series.sessions.from_s[place]:
            heappush(free, heappop(busy)[1])
        found[place] = heappop(free) if free else len(busy)
        heappush(busy, (series.sessions.to_s[place], found[place]))
    return found


def chart(ax: Any, series: SeriesFile) -> None:
    """Draw it."""
    lane_of = lanes_of(series)
    many = max(1, lanes(lane_of))
    from_s, to_s = shown(series)
    high = 0.5 * LEAST_PT / (height_in(series) * 72) * many  # half of the least height, in lanes
    lives = [(lane, max(from_s, series.sessions.from_s[place]), min(to_s, series.sessions.to_s[place]))
             for place, lane in lane_of.items()]  # fmt: skip
    _bars(ax, lives, min(0.5, max(0.2, 0.3 * high)), GREY, "alive", alpha=0.45)
    silent = [(lane_of[place], at_s, at_s + ms / 1000, ms) for place, at_s, ms in series.silences if place in lane_of]
    for nth, (least_ms, colour, words) in enumerate(CLASSES):
        most_ms = CLASSES[nth + 1][0] if nth + 1 < len(CLASSES) else float("inf")
        mine = [(lane, at_s, end_s) for lane, at_s, end_s, ms in silent if least_ms <= ms < most_ms]
        _bars(ax, mine, max(0.42, high * (1 + 0.4 * nth)), colour, words)
    ax.set_ylim(many - 0.2, -0.8)
    if 0 < len(lane_of) <= NAMED_MAX and series.silences:
        ax.set_yticks(range(len(lane_of)), [str(series.sessions.session[place]) for place in lane_of], fontsize=5)
        ax.tick_params(axis="y", length=0, pad=1)
    else:
        ax.set_yticks([])
    dress(ax, "silences\na session a line" if len(lane_of) <= NAMED_MAX else f"silences of\n{len(lane_of)} sessions")
    ax.grid(visible=False)
    if words := _words(series, lane_of, silent):
        ax.annotate(words, (0.01, 0.96), xycoords="axes fraction", va="top", fontsize=8, color=QUIET)


def _words(series: SeriesFile, lane_of: Mapping[int, int], silent: list[tuple[int, float, float, float]]) -> str:
    if not lane_of:
        return "no session came up" if series.row("sessions_live").count(None) < series.seconds else "not recorded"
    if series.silences_left_out:
        return f"the longest {len(silent)} silences; {series.silences_left_out} shorter ones are not drawn"
    return "" if silent else "no session was silent for 100 ms"


def _bars(
    ax: Any, bars: Iterable[tuple[float, float, float]], half: float, colour: str, words: str, *, alpha: float = 1.0
) -> None:  # fmt: skip
    """Rectangles as one shape: each on a line, from and to (s)."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    vertices: list[tuple[float, float]] = []
    codes: list[Any] = []
    for line, from_s, to_s in bars:
        low, high = line - half, line + half
        vertices += [(from_s, low), (to_s, low), (to_s, high), (from_s, high), (from_s, low)]
        codes += [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY]
    if vertices:
        path = Path(vertices, codes)
        ax.add_patch(PathPatch(path, facecolor=colour, edgecolor="none", linewidth=0, alpha=alpha, label=words))
