"""One picture of a run: what a user felt, second by second, under what was being done to the system.

Panels share one axis of time: the story (windows, faults, events), latency, silences, lost packets, sessions, relay
states. Drawn from series.json and verdict.json alone, and the same to the byte from the same disk.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from drills.report import panels, story
from drills.report.canvas import plain, shown, windows
from drills.report.files import SeriesFile, VerdictFile
from drills.report.runs import Run
from drills.report.svg import slim
from drills.report.words import moment

NAME = "picture.svg"
WIDTH_IN = 9.0  # 900 px at DPI
DPI = 100
STORY_ROW_IN, RELAY_ROW_IN = 0.20, 0.24
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


def write_picture(run: Run) -> Path:
    """picture.svg in the run's folder, replaced as a whole; the run must have a verdict and a series."""
    path = run.folder / NAME
    unfinished = path.with_suffix(".unfinished")
    save(run, unfinished, "svg")
    unfinished.write_text(slim(unfinished.read_text(encoding="utf-8")), encoding="utf-8")
    unfinished.rename(path)
    return path


def save(run: Run, path: Path, form: str) -> None:
    """Draw a run into a file; no state of pyplot is touched."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    assert run.series and run.verdict
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # a user's own matplotlibrc must not change the picture
        matplotlib.rcParams.update(SETTINGS)
        heights = _heights(run.series)
        figure = Figure(figsize=(WIDTH_IN, sum(heights) + 1.15), dpi=DPI, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)
        _draw(run, axes)
        figure.align_ylabels(axes[1:-1])
        figure.suptitle(_title(run), x=0.01, ha="left", fontsize=10)
        metadata = {"Date": None, "Creator": None} if form == "svg" else {"Software": None}
        figure.savefig(path, format=form, dpi=DPI, metadata=metadata)


def _heights(series: SeriesFile) -> list[float]:
    """The panels' heights in inches, from the story to the relays."""
    tale = STORY_ROW_IN * max(1, len(story.story_rows(series))) + 0.05
    relays = RELAY_ROW_IN * max(1, len(story.relay_rows(series))) + 0.05
    return [tale, 1.5, 1.3, 0.8, 0.9, 0.9, relays]


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


def _draw(run: Run, axes: Sequence[Any]) -> None:
    series, verdict = run.series, run.verdict
    assert series and verdict
    tale, latency, silences, losses, sessions, setups, relays = axes
    from_s, to_s = shown(series)
    for ax in axes:
        windows(ax, series)
        ax.set_xlim(from_s, to_s)
        ax.tick_params(axis="x", length=0)
    story.story(tale, series, _outcomes(verdict))
    panels.latency(latency, series, verdict.limit_of("input_to_present_ms_p95"))
    panels.silences(silences, series, verdict.limit_of("silence_ms_p99"))
    panels.losses(losses, series)
    panels.sessions(sessions, series)
    panels.setups(setups, series)
    story.relays(relays, series)
    relays.tick_params(axis="x", length=3)
    relays.set_xlabel(f"seconds since {moment(series.started_at)} UTC")
