"""Which runs speak for a month, and the month in a sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from drills.report.files import JudgementRow
from drills.report.runs import NOT_RUN, Run

CONTROL = "calm"  # the null drill: if it does not hold, nothing else that month means anything (house style 5)
ORDER = ("broken", "inconclusive", "held")
_SAYS = {
    "broken": ("{} is broken", "{} are broken"),
    "not run": ("{} could not be run", "{} could not be run"),
    "unreadable": ("{} has a verdict that cannot be read", "{} have verdicts that cannot be read"),
    "inconclusive": ("{} is inconclusive", "{} are inconclusive"),
    "held": ("{} held", "{} held"),
}


HELD_NAMES_MAX = 8  # more drills that held are only counted: the scorecard names them


@dataclass(frozen=True)
class Overview:
    """The newest run of each drill, target, stage, condition and set of defects, gravest first; then earlier ones.

    Records that somebody made come after all that were observed, and never take their place.

    A run that came to nothing is among the newest only where nothing of the same drill came after it.
    """

    month: str
    newest: tuple[Run, ...]
    earlier: tuple[Run, ...]

    @classmethod
    def of(cls, month: str, runs: Iterable[Run]) -> Overview:
        """Sorted out of a month's runs, oldest first as ``runs_of`` gives them."""
        newest: dict[tuple[str, str, str, str, tuple[str, ...], bool], Run] = {}
        last: dict[str, Run] = {}
        every = tuple(runs)
        for run in every:
            last[run.drill] = run
            if run.verdict:
                newest[run.drill, run.target, run.stage, run.condition, run.defects, bool(run.synthetic)] = run
        chosen = {run.path: run for run in (*newest.values(), *(run for run in last.values() if not run.verdict))}
        return cls(
            month,
            tuple(sorted(chosen.values(), key=lambda run: (bool(run.synthetic), run.gravity, run.path))),
            tuple(run for run in reversed(every) if run.path not in chosen),
        )

    def told(self, more: Callable[[Run], Run]) -> Overview:
        """The same with more of the newest runs, which are those that are shown."""
        return replace(self, newest=tuple(more(run) for run in self.newest))

    @property
    def counted(self) -> tuple[Run, ...]:
        """The newest runs that speak for the month: those without a defect switched on, where there are any.

        A record that somebody made speaks for nothing, even where it is alone.
        """
        observed = tuple(run for run in self.newest if not run.synthetic)
        return tuple(run for run in observed if not run.defects) or observed

    @property
    def gravest(self) -> str:
        """The gravest status of the month."""
        return min(self.counted, key=lambda run: run.gravity).status if self.counted else NOT_RUN

    def answer(self) -> str:
        """The month in a sentence, plain text."""
        if not self.counted and self.newest:
            return f"Not run: in {self.month} nothing was observed; all of its records are synthetic."
        if not self.counted:
            return f"Not run: in {self.month} no drill was run but for its teeth."
        parts = []
        for status, (one, several) in _SAYS.items():
            names = self._names([run for run in self.counted if run.status == status])
            if status == "held" and len(names) > HELD_NAMES_MAX:
                names = [f"{len(names)} drills"]
            if names:
                parts.append((one if len(names) == 1 else several).format(listed(names)))
        for what, aside in self._aside():
            if aside:
                words = "1 {} does not count" if aside == 1 else f"{aside} {{}} do not count"
                parts.append(
                    words.format(what if aside == 1 else what.replace("run", "runs").replace("record", "records"))
                )
        return f"{self.gravest.capitalize()}: in {self.month} {'; '.join(parts)}."

    def _aside(self) -> tuple[tuple[str, int], ...]:
        """What does not speak for the month, and how many of each."""
        aside = [run for run in self.newest if run not in self.counted]
        made = sum(bool(run.synthetic) for run in aside)
        return ("run with a defect switched on", len(aside) - made), ("synthetic record", made)

    def _names(self, runs: Sequence[Run]) -> list[str]:
        """Each drill once, and what tells these runs of it from its others: target, stage, defects, conditions."""
        counted, conditions = self.counted, dict[str, list[str]]()
        targets, stages = ({one.target for one in counted}, {one.stage for one in counted})
        for run in runs:
            target = f" on {run.target}" if run.target and len(targets) > 1 else ""
            stage = f" ({run.stage})" if run.stage and len(stages) > 1 else ""
            made = f" with {', '.join(run.defects)}" if run.defects else ""
            conditions.setdefault(run.drill + target + stage + made, []).append(run.condition)
        return [name + _under(found) for name, found in conditions.items()]

    def warnings(self) -> list[str]:
        """What a reader must know before the table: a control run that did not hold, or was not made."""
        words = []
        places = sorted({(run.target, run.stage) for run in self.counted if run.target})
        for target, stage in places:
            where = target + (f" ({stage})" if stage and len(places) > 1 else "")
            here = [run for run in self.newest if (run.target, run.stage) == (target, stage) and not run.synthetic]
            controls = [run for run in here if run.drill == CONTROL and not run.defects and not run.condition]
            if not controls:
                words.append(f"{CONTROL}, the control run, was not made on {where} this month: "
                             "what broke there may not be the fault's doing.")  # fmt: skip
            elif any(run.status != "held" for run in controls):
                words.append(f"{CONTROL}, the control run, did not hold on {where}: "
                             "what held or broke there means little.")  # fmt: skip
        return words

    def told_apart(self, run: Run) -> str:
        """A run's drill, with target, stage and defects where the month has several runs of it to show."""
        if sum(one.drill == run.drill for one in self.newest) == 1:
            return run.drill
        stage = f" ({run.stage})" if run.stage else ""
        made = ", synthetic" if run.synthetic else ""
        defects = "".join(f" with {one}" for one in run.defects)
        under = f" under {run.condition}" if run.condition else ""
        return f"{run.drill}{under}, {run.target or 'unknown target'}{stage}{defects}{made}"


def _under(conditions: Sequence[str]) -> str:
    """The conditions of one drill's runs, behind its name."""
    if not any(conditions):
        return ""
    if len(conditions) == 1:
        return f" under {conditions[0]}"
    return f" ({', '.join(sorted(condition or 'no condition' for condition in conditions))})"


def listed(names: Sequence[str]) -> str:
    """Names as a sentence lists them."""
    return " and ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else "".join(names)


def sorted_rows(run: Run) -> list[JudgementRow]:
    """A run's judgements: broken first (by a silent fault before all), then inconclusive, then held; otherwise as the
    scenario has them.
    """
    rows = run.verdict.judgements if run.verdict else ()
    return sorted(rows, key=lambda row: (not row.silent, ORDER.index(row.verdict)))


def key_row(run: Run) -> JudgementRow | None:
    """The judgement that decided the verdict, None where all held."""
    return next((row for row in sorted_rows(run) if row.verdict != "held"), None)
