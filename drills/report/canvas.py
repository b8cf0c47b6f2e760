"""What all panels of a run's picture share: colours, the stretch of time that is shown, labels.

Colours are Okabe and Ito's, which people with any kind of colour vision can tell apart; states are also written out.
"""

from __future__ import annotations

from typing import Any

from drills.report.files import SeriesFile

BLACK, GREY, ORANGE, SKY, GREEN, BLUE, RED, PURPLE = (
    "#000000", "#8c8c8c", "#e69f00", "#56b4e9", "#009e73", "#0072b2", "#d55e00", "#cc79a7",
)  # fmt: skip
WHITE, FAULT_SHADE, GRID, QUIET = "#ffffff", "#f6ead2", "#e3e3e3", "#444444"
ON_COLOUR = "#111111"  # words on a coloured bar: dark in any scheme, 4.5:1 or better on every one of the colours
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
    """The windows' edges, and the fault window shaded."""
    for name, window in series.windows.items():
        if name == "fault":
            ax.axvspan(window.from_s, window.to_s, color=FAULT_SHADE, linewidth=0, zorder=0)
    for edge in sorted({round(edge, 1) for window in series.windows.values() for edge in (window.from_s, window.to_s)}):
        ax.axvline(edge, color=GREY, linewidth=0.6, zorder=1)
