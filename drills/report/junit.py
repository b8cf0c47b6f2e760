"""A month as JUnit XML, for machines that show test results.

A suite for each drill that speaks for the month (a run with a defect switched on, on purpose, does not, where there
are others) and a case for each judgement: broken is a failure, inconclusive an error, held a pass. So has each
invariant: violated is a failure, and unknown, which takes nothing from a verdict, is skipped. A drill that was
not run, cannot be read, or whose verdict is graver than any of its judgements, has a case for itself as a whole: it
never turns into nothing. The file meets the Ant/Windy Road schema and the one of Jenkins' xunit plug-in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from drills.report.files import InvariantRow, JudgementRow
from drills.report.outside import one_line
from drills.report.overview import ORDER, Overview, sorted_rows
from drills.report.runs import Run
from drills.report.scorecard import target_of
from drills.report.words import command_of, figure, limit

OUTCOMES = {"broken": "failure", "inconclusive": "error", "not run": "error", "unreadable": "error", "held": "",
            "violated": "failure", "unknown": "skipped", "holds": ""}  # fmt: skip
WHOLE = "the drill as a whole"
PROPERTIES = ("target", "stage", "tier", "pace", "seed", "commit")


@dataclass(frozen=True)
class Case:
    """One test case: its name, its status, and what is said where it did not pass."""

    name: str
    status: str
    message: str = ""
    lines: tuple[str, ...] = ()


def junit(overview: Overview) -> str:
    """The whole file."""
    root = Element("testsuites")
    for place, run in enumerate(overview.counted):
        root.append(_suite(run, place))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _suite(run: Run, place: int) -> Element:
    cases = list(_cases(run))
    kinds = Counter(OUTCOMES[case.status] for case in cases)
    where = ", ".join(part for part in (target_of(run), run.stage) if part)
    seconds = run.series.seconds if run.series else 0
    suite = _element(
        "testsuite", name=f"{run.drill} on {where}" if where else run.drill, tests=len(cases),
        failures=kinds["failure"], errors=kinds["error"], skipped=kinds["skipped"], time=f"{seconds:.3f}",
        **_timestamp(run), hostname="localhost", id=place, package="drills",
    )  # fmt: skip
    properties = SubElement(suite, "properties")
    for name, value in _properties(run):
        properties.append(_element("property", name=name, value=value))
    suite.extend(_case(case, run) for case in cases)
    SubElement(suite, "system-out").text = _text(f"run it again: {command_of(run)}", f"evidence: {run.path}")
    SubElement(suite, "system-err").text = _text(*(run.verdict.doubts if run.verdict else ()))
    return suite


def _properties(run: Run) -> Iterator[tuple[str, str]]:
    facts = {**run.provenance, "target": run.target, "stage": run.stage, "tier": run.tier}
    yield from ((name, str(facts[name])) for name in PROPERTIES if facts.get(name) not in (None, ""))
    yield from (("defect", defect) for defect in run.defects)
    yield "run", run.path


def _timestamp(run: Run) -> dict[str, str]:
    """When it started (UTC; the schema allows no zone); nothing where neither the record nor its name says it."""
    for moment, form in ((run.started_at, ""), (run.name[:15], "%Y%m%dT%H%M%S")):
        try:
            at = datetime.strptime(moment, form) if form else datetime.fromisoformat(moment)
        except ValueError:
            continue
        return {"timestamp": f"{at.astimezone(UTC) if at.tzinfo else at:%Y-%m-%dT%H:%M:%S}"}
    return {}


def _cases(run: Run) -> Iterator[Case]:
    rows = sorted_rows(run)
    if run.verdict is None:
        yield Case(WHOLE, run.status, run.problem)
    elif not rows or (  # where an invariant is violated, its own case says why the verdict is graver
        not run.verdict.violated and ORDER.index(run.verdict.verdict) < ORDER.index(rows[0].verdict)
    ):
        yield Case(
            WHOLE, run.verdict.verdict, "; ".join(run.verdict.doubts) or "nothing was judged", run.verdict.doubts
        )
    yield from map(_judged, rows)
    yield from map(_checked, run.verdict.invariants if run.verdict else ())


def _judged(row: JudgementRow) -> Case:
    name = f"{row.objective} in {row.window}"
    if row.verdict == "held":
        return Case(name, "held")
    message = f"{figure(row)}, limit {limit(row)}" + (f"; {row.reason}" if row.reason else "")
    samples = f"samples: {row.samples}, at least {row.samples_min}"
    return Case(name, row.verdict, message, (message, f"why this limit: {row.why}", samples))


def _checked(row: InvariantRow) -> Case:
    """An invariant that nobody could check is skipped: it neither passes nor fails."""
    name = f"invariant {row.invariant}"
    return Case(name, row.outcome, "" if row.outcome == "holds" else row.reason, (row.reason, *row.witnesses))


def _case(case: Case, run: Run) -> Element:
    """A case takes no time: the run's is its suite's."""
    place = ".".join(("drills", run.target or "unknown", run.stage or "unknown", run.drill, *run.defects))
    element = _element("testcase", name=case.name, classname=place, time="0.000")
    if OUTCOMES[case.status]:
        outcome = _element(OUTCOMES[case.status], type=case.status, message=case.message)
        outcome.text = _text(*(case.lines or (case.message,)), f"evidence: {run.path}")
        element.append(outcome)
    return element


def _element(tag: str, **attributes: object) -> Element:
    return Element(tag, {name: one_line(value) for name, value in attributes.items()})


def _text(*lines: str) -> str:
    return "\n".join(map(one_line, lines))
