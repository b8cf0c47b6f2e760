"""The panels that show what a user felt, second by second, each drawn on axes it is given."""

from __future__ import annotations

import math
from typing import Any

from drills.report.canvas import BLACK, BLUE, GREY, GRID, LEGEND, ORANGE, QUIET, RED, SKY
from drills.report.files import Row, SeriesFile
from drills.report.words import number

LOG_FROM = 6.0  # a value this many times the limit (or the median) makes a scale logarithmic


def latency(ax: Any, series: SeriesFile, limit_ms: float | None) -> None:
    """Input-to-present of each second's inputs."""
    rows = [series.row(f"present_ms_{name}") for name in ("p50", "p95", "p99")]
    for row, name, colour, width in zip(rows, ("p50", "p95", "p99"), (SKY, BLUE, RED), (1.2, 1.6, 1.0), strict=True):
        ax.plot(middles(series), gaps(row), color=colour, linewidth=width, label=name)
    _limit(ax, limit_ms, "p95 limit")
    _scale(ax, [value for row in rows for value in row], limit_ms)
    dress(ax, "input-to-present\nms")


def ways(ax: Any, series: SeriesFile) -> None:
    """How long packets were on their way there and back, and how unevenly they came."""
    rows = series.row("rtt_ms_p50"), series.row("jitter_ms")
    for row, name, colour in zip(rows, ("round trip p50", "jitter"), (BLUE, ORANGE), strict=True):
        ax.plot(middles(series), gaps(row), color=colour, linewidth=1.3, label=name)
    _scale(ax, [value for row in rows for value in row], None)
    dress(ax, "on the way\nms")


def silences(ax: Any, series: SeriesFile, limit_ms: float | None) -> None:
    """The longest silence of any session that began in each second, beside what our own generator did."""
    longest, stops = series.row("silence_ms_max"), series.row("generator_gap_ms_max")
    _columns(ax, series, longest, BLUE, "any session")
    ax.plot(middles(series), gaps(stops), color=ORANGE, linewidth=1.2, label="our generator\nstood still")
    _limit(ax, limit_ms, "limit")
    _scale(ax, [*longest, *stops], limit_ms)
    dress(ax, "longest silence\nms")


def losses(ax: Any, series: SeriesFile) -> None:
    """Packets that were sent in each second and never arrived."""
    lost, skipped = series.row("packets_lost"), series.row("packets_skipped")
    _columns(ax, series, lost, RED, "lost")
    if series.total("packets_skipped"):
        ax.plot(middles(series), gaps([x or None for x in skipped]), color=GREY, marker="x", markersize=4,
                linestyle="none", label="not sent by us")  # fmt: skip
    due = series.total("packets_due") - series.total("packets_skipped")
    words = f"{series.total('packets_lost')} lost of {due} packets" if due else "no packet was sent"
    ax.annotate(words, (0.01, 0.93), xycoords="axes fraction", va="top", fontsize=8, color=QUIET)
    ax.set_ylim(0, max([1.0, *(x for x in [*lost, *skipped] if x)]) * 1.35)
    whole_ticks(ax)
    dress(ax, "packets\nper s")


def sessions(ax: Any, series: SeriesFile) -> None:
    """Live sessions."""
    live = _counts(series.row("sessions_live")) or [0.0]
    ax.stairs(live, range(len(live) + 1), color=BLUE, linewidth=1.4, label="live", baseline=None)
    ax.set_ylim(0, max([1.0, *live]) * 1.15)
    whole_ticks(ax)
    dress(ax, "sessions")


def setups(ax: Any, series: SeriesFile) -> None:
    """What was asked for in each second: set-ups that came up, those that failed, handshakes that were refused."""
    ok, failed = _counts(series.row("setups_ok")), _counts(series.row("setups_failed"))
    refused = series.row("handshakes_failed")
    _columns(ax, series, [one + other for one, other in zip(ok, failed, strict=True)], SKY, "came up")
    _columns(ax, series, list(failed), RED, "failed")
    if series.total("handshakes_failed"):
        ax.plot(middles(series), gaps([count or None for count in refused]), color=BLACK, marker=".", markersize=4,
                linestyle="none", label="failed\nhandshakes")  # fmt: skip
    tops = [one + other for one, other in zip(ok, failed, strict=True)] + _counts(refused)
    ax.set_ylim(0, max([1.0, *tops]) * 1.15)
    whole_ticks(ax)
    dress(ax, "set-ups\nper s")


def _columns(ax: Any, series: SeriesFile, row: Row, colour: str, label: str) -> None:
    """A filled column for each second, as one shape."""
    ax.stairs(_counts(row) or [0.0], range(max(series.seconds, 1) + 1), fill=True, color=colour, label=label)


def _counts(row: Row) -> list[float]:
    return [0.0 if value is None else value for value in row]


def middles(series: SeriesFile) -> list[float]:
    """The middle of each second."""
    return [second + 0.5 for second in range(series.seconds)]


def gaps(row: Row) -> list[float]:
    """A row to be drawn, with gaps where nothing was seen."""
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


def whole_ticks(ax: Any) -> None:
    """Few ticks, for counts."""
    from matplotlib.ticker import MaxNLocator

    ax.yaxis.set_major_locator(MaxNLocator(4, integer=True))


def dress(ax: Any, words: str) -> None:
    """What every panel has: its label, its grid, its legend."""
    ax.set_ylabel(words)
    ax.grid(axis="y", color=GRID, linewidth=0.6)
    handles, labels = ax.get_legend_handles_labels()
    shapes_first = sorted(zip(handles, labels, strict=True), key=lambda pair: hasattr(pair[0], "get_marker"))
    ax.legend([handle for handle, _ in shapes_first], [label for _, label in shapes_first], **LEGEND)
