"""One drill's section of the month's page: its newest run, with everything needed to believe it or to do it again."""

from __future__ import annotations

from drills.report.environment import conditions, groups
from drills.report.files import FaultRow, JudgementRow, SeriesFile
from drills.report.markdown import bullets, code_block, picture, table, text
from drills.report.matrix import INDICATORS, WINDOWS, no_limit, recoveries
from drills.report.noticed import HEAD, noticed
from drills.report.overview import sorted_rows
from drills.report.picture import Pictures
from drills.report.rejections import rejections
from drills.report.runs import Run
from drills.report.words import command_of, figure, limit, moment

MARKS = {"broken": "**BROKEN**", "inconclusive": "inconclusive", "held": "held", "not run": "not run",
         "unreadable": "cannot be read"}  # fmt: skip

STANDINGS = {"holds": "holds", "violated": "**VIOLATED**", "unknown": "unknown"}


def section(run: Run, drawn: Pictures | None, heading: str) -> str:
    """The section of one run under its heading, which is plain text."""
    made = f" Synthetic: {text(run.synthetic)}." if run.synthetic else ""
    verdict = f"Verdict: {MARKS[run.status]}.{made}" + (f" {_sentence(run.problem)}" if run.problem else "")
    parts = [f"## {text(heading)}", verdict, _story(run), "Run it again:\n\n" + code_block(command_of(run))]
    if run.verdict:
        silent = any(row.silent for row in run.verdict.detection)
        parts += [_detection(run)] if silent else []
        parts += [
            _picture(run, drawn),
            *([] if silent else [_detection(run)]),
            _objectives(run),
            _indicators(run),
            _invariants(run),
            _faults(run),
            _rejections(run),
            _excerpts(run),
            _doubts(run),
        ]
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


def _picture(run: Run, drawn: Pictures | None) -> str:
    if drawn is None:
        return f"No picture: {text(run.series_problem)}; `drills judge` writes it again."
    users = f"{run.drill}: what users met, latency, silences, losses, sessions and set-ups over time"
    services = f"{run.drill}: what the services did, relay states, requests, rejections and CPU over time"
    return "\n\n".join((picture(users, f"{run.path}/{drawn.users.name}"),
                        picture(services, f"{run.path}/{drawn.services.name}")))  # fmt: skip


def _detection(run: Run) -> str:
    rows = [noticed(row) for row in run.verdict.detection] if run.verdict else []
    if not rows:
        return ""
    cells = (
        (text(one.fault), ("**SILENT** " if one.silent else "") + text(one.noticed), text(one.sign), text(one.gone),
         text(one.users))
        for one in rows
    )  # fmt: skip
    back = "; ".join(f"{text(row.objective)} {text(figure(row))} (limit {text(limit(row))}, {MARKS[row.verdict]})"
                     for row in recoveries(run))  # fmt: skip
    parts = [table(HEAD, cells), f"What was broken was back after: {back}." if back else ""]
    return "### Time to detect and to recover\n\n" + "\n\n".join(part for part in parts if part)


def _objectives(run: Run) -> str:
    rows = sorted_rows(run)
    if not rows:
        return "Nothing was judged."
    head = ("objective", "window", "verdict", "figure", "limit", "samples", "reason", "rows")
    whys = {row.objective: row.why for row in rows if row.why}
    return "\n\n".join((
        "### Objectives",
        table(head, (_objective(row) for row in rows)),
        "Why these limits:",
        bullets(f"{text(objective)}: {text(why)}" for objective, why in whys.items()),
    ))  # fmt: skip


def _objective(row: JudgementRow) -> tuple[str, ...]:
    samples = f"{row.samples}" + (f" of {row.samples_min}" if row.samples < row.samples_min else "")
    mark = MARKS[row.verdict] + (", silent" if row.silent else "")
    return (
        text(row.objective), text(row.window), mark, text(figure(row)), text(limit(row)), samples,
        text(row.reason), text(row.rows),
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
        rows.append((indicator, *cells, text(limits[0]) if limits else text(no_limit(indicator, run))))
    head = ("indicator", *WINDOWS, "limit")
    return "### Service indicators of the Operations page\n\n" + table(head, rows)


def _invariants(run: Run) -> str:
    """What must be true of any run, and whether it was."""
    rows = run.verdict.invariants if run.verdict else ()
    if not rows:
        return ""
    head = ("invariant", "promise", "outcome", "looked at", "reason", "witnesses")
    return "### Invariants\n\n" + table(head, (
        (text(row.invariant), text(row.promise), STANDINGS[row.outcome], str(row.looked_at), text(row.reason),
         text("; ".join(row.witnesses)))
        for row in rows
    ))  # fmt: skip


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


def _rejections(run: Run) -> str:
    rows = rejections(run)
    if not rows:
        return "### Relay rejections by reason\n\nNone." if run.series else ""
    head = ("reason", *(text(name) for name, _ in rows[0].windows), "all")
    cells = ((text(row.reason), *(str(count) for _, count in row.windows), str(row.total)) for row in rows)
    return "### Relay rejections by reason\n\n" + table(head, cells)


def _excerpts(run: Run) -> str:
    """What all services logged around what was broken, on one clock."""
    series = run.series
    if series is None or not series.excerpts:
        return ""
    parts = ["### What was logged around it"]
    for one in series.excerpts:
        parts.append(f"{moment(series.started_at, one.at_s, day=False)} UTC: {text(one.about)}"
                     + (f" ({one.left_out} quieter lines left out)" if one.left_out else ""))  # fmt: skip
        rows = ((moment(series.started_at, line.at_s, day=False), text(line.service), text(line.text))
                for line in one.lines)  # fmt: skip
        parts.append(table(("at (UTC)", "service", "line"), rows) if one.lines else "Nothing.")
    return "\n\n".join(parts)


def _doubts(run: Run) -> str:
    doubts = run.verdict.doubts if run.verdict else ()
    return "### Doubts\n\n" + (bullets(text(doubt) for doubt in doubts) if doubts else "None.")


def _provenance(run: Run) -> str:
    if not run.provenance:
        return "### Provenance\n\nNone was written." if run.verdict else ""
    lines = [f"{text(name)}: {text(value)}" for name, value in conditions(run).pairs]
    lines += [f"{text(group.title)}: " + ", ".join(f"{text(name)} {text(value)}" for name, value in group.pairs)
              for group in groups(run)]  # fmt: skip
    return "### Provenance\n\n" + bullets([*lines, f"evidence: {text(run.path)}"])
