"""The silence chart: one line a session for as long as it lived, with its long silences on it.

All lines of a kind are one shape, so that a thousand sessions make a picture of a hundred kilobytes and not of ten
megabytes; a silence is drawn at least a point high, so that a single one among a thousand sessions is still seen.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from drills.report.canvas import GREY, ORANGE, QUIET, RED, SKY, shown
from drills.report.files import SeriesFile
from drills.report.panels import dress

CLASSES = ((100.0, SKY, "from 100 ms"), (250.0, ORANGE, "from 250 ms"), (1000.0, RED, "from 1 s"))  # worst on top
ROW_IN, LEAST_IN, MOST_IN = 0.075, 0.75, 2.9
LEAST_PT = 1.3
NAMED_MAX = 40  # so many sessions have their numbers beside them


def height_in(series: SeriesFile) -> float:
    """Room for a line a session, as far as there is room; little where no session was silent for long."""
    if not series.silences:
        return LEAST_IN
    return min(MOST_IN, max(LEAST_IN, ROW_IN * len(_here(series))))


def _here(series: SeriesFile) -> list[int]:
    """The places of the sessions that lived while the picture shows anything."""
    from_s, to_s = shown(series)
    lives = zip(series.sessions.from_s, series.sessions.to_s, strict=True)
    return [place for place, (began_s, ended_s) in enumerate(lives) if ended_s > from_s and began_s < to_s]


def chart(ax: Any, series: SeriesFile) -> None:
    """Draw it."""
    places = _here(series)
    line_of = {place: line for line, place in enumerate(places)}
    from_s, to_s = shown(series)
    high = 0.5 * LEAST_PT / (height_in(series) * 72) * max(1, len(places))  # half of the least height, in lines
    lives = [(line, max(from_s, series.sessions.from_s[place]), min(to_s, series.sessions.to_s[place]))
             for place, line in line_of.items()]  # fmt: skip
    _bars(ax, lives, min(0.5, max(0.12, 0.3 * high)), GREY, "alive", alpha=0.45)
    silent = [(line_of[place], at_s, at_s + ms / 1000, ms) for place, at_s, ms in series.silences if place in line_of]
    for nth, (least_ms, colour, words) in enumerate(CLASSES):
        most_ms = CLASSES[nth + 1][0] if nth + 1 < len(CLASSES) else float("inf")
        mine = [(line, at_s, end_s) for line, at_s, end_s, ms in silent if least_ms <= ms < most_ms]
        _bars(ax, mine, max(0.42, high * (1 + 0.4 * nth)), colour, words)
    ax.set_ylim(max(len(places), 1) - 0.2, -0.8)
    if 0 < len(places) <= NAMED_MAX:
        ax.set_yticks(range(len(places)), [str(series.sessions.session[place]) for place in places], fontsize=5)
        ax.tick_params(axis="y", length=0, pad=1)
    else:
        ax.set_yticks([])
    dress(ax, f"{len(places)} sessions\none a line" if len(places) > 1 else "sessions")
    ax.grid(visible=False)
    if words := _words(series, places, silent):
        ax.annotate(words, (0.01, 0.96), xycoords="axes fraction", va="top", fontsize=8, color=QUIET)


def _words(series: SeriesFile, places: list[int], silent: list[tuple[int, float, float, float]]) -> str:
    if not places:
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
