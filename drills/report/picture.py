"""Two pictures of a run, second by second: what users met, and what the control plane did meanwhile.

Panels of both share one axis of time and the story on top of it (windows, faults, events); every fault is shaded
through all of them. Drawn from series.json and verdict.json alone, and the same to the byte from the same disk.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drills.report import panels, services, silence_chart, story
from drills.report.canvas import height_of, plain, shown, stacked, windows
from drills.report.files import SeriesFile, VerdictFile
from drills.report.runs import Run
from drills.report.svg import slim
from drills.report.words import moment

USERS, SERVICES = "picture.svg", "services.svg"
WIDTH_IN = 9.0  # 900 px at DPI
DPI = 100
STORY_ROW_IN, RELAY_ROW_IN, EMPTY_IN = 0.20, 0.24, 0.36
SETTINGS: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "sans-serif"],  # alike in width: labels fit where one is missing
    "font.size": 8.5,
    "axes.titlesize": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "svg.fonttype": "none",
    "svg.hashsalt": "drills",
}


@dataclass(frozen=True)
class Pictures:
    """Where a run's pictures are."""

    users: Path
    services: Path


@dataclass(frozen=True)
class Panel:
    """One panel: how high it is, and what is drawn on its axes."""

    height_in: float
    draw: Callable[[Any], None]


def write_pictures(run: Run) -> Pictures:
    """Both pictures in the run's folder, replaced as a whole; the run must have a verdict and a series."""
    made = Pictures(run.folder / USERS, run.folder / SERVICES)
    for path, panels_of in ((made.users, user_panels), (made.services, service_panels)):
        unfinished = path.with_suffix(".unfinished")
        save(run, panels_of(run), unfinished, "svg")
        unfinished.write_text(slim(unfinished.read_text(encoding="utf-8")), encoding="utf-8")
        unfinished.rename(path)
    return made


def save(run: Run, drawn: Sequence[Panel], path: Path, form: str) -> None:
    """Draw some panels of a run into a file; no state of pyplot is touched."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    assert run.series and run.verdict
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # a user's own matplotlibrc must not change the picture
        matplotlib.rcParams.update(SETTINGS)
        heights = [panel.height_in for panel in drawn]
        figure = Figure(figsize=(WIDTH_IN, height_of(heights)), dpi=DPI)
        FigureCanvasAgg(figure)
        axes = stacked(figure, heights)
        _draw(run.series, drawn, axes)
        figure.text(0.01, 1 - 0.08 / figure.get_size_inches()[1], _title(run), ha="left", va="top", fontsize=10)
        metadata = {"Date": None, "Creator": None} if form == "svg" else {"Software": None}
        figure.savefig(path, format=form, dpi=DPI, metadata=metadata)


def _draw(series: SeriesFile, drawn: Sequence[Panel], axes: Sequence[Any]) -> None:
    from_s, to_s = shown(series)
    for ax, panel in zip(axes, drawn, strict=True):
        windows(ax, series)
        ax.set_xlim(from_s, to_s)
        ax.tick_params(axis="x", length=0)
        panel.draw(ax)
        ax.yaxis.set_label_coords(-0.072, 0.5)
    axes[-1].tick_params(axis="x", length=3)
    axes[-1].set_xlabel(f"seconds since {moment(series.started_at)} UTC")


def user_panels(run: Run) -> list[Panel]:
    """What users met."""
    series, verdict = run.series, run.verdict
    assert series and verdict
    return [
        _tale(run),
        Panel(1.35, lambda ax: panels.latency(ax, series, verdict.limit_of("input_to_present_ms_p95"))),
        Panel(0.8, lambda ax: panels.ways(ax, series)),
        Panel(1.1, lambda ax: panels.silences(ax, series, verdict.limit_of("silence_ms_p99"))),
        Panel(silence_chart.height_in(series), lambda ax: silence_chart.chart(ax, series)),
        Panel(0.7, lambda ax: panels.losses(ax, series)),
        Panel(0.7, lambda ax: panels.sessions(ax, series)),
        Panel(0.8, lambda ax: panels.setups(ax, series)),
    ]


def service_panels(run: Run) -> list[Panel]:
    """What the control plane did meanwhile."""
    series = run.series
    assert series
    relays_in = RELAY_ROW_IN * max(1, len(story.relay_rows(series))) + 0.05
    return [
        _tale(run),
        Panel(relays_in, lambda ax: story.relays(ax, series)),
        Panel(1.2, lambda ax: services.requests(ax, series)),
        Panel(0.8 if services.refusal_rows(series) else EMPTY_IN, lambda ax: services.refusals(ax, series)),
        Panel(0.8 if services.rejection_rows(series) else EMPTY_IN, lambda ax: services.rejections(ax, series)),
        Panel(1.2, lambda ax: services.cpu(ax, series)),
    ]


def _tale(run: Run) -> Panel:
    series, verdict = run.series, run.verdict
    assert series and verdict
    height_in = STORY_ROW_IN * max(1, len(story.story_rows(series))) + 0.05
    return Panel(height_in, lambda ax: story.story(ax, series, _outcomes(verdict)))


def _title(run: Run) -> str:
    assert run.series and run.verdict
    verdict = run.verdict
    outcome = verdict.verdict.upper() if verdict.verdict == "broken" else verdict.verdict
    defects = f" with {', '.join(run.defects)}" if run.defects else ""
    pace = f", pace {run.provenance['pace']}" if run.provenance.get("pace") else ""
    where = f"on {verdict.target}{defects}, {verdict.stage}, tier {verdict.tier}{pace}"
    return plain(f"{run.drill}: {outcome}\nstarted {moment(run.series.started_at)} UTC {where}")


def _outcomes(verdict: VerdictFile) -> dict[str, str]:
    """Each window's outcome in a word or two: what did not hold, or that all did."""
    words = {}
    for window in {row.window for row in verdict.judgements}:
        counts = Counter(str(row.verdict) for row in verdict.judgements if row.window == window)
        gravest = next(outcome for outcome in ("broken", "inconclusive", "held") if counts[outcome])
        words[window] = "held" if gravest == "held" else f"{counts[gravest]} {gravest}"
    return words
