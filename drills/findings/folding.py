"""From runs to findings: each promise that a run has broken is somebody's to fix, each that held again may be done.

Reads what lies on disk (``verdict.json``, ``provenance.json``, ``series.json``), as the report does. A run with a
defect switched on broke on purpose and says nothing, nor does a run of ``drills teeth``. Folding the same runs again
changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

from drills.findings.finding import ID, Finding, Look, Moment, Outcome, Seen, Severity, moment_of
from drills.findings.reading import FOLDER, locked, plain, read_findings, write_finding
from drills.findings.states import as_of, thinned
from drills.objectives import CLAIMS, DoubtKind
from drills.report.files import JudgementRow, VerdictFile
from drills.report.runs import Run, with_series
from drills.report.teeth import SUITE as TEETH

RUN_S_MAX = 86_400.0  # no rehearsal lasts a day; a number from a file may be anything


def fold(out: Path, runs: Iterable[Run], today: date) -> tuple[Finding, ...]:
    """Fold runs into the ledger under ``out`` and return all findings as of a day.

    Raises BadInput where a file of the ledger cannot be understood, and then writes none.
    """
    folder = out / FOLDER
    seen = [one for run in runs if _counts(run) for one in looks_of(run) if _is_one(one)]
    if not folder.is_dir() and not any(one.look.outcome == "broken" for one in seen):
        return ()
    with locked(folder):
        findings = folded(read_findings(folder), seen, today)
        for finding in findings:
            write_finding(folder, finding)
    return findings


def folded(findings: Iterable[Finding], seen: Iterable[Seen], today: date) -> tuple[Finding, ...]:
    """The findings with what was seen, and those that it opens, by id; pure."""
    known = {one.id: one for one in findings}
    looks: dict[str, dict[str, Look]] = {one.id: {look.run: look for look in one.evidence} for one in known.values()}
    for one in sorted(seen, key=lambda one: (one.look.at, one.look.run)):
        if one.id not in known and one.look.outcome == "broken":
            known[one.id] = _opened(one)
            looks[one.id] = {}
        if one.id in known:
            looks[one.id][one.look.run] = one.look
    return tuple(
        as_of(known[name].model_copy(update={"evidence": thinned(looks[name].values())}), today)
        for name in sorted(known)
    )


def _opened(seen: Seen) -> Finding:
    return Finding(
        id=seen.id, drill=seen.drill, objective=seen.objective, target=seen.target, severity=seen.severity,
        state="new", timeline=seen.moments,
    )  # fmt: skip


def _counts(run: Run) -> bool:
    """Whether a run speaks for its target, and says when it did; what nobody can place in time proves nothing."""
    try:
        moment_of(run.started_at)
    except ValueError:
        return False
    observed = run.verdict is not None and not run.synthetic  # what was made for show is nobody's to fix
    return observed and not run.defects and run.provenance.get("suite") != TEETH


def looks_of(run: Run) -> Iterator[Seen]:
    """What a run says about each of its promises; nothing about those on which it is inconclusive."""
    assert run.verdict
    verdict = run.verdict
    for objective in dict.fromkeys(row.objective for row in verdict.judgements):
        rows = [row for row in verdict.judgements if row.objective == objective]
        if broken := [row for row in rows if row.verdict == "broken"]:
            yield _seen(run, objective, "broken", _severity(broken), "; ".join(map(_line, broken)))
        elif all(row.verdict == "held" for row in rows):
            yield _seen(run, objective, "held", "minor", "; ".join(map(_line, rows)))
    for one in verdict.invariants:
        if one.outcome != "unknown":
            outcome: Outcome = "broken" if one.outcome == "violated" else "held"
            yield _seen(run, one.invariant, outcome, "critical", one.reason)


def _severity(broken: Sequence[JudgementRow]) -> Severity:
    """What the machine proposes: users hurt without any sign; users hurt, or an indicator of the page; the rest."""
    if any(row.silent for row in broken):
        return "critical"
    claims = [CLAIMS[row.objective] for row in broken if row.objective in CLAIMS]
    users = any(DoubtKind.GENERATOR in claim.doubts for claim in claims)  # as drills/verdict.py tells them apart
    return "major" if users or any(row.indicator for row in broken) else "minor"


def _seen(run: Run, objective: str, outcome: Outcome, severity: Severity, says: str) -> Seen:
    assert run.verdict
    at = moment_of(run.started_at)
    look = Look(
        run=f"{run.folder.parents[1].name}/{run.path}", at=at, outcome=outcome, stage=plain(run.stage),
        tier=plain(run.tier), pace=plain(run.pace),
        condition=plain(str(run.provenance.get("condition") or "")), says=plain(says),
    )  # fmt: skip
    moments = _moments(run, run.verdict, at, look) if outcome == "broken" else ()
    return Seen(drill=run.drill, objective=objective, target=run.target, severity=severity, look=look, moments=moments)


def _is_one(seen: Seen) -> bool:
    """Whether its names can name a file; those of a record that no drill of ours has written may be anything."""
    return ID.fullmatch(seen.id) is not None


def _line(row: JudgementRow) -> str:
    figure = "no figure" if row.figure is None else f"{row.figure:.4g} {row.unit}"
    reason = f" ({row.reason})" if row.reason else ""
    return f"{row.window}: {figure}, limit {row.limit:g}{reason}"


def _moments(run: Run, verdict: VerdictFile, at: str, look: Look) -> tuple[Moment, ...]:
    """The precise timeline that a root cause starts from: when each fault was on and off, and who noticed."""
    found = [(0.0, f"{run.drill} begins")]
    for one in verdict.detection:
        what = f"{one.fault} on {one.subject}"
        found += [(one.from_s, f"{what} injected"), (one.to_s, f"{what} mended")]
        if one.after_s is not None:
            found.append((one.from_s + one.after_s, f"{what} noticed by {one.where}: {one.says}"))
    series = run.series or with_series(run).series  # a month is read without: few of its runs are broken
    found.append((series.seconds if series else max(second for second, _ in found), f"broken: {look.says}"))
    began = datetime.fromisoformat(at)
    return tuple(
        Moment(at=(began + timedelta(seconds=second)).isoformat(timespec="milliseconds"), text=plain(text))
        for second, text in sorted(found, key=lambda one: one[0])
        if 0 <= second <= RUN_S_MAX
    )
