"""One drill's section of the month's page: its newest run, with everything needed to believe it or to do it again."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from drills.report.files import FaultRow, JudgementRow, SeriesFile
from drills.report.markdown import bullets, code_block, picture, table, text
from drills.report.overview import sorted_rows
from drills.report.runs import Run
from drills.report.words import figure, limit, moment

MARKS = {"broken": "**BROKEN**", "inconclusive": "inconclusive", "held": "held", "not run": "not run",
         "unreadable": "cannot be read"}  # fmt: skip
# The Operations page's service indicators (Reliability Baseline), in its order; p95/p99 is one line there.
INDICATORS = (
    "session setup success rate", "handshake failure rate", "direct vs relay ratio", "p95 input-to-present latency",
    "p99 input-to-present latency", "session drop rate",
)  # fmt: skip
WINDOWS = ("calm", "fault", "recovery")


def section(run: Run, drawn: Path | None, *, told_apart: bool) -> str:
    """The section of one run; the heading names target and defects where the drill has several."""
    heading = f"## {text(run.drill)}"
    if told_apart:
        heading += f", {text(run.target or 'unknown target')}" + "".join(f" with {text(one)}" for one in run.defects)
    parts = [heading, f"Verdict: {MARKS[run.status]}." + (f" {_sentence(run.problem)}" if run.problem else ""),
             _story(run), "Run it again:\n\n" + code_block(command_of(run))]  # fmt: skip
    if run.verdict:
        parts += [_picture(run, drawn), _objectives(run), _indicators(run), _faults(run), _doubts(run)]
    return "\n\n".join(part for part in [*parts, _provenance(run)] if part)


def _sentence(words: str) -> str:
    return text(words[:1].upper() + words[1:]) + "."


def _story(run: Run) -> str:
    series = run.series
    lines = []
    if series and series.claim:
        lines.append(f"Claim: {text(series.claim)}")
    if series and series.blast_radius:
        lines.append(f"What it touches: {text(series.blast_radius)}")
    when = f"Rehearsed {moment(run.started_at)} UTC" + (f", {series.seconds} s long" if series else "")
    if run.defects:
        when += f", with a defect switched on, on purpose: {', '.join(run.defects)}"
    return bullets([*lines, text(when)])


def command_of(run: Run) -> str:
    """The command line of the run; put together from the provenance where none was noted."""
    noted = str(run.provenance.get("command") or "")
    if noted:
        return noted
    words = ["drills", "run", run.drill]
    for option in ("target", "stage", "tier", "pace", "seed"):
        if run.provenance.get(option) not in (None, ""):
            words += [f"--{option}", str(run.provenance[option])]
    for defect in run.defects:
        words += ["--defect", defect]
    return shlex.join(words)


def _picture(run: Run, drawn: Path | None) -> str:
    if drawn is None:
        return f"No picture: {text(run.series_problem)}; `drills judge` writes it again."
    words = f"{run.drill}: latency, silences, losses, sessions and relay states over time"
    return picture(words, f"{run.path}/{drawn.name}")


def _objectives(run: Run) -> str:
    rows = sorted_rows(run)
    if not rows:
        return "Nothing was judged."
    head = ("objective", "window", "verdict", "figure", "limit", "samples", "reason")
    whys = {row.objective: row.why for row in rows if row.why}
    return "\n\n".join((
        "### Objectives",
        table(head, (_objective(row) for row in rows)),
        "Why these limits:",
        bullets(f"{text(objective)}: {text(why)}" for objective, why in whys.items()),
    ))  # fmt: skip


def _objective(row: JudgementRow) -> tuple[str, ...]:
    samples = f"{row.samples}" + (f" of {row.samples_min}" if row.samples < row.samples_min else "")
    return (
        text(row.objective), text(row.window), MARKS[row.verdict], text(figure(row)), text(limit(row)), samples,
        text(row.reason),
    )  # fmt: skip


def _indicators(run: Run) -> str:
    """The service indicators, one a line, with the figure of each window."""
    found = {(row.indicator, row.window): row for row in sorted_rows(run) if row.indicator}
    if not found:
        return ""
    rows = []
    for indicator in INDICATORS:
        mine = [found.get((indicator, window)) for window in WINDOWS]
        limits = [limit(row) for row in mine if row]
        cells = [f"{text(figure(row))}, {MARKS[row.verdict]}" if row else "not judged" for row in mine]
        rows.append((indicator, *cells, text(limits[0]) if limits else _no_limit(indicator, run)))
    head = ("indicator", *WINDOWS, "limit")
    return "### Service indicators of the Operations page\n\n" + table(head, rows)


def _no_limit(indicator: str, run: Run) -> str:
    path = run.provenance.get("direct_path")
    return f"direct path {text(path)}" if indicator == "direct vs relay ratio" and path else ""


def _faults(run: Run) -> str:
    if not run.series:
        return ""
    if not run.series.faults:
        return "### Faults\n\nNone was injected."
    head = ("asked", "landed", "measured on", "mended", "measured off", "from–to (UTC)", "lasted")
    return "### Faults\n\n" + table(head, (_fault(row, run.series) for row in run.series.faults))


def _fault(row: FaultRow, series: SeriesFile) -> tuple[str, ...]:
    began = moment(series.started_at, row.from_s, day=False)
    ended = moment(series.started_at, row.to_s, day=False) if row.to_s is not None else "unknown"
    lasted = f"{row.to_s - row.from_s:.2f} s" if row.to_s is not None else "unknown"
    return (
        text(f"{row.fault}: {row.asked}"), "yes" if row.landed else "**no**", text(row.measured_on),
        "yes" if row.mended else "**no**", text(row.measured_off), f"{text(began)}–{text(ended)}", lasted,
    )  # fmt: skip


def _doubts(run: Run) -> str:
    doubts = run.verdict.doubts if run.verdict else ()
    return "### Doubts\n\n" + (bullets(text(doubt) for doubt in doubts) if doubts else "None.")


def _provenance(run: Run) -> str:
    facts = run.provenance
    if not facts:
        return "### Provenance\n\nNone was written." if run.verdict else ""
    lines = [f"{name.replace('_', ' ')}: {text(facts[name])}"
             for name in ("commit", "drills_version", "seed", "pace", "tier", "target", "stage", "heartbeat_s", "suite",
                          "network", "platform", "cpus", "python", "toxiproxy")
             if facts.get(name) not in (None, "")]  # fmt: skip
    for title, key in (("programs", "programs"), ("libraries", "libraries"), ("tier's limits", "tier_limits")):
        lines += _pairs(title, facts.get(key))
    limits = facts.get("limits_in_force")
    if isinstance(limits, dict):
        raised = {name: value for name, value in limits.items() if str(name).startswith("gateway.")}
        lines += _pairs("gateway limits in force, raised because all ends share an address behind Toxiproxy", raised)
        lines += _pairs("other limits in force", {name: limits[name] for name in limits if name not in raised})
    return "### Provenance\n\n" + bullets([*lines, f"evidence: {text(run.path)}"])


def _pairs(title: str, found: Any) -> list[str]:
    if not isinstance(found, dict) or not found:
        return []
    return [f"{title}: " + ", ".join(f"{text(name)} {text(value)}" for name, value in found.items())]
