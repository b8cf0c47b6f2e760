"""A run's judgements as a table of promises and windows: one promise a row, its outcome in each window beside it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from drills.objectives import CLAIMS, Shape
from drills.report.files import JudgementRow
from drills.report.overview import ORDER, sorted_rows
from drills.report.runs import Run
from drills.report.words import limit

# The Operations page's service indicators (Reliability Baseline), in its order; p95/p99 is one line there.
INDICATORS = (
    "session setup success rate", "handshake failure rate", "direct vs relay ratio", "p95 input-to-present latency",
    "p99 input-to-present latency", "session drop rate",
)  # fmt: skip
WINDOWS = ("calm", "fault", "recovery")


@dataclass(frozen=True)
class Promise:
    """One objective: what it says, the limit it was held to, and its judgements in each of the matrix's windows."""

    objective: str
    indicator: str
    says: str
    limit: str
    whys: tuple[str, ...]
    cells: tuple[tuple[JudgementRow, ...], ...]
    gravity: int


@dataclass(frozen=True)
class Matrix:
    """All promises of a run: the Operations page's indicators in its order, then the drill's own, gravest first."""

    windows: tuple[str, ...]
    indicators: tuple[Promise, ...]
    own: tuple[Promise, ...]


def matrix_of(run: Run) -> Matrix:
    """A run's judgements, arranged; without any, a matrix without rows."""
    rows = run.verdict.judgements if run.verdict else ()
    windows = (*WINDOWS, *dict.fromkeys(row.window for row in rows if row.window not in WINDOWS))
    found = [_promise(objective, [row for row in rows if row.objective == objective], windows)
             for objective in dict.fromkeys(row.objective for row in rows)]  # fmt: skip
    indicators: list[Promise] = []
    for name in INDICATORS:
        indicators += [one for one in found if one.indicator == name] or [_unjudged(name, run, windows)]
    own = sorted((one for one in found if one.indicator not in INDICATORS), key=lambda one: one.gravity)
    judged = any(one.indicator in INDICATORS for one in found)
    return Matrix(windows, tuple(indicators) if judged else (), tuple(own))


def _promise(objective: str, rows: list[JudgementRow], windows: tuple[str, ...]) -> Promise:
    claim = CLAIMS.get(objective)
    return Promise(
        objective,
        next((row.indicator for row in rows if row.indicator), ""),
        claim.promise if claim else "",
        " or ".join(dict.fromkeys(map(limit, rows))),
        tuple(dict.fromkeys(row.why for row in rows if row.why)),
        tuple(tuple(row for row in rows if row.window == window) for window in windows),
        min(ORDER.index(row.verdict) for row in rows),
    )


def _unjudged(indicator: str, run: Run, windows: tuple[str, ...]) -> Promise:
    return Promise("", indicator, "", no_limit(indicator, run), (), tuple(() for _ in windows), len(ORDER))


def no_limit(indicator: str, run: Run) -> str:
    """What stands in place of a limit where an indicator was not judged."""
    path = run.provenance.get("direct_path")
    return f"direct path {path}" if indicator == "direct vs relay ratio" and path else ""


@dataclass(frozen=True)
class Miss:
    """Judgements that did not hold, all for one reason."""

    verdict: str
    rows: tuple[JudgementRow, ...]

    @property
    def cause(self) -> str:
        """Why several judgements are inconclusive, by the worst of them, and what they would have been otherwise."""
        worst = max((row.reason.partition(OTHERWISE)[0] for row in self.rows), key=_first_number)
        otherwise = self.rows[0].reason.partition(OTHERWISE)[2].partition(":")[0]
        return worst + (f"{OTHERWISE}{otherwise}" if otherwise else "")

    @property
    def where(self) -> str:
        """The windows that they are in."""
        return ", ".join(dict.fromkeys(row.window for row in self.rows))


def recoveries(run: Run) -> list[JudgementRow]:
    """The times that a drill promises and that were measured: how soon what was broken is back."""
    rows = run.verdict.judgements if run.verdict else ()
    claims = [(row, CLAIMS.get(row.objective)) for row in rows if row.figure is not None]
    return [row for row, claim in claims if claim and claim.shape is Shape.TIME_MAX]


OTHERWISE = "; otherwise "  # as drills/weighing.py words a doubt
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")


def _first_number(words: str) -> float:
    found = _NUMBER.search(words)
    return float(found[0]) if found else 0.0


def _cause_of(row: JudgementRow) -> str:
    """A reason without what differs from row to row: the numbers, and what was measured beside the doubt."""
    doubt, _, otherwise = row.reason.partition(OTHERWISE)
    return _NUMBER.sub("#", doubt) + otherwise.partition(":")[0]


def misses(run: Run) -> tuple[Miss, ...]:
    """What did not hold, gravest first; those that are inconclusive for one and the same cause are told together."""
    found: dict[tuple[str, str], list[JudgementRow]] = {}
    for place, row in enumerate(sorted_rows(run)):
        if row.verdict != "held":
            alone = row.verdict == "broken" or not row.reason
            found.setdefault((row.verdict, str(place) if alone else _cause_of(row)), []).append(row)
    return tuple(Miss(verdict, tuple(rows)) for (verdict, _), rows in found.items())
