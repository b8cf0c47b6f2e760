"""What all panels of a run's picture share: colours, the stretch of time that is shown, labels.

Colours are Okabe and Ito's, which people with any kind of colour vision can tell apart; states are also written out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from drills.report.files import SeriesFile

BLACK, GREY, ORANGE, SKY, GREEN, BLUE, RED, PURPLE = (
    "#000000", "#8c8c8c", "#e69f00", "#56b4e9", "#009e73", "#0072b2", "#d55e00", "#cc79a7",
)  # fmt: skip
WHITE, FAULT_SHADE, FAULT_BAND, GRID, QUIET = "#ffffff", "#f6ead2", "#e0a850", "#e3e3e3", "#444444"
ON_COLOUR = "#111111"  # words on a coloured bar: dark in any scheme, 4.5:1 or better on every one of the colours
LEFT_IN, RIGHT_IN, TOP_IN, BOTTOM_IN, GAP_IN = 0.98, 1.42, 0.62, 0.5, 0.13
LEAD_S = 2.0  # shown before calm and after recovery
LEGEND = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.04), "frameon": False, "fontsize": 8, "handlelength": 1.4}


def plain(words: str, longest: int = 120) -> str:
    """Outside text for a label: no mathematics, no other line breaks than ours, not too long."""
    lines = ("".join(c for c in line if c.isprintable()) for line in words.split("\n"))
    return "\n".join(line[: longest - 1] + "…" if len(line) > longest else line for line in lines).replace("$", r"\$")


def shown(series: SeriesFile) -> tuple[float, float]:
    """The stretch of time that is shown: the windows and a little more, or all where there are none."""
    spans = series.windows.values()
    if not spans:
        return 0.0, float(max(series.seconds, 1))
    return max(0.0, min(w.from_s for w in spans) - LEAD_S), max(w.to_s for w in spans) + LEAD_S


def windows(ax: Any, series: SeriesFile) -> None:
    """The windows' edges, the fault window shaded, and every fault more, while it lasted; two at once add up."""
    if window := series.windows.get("fault"):
        ax.axvspan(window.from_s, window.to_s, color=FAULT_SHADE, linewidth=0, zorder=0)
    _, end_s = shown(series)
    for fault in series.faults:
        to_s = end_s if fault.to_s is None else fault.to_s
        ax.axvspan(fault.from_s, to_s, color=FAULT_BAND, alpha=0.22, linewidth=0, zorder=0.5)
    for edge in sorted({round(edge, 1) for window in series.windows.values() for edge in (window.from_s, window.to_s)}):
        ax.axvline(edge, color=GREY, linewidth=0.6, zorder=1)


def stacked(figure: Any, heights_in: Sequence[float]) -> list[Any]:
    """Axes one below the other with one axis of time, placed by inches: measuring the labels would take twice as long
    as drawing them.
    """
    width_in, height_in = figure.get_size_inches()
    panel_in = (width_in - LEFT_IN - RIGHT_IN) / width_in
    axes: list[Any] = []
    top_in = height_in - TOP_IN
    for height in heights_in:
        box = (LEFT_IN / width_in, (top_in - height) / height_in, panel_in, height / height_in)
        axes.append(figure.add_axes(box, sharex=axes[0] if axes else None))
        top_in -= height + GAP_IN
    for ax in axes[:-1]:
        ax.tick_params(labelbottom=False)
    return axes


def height_of(heights_in: Sequence[float]) -> float:
    """How high a picture of such panels is, in inches."""
    return TOP_IN + BOTTOM_IN + sum(heights_in) + GAP_IN * (len(heights_in) - 1)
