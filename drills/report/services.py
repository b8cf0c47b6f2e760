"""The panels that show what the services did, second by second: requests, refusals, rejections, CPU."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drills.report.canvas import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, QUIET, RED, SKY, plain
from drills.report.files import Row, SeriesFile
from drills.report.panels import dress, gaps, middles, whole_ticks

COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, RED, BLACK, GREY)
DASHES = ((0, ()), (0, (4, 2)), (0, (1, 1.5)))
LINES_MAX = 6  # so many legend entries fit beside a panel; what is left over is summed up
LABEL_MAX = 22
GENERATOR = ("locust_", "toxiproxy")  # ours, and no part of the control plane
AUTH_TROUBLE = {"auth_failures": "auth failures", "rate_limited": "rate limits", "validation_errors": "invalid",
                "db_errors": "database errors"}  # fmt: skip


def requests(ax: Any, series: SeriesFile) -> None:
    """Requests to each service; logarithmic, since a relay reads a hundred packets for each call at the gateway."""
    rows = series.by_key("requests")
    _lines(ax, series, rows)
    top = max((value for row in rows.values() for value in row if value), default=1.0)
    if rows:
        from matplotlib.ticker import FuncFormatter

        ax.set_yscale("symlog", linthresh=1.0)
        ax.set_ylim(0, top * 1.6)
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.yaxis.set_minor_formatter("")
    _dressed(ax, series, "requests\nper s", "no request was counted" if not rows else "")


def refusal_rows(series: SeriesFile) -> dict[str, Row]:
    """What the gateway counted of refused logins and reached limits, and the relays of packets over their limits."""
    auth = series.by_key("gateway_auth")
    rows = {words: auth[name] for name, words in AUTH_TROUBLE.items() if name in auth}
    limited = [row for name, row in series.by_key("relay_refusals").items() if "rate_limited" in name]
    return rows | ({"relay rate limits": _summed(limited)} if limited else {})


def refusals(ax: Any, series: SeriesFile) -> None:
    """Failed logins and reached limits."""
    rows = refusal_rows(series)
    _stairs(ax, series, rows)
    _dressed(ax, series, "auth, limits\nper s", "no failed login, no limit reached" if not rows else "")


def rejection_rows(series: SeriesFile) -> dict[str, Row]:
    """Leases that relays rejected, by the reason that the end was given, and what relays dropped, by their counters."""
    rows = {f"lease: {reason}": row for reason, row in series.by_key("lease_rejections").items()}
    rows |= {name.removesuffix("_packets").removesuffix("_rejects").replace("_", " "): row
             for name, row in series.by_key("relay_refusals").items() if "rate_limited" not in name}  # fmt: skip
    return rows


def rejections(ax: Any, series: SeriesFile) -> None:
    """What relays rejected and dropped."""
    rows = rejection_rows(series)
    _stairs(ax, series, rows)
    _dressed(ax, series, "rejections\nper s", "no relay rejected anything" if not rows else "")


def cpu(ax: Any, series: SeriesFile) -> None:
    """The share of one core that each service took."""
    rows = {name: row for name, row in series.by_key("cpu_share").items() if not name.startswith(GENERATOR)}
    _lines(ax, series, rows)
    top = max((value for row in rows.values() for value in row if value), default=0.1)
    ax.set_ylim(0, top * 1.15)
    _dressed(ax, series, "CPU\ncores", "nobody watched the CPU" if not rows else "")


def _few(rows: Mapping[str, Row]) -> dict[str, Row]:
    """The largest of many rows, and the rest as one."""
    ordered = sorted(rows, key=lambda name: -sum(value or 0.0 for value in rows[name]))
    kept = ordered if len(ordered) <= LINES_MAX else ordered[: LINES_MAX - 1]
    rest = [rows[name] for name in ordered[len(kept) :]]
    few = {name: rows[name] for name in sorted(kept)}
    return {**few, f"{len(rest)} others": _summed(rest)} if rest else few


def _summed(rows: list[Row]) -> Row:
    return [sum(value or 0.0 for value in values) for values in zip(*rows, strict=True)]


def _lines(ax: Any, series: SeriesFile, rows: Mapping[str, Row]) -> None:
    for place, (name, row) in enumerate(_few(rows).items()):
        ax.plot(middles(series), gaps(row), color=COLOURS[place % len(COLOURS)], linewidth=1.3,
                linestyle=DASHES[place % len(DASHES)], label=plain(name, LABEL_MAX))  # fmt: skip


def _stairs(ax: Any, series: SeriesFile, rows: Mapping[str, Row]) -> None:
    for place, (name, row) in enumerate(_few(rows).items()):
        ax.stairs([value or 0.0 for value in row], range(series.seconds + 1), color=COLOURS[place % len(COLOURS)],
                  linewidth=1.4, baseline=None, label=plain(name, LABEL_MAX))  # fmt: skip
    top = max((value for row in rows.values() for value in row if value), default=1.0)
    ax.set_ylim(0, top * 1.25)
    whole_ticks(ax)


def _dressed(ax: Any, series: SeriesFile, words: str, empty: str) -> None:
    dress(ax, words)
    if empty:  # there is little room, and one word must do
        ax.set_ylabel(words.partition("\n")[0].partition(",")[0], rotation=0, ha="right", va="center")
        ax.annotate(empty, (0.01, 0.9), xycoords="axes fraction", va="top", fontsize=8, color=QUIET)
        ax.set_yticks([])
