"""A month of runs in words and pictures, from the disk alone: no Docker, no network, no samples.

Reads ``verdict.json``, ``series.json`` and ``provenance.json`` of each run of the month (and the end of the journal of
one that was never judged); writes ``report.html``, ``report.md``, ``report.json``, ``junit.xml`` and a picture in
each run's folder that it shows.

``report.json``:

- ``format``, ``month``, ``answer`` (a sentence), ``gravest`` (a status), ``warnings`` (sentences)
- ``drills``: the newest run of each drill, target, stage and set of defects, gravest first
- ``earlier``: all other runs of the month, newest first
- ``teeth``: the newest matrix of ``drills teeth``, as in its teeth.json; its runs are not among the others

A run is ``{drill, run, path, status, problem, target, stage, tier, pace, defects, started_at, counted, command,
picture, verdict, claim, blast_radius, seconds, windows, faults, events, provenance}``: ``status`` is broken,
inconclusive, held, ``not run`` or ``unreadable``; ``problem`` says why there is no verdict; ``path`` and ``picture``
are seen from the month's folder; ``counted`` is false for a run with a defect switched on, where runs without one speak
for the month; ``verdict`` is verdict.json with its judgements sorted gravest first (``detection``: what was noticed of
each fault); ``claim`` to ``events`` are as in series.json (see drills/report/series.py). What a run does not have is
null. ``earlier`` runs have no more than what stands before ``command``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from drills.report.html import html
from drills.report.junit import junit
from drills.report.overview import Overview, sorted_rows
from drills.report.page import page
from drills.report.picture import write_picture
from drills.report.runs import Run, month_folder, runs_of
from drills.report.teeth import SUITE as TEETH
from drills.report.teeth import Teeth, read_teeth
from drills.report.teeth import as_data as teeth_data
from drills.report.words import command_of

FORMAT = 1
_OF_SERIES = ("claim", "blast_radius", "seconds", "windows", "faults", "events")


def write_month(out: Path, month: str) -> Path:
    """Write a month's report under ``out`` and return the path of report.html.

    Raises BadInput for a text that is no month, and for a month without runs.
    """
    folder = month_folder(out, month)
    overview = Overview.of(month, [run for run in runs_of(folder) if run.provenance.get("suite") != TEETH])
    teeth, teeth_problem = read_teeth(folder)
    pictures = {run.path: write_picture(run) for run in overview.newest if run.series and run.verdict}
    _replace(folder / "report.json", json.dumps(as_data(overview, pictures, teeth), indent=2) + "\n")
    _replace(folder / "report.md", page(overview, pictures, teeth, teeth_problem))
    _replace(folder / "junit.xml", junit(overview))
    return _replace(folder / "report.html", html(overview, pictures, teeth, teeth_problem))


def _replace(path: Path, content: str) -> Path:
    unfinished = path.with_suffix(path.suffix + ".unfinished")
    unfinished.write_text(content, encoding="utf-8")
    unfinished.rename(path)
    return path


def as_data(overview: Overview, pictures: Mapping[str, Path], teeth: Teeth | None = None) -> dict[str, Any]:
    """What report.json holds, as in the module's docstring."""
    return {
        "format": FORMAT,
        "month": overview.month,
        "answer": overview.answer(),
        "gravest": overview.gravest,
        "warnings": overview.warnings(),
        "drills": [_whole(run, overview, pictures.get(run.path)) for run in overview.newest],
        "earlier": [_brief(run, counted=False) for run in overview.earlier],
        "teeth": teeth_data(teeth),
    }


def _brief(run: Run, *, counted: bool) -> dict[str, Any]:
    return {
        "drill": run.drill, "run": run.name, "path": run.path, "status": run.status, "problem": run.problem or None,
        "target": run.target or None, "stage": run.stage or None, "tier": run.tier or None, "pace": run.pace or None,
        "defects": list(run.defects), "started_at": run.started_at or None, "counted": counted,
    }  # fmt: skip


def _whole(run: Run, overview: Overview, drawn: Path | None) -> dict[str, Any]:
    series: dict[str, Any] = _finite(run.series.model_dump()) if run.series else {}
    return {
        **_brief(run, counted=run in overview.counted),
        "command": command_of(run),
        "picture": f"{run.path}/{drawn.name}" if drawn else None,
        "verdict": _verdict(run),
        **{name: series.get(name) for name in _OF_SERIES},
        "provenance": _finite(run.provenance) or None,
    }


def _verdict(run: Run) -> dict[str, Any] | None:
    if run.verdict is None:
        return None
    rows = run.verdict.model_copy(update={"judgements": tuple(sorted_rows(run))})
    found: dict[str, Any] = _finite(rows.model_dump())
    return found


def _finite(value: Any) -> Any:
    """The same with null for what JSON has no number for."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
