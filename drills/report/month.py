"""A month of runs in words and pictures, from the disk alone: no Docker, no network, no samples.

Reads ``verdict.json`` and ``provenance.json`` of each run of the month and of the eleven before it, ``series.json`` of
those that it shows, the ledger of findings, and the end of the journal of a run that was never judged; writes
``report.html``, ``report.md``, ``report.json``, ``junit.xml`` and two pictures in the folder of each run that it shows.

``report.json`` is described by ``schema/report.schema.json``, which ``python -m drills.report.schema`` writes.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from drills.findings.listing import as_data as listed
from drills.report.budget import TierTable
from drills.report.contents import Contents, contents_of
from drills.report.expected import expected
from drills.report.history import Place
from drills.report.html import html
from drills.report.junit import junit
from drills.report.overview import Overview, sorted_rows
from drills.report.page import page
from drills.report.picture import Pictures
from drills.report.rejections import rejections
from drills.report.runbook import Coverage
from drills.report.runs import Run, month_folder
from drills.report.scoreboard import Row
from drills.report.teeth import as_data as teeth_data
from drills.report.trends import Trend
from drills.report.words import command_of

FORMAT = 2
_OF_SERIES = ("claim", "blast_radius", "seconds", "windows", "faults", "events", "excerpts")


def write_month(out: Path, month: str, today: date | None = None) -> Path:
    """Write a month's report under ``out`` and return the path of report.html.

    ``today`` decides which findings are overdue. Raises BadInput for a text that is no month, and for a month without
    runs.
    """
    folder = month_folder(out, month)
    contents = contents_of(out, month, expected(), today or datetime.now(UTC).date())
    _replace(folder / "report.json", json.dumps(as_data(contents), indent=2) + "\n")
    _replace(folder / "report.md", page(contents))
    _replace(folder / "junit.xml", junit(contents.overview))
    return _replace(folder / "report.html", html(contents))


def _replace(path: Path, content: str) -> Path:
    unfinished = path.with_suffix(path.suffix + ".unfinished")
    unfinished.write_text(content, encoding="utf-8")
    unfinished.rename(path)
    return path


def as_data(contents: Contents) -> dict[str, Any]:
    """What report.json holds, as in schema/report.schema.json."""
    overview = contents.overview
    return {
        "format": FORMAT,
        "month": overview.month,
        "answer": overview.answer(),
        "gravest": overview.gravest,
        "lead": contents.lead,
        "synthetic": contents.synthetic,
        "warnings": overview.warnings(),
        "decisions": [{"kind": one.kind, "about": one.about, "says": one.says, "run": one.run.path if one.run else None}
                      for one in contents.decisions],
        "scorecard": [_score(row) for row in contents.board],
        "indicators": [_tier(table) for table in contents.budgets],
        "trends": [_trend(one) for one in contents.trends],
        "findings": listed(contents.findings, contents.today),
        "findings_problem": contents.findings_problem or None,
        "runbook": [_item(one) for one in contents.runbook],
        "not_covered": list(contents.uncovered),
        "drills": [_whole(run, overview, contents.pictures.get(run.path)) for run in overview.newest],
        "earlier": [_brief(run, counted=False) for run in overview.earlier],
        "teeth": teeth_data(contents.teeth),
    }  # fmt: skip


def _place(place: Place) -> dict[str, Any]:
    return {name: getattr(place, name) for name in ("target", "stage", "tier", "pace", "condition", "synthetic")}


def _score(row: Row) -> dict[str, Any]:
    return {
        "drill": row.line.drill, **_place(row.line.place), "key_figure": row.key, "unit": row.unit,
        "noise_band": row.band.width, "noise_runs": row.band.runs, "noise_of": row.band.of,
        "months": [{"month": cell.month, "status": cell.status or None, "figure": cell.value,
                    "runs": len(row.line.runs.get(cell.month, ())), "says": cell.says} for cell in row.cells],
    }  # fmt: skip


def _tier(table: TierTable) -> dict[str, Any]:
    return {**_place(table.place), "runs": table.runs,
            "indicators": [{**_finite(asdict(row)), "left": row.left} for row in table.rows]}  # fmt: skip


def _trend(one: Trend) -> dict[str, Any]:
    return {
        "drill": one.line.drill, **_place(one.line.place), "objective": one.key.objective, "window": one.key.window,
        "unit": one.unit, "now": one.now, "before": one.before, "before_month": one.before_when or None,
        "release": one.release, "release_until": one.release_when or None, "noise_band": one.band.width,
        "noise_runs": one.band.runs, "noise_of": one.band.of, "against_month": one.word,
        "against_release": one.release_word,
    }  # fmt: skip


def _item(one: Coverage) -> dict[str, Any]:
    newest = one.line.last if one.line else None
    return {
        "section": one.item.section, "item": one.item.says, "state": one.word, "drills": list(one.drills),
        "why_none": (one.item.why_none or None) if one.word == "no drill" else None,
        "last": newest.started_at if newest else None,
        "last_drill": newest.drill if newest else None, "last_status": newest.status if newest else None,
        "by": one.by,
    }  # fmt: skip


def _brief(run: Run, *, counted: bool) -> dict[str, Any]:
    return {
        "drill": run.drill, "run": run.name, "path": run.path, "status": run.status, "problem": run.problem or None,
        "target": run.target or None, "stage": run.stage or None, "tier": run.tier or None, "pace": run.pace or None,
        "defects": list(run.defects), "started_at": run.started_at or None, "counted": counted,
        "synthetic": run.synthetic or None,
    }  # fmt: skip


def _whole(run: Run, overview: Overview, drawn: Pictures | None) -> dict[str, Any]:
    series: dict[str, Any] = _finite(run.series.model_dump()) if run.series else {}
    return {
        **_brief(run, counted=run in overview.counted),
        "command": command_of(run),
        "picture": f"{run.path}/{drawn.users.name}" if drawn else None,
        "services_picture": f"{run.path}/{drawn.services.name}" if drawn else None,
        "relay_rejections": [{"reason": row.reason, "windows": dict(row.windows)} for row in rejections(run)],
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
