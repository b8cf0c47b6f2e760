"""The rows of the teeth matrix: every drill against every defect that it claims to catch, and against the sound system.

Pure: what the scenarios' ``teeth:`` say, in their order, and nothing else.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from drills.catalogue import CONTROL
from drills.objectives import CLAIMS, DoubtKind, Shape
from drills.reference.defects import TOGETHER
from drills.scenario.models import WINDOWS, Scenario

# Doubts that a busy machine gives rise to: what none of them can touch may be judged on one.
OF_A_BUSY_MACHINE = frozenset({DoubtKind.GENERATOR, DoubtKind.OWN_LOSS, DoubtKind.STARVED, DoubtKind.CLOCK})

LIGHT_VISITS_MAX = 100
SPARE = 1.1  # one set-up in ten fails at most with relay_refuses_one_present_in_ten and gateway_loses_one_offer_in_ten
VISITS_MIN = 50  # so that somebody comes and goes in every window; more only where they are what is judged


@dataclass(frozen=True)
class Row:
    """One drill on the reference with one defect, which each of the claims must say is broken; or on a sound one."""

    drill: str
    defect: str = ""  # none: the sound system, where everything must hold
    claims: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The row in two words."""
        return f"{self.drill} × {self.defect or 'sound'}"

    @property
    def sturdy(self) -> bool:
        """Whether a busy machine cannot make what names the defect doubtful."""
        claims = [CLAIMS.get(name) for name in self.claims]
        return bool(claims) and all(claim is not None and not claim.doubts & OF_A_BUSY_MACHINE for claim in claims)

    @property
    def of_times(self) -> bool:
        """Whether a percentile of times names the defect."""
        claims = [CLAIMS[name] for name in self.claims if name in CLAIMS]
        return any(claim.shape is Shape.QUANTILE_MAX and claim.about_time_ms for claim in claims)


def rows_of(scenarios: Iterable[Scenario]) -> tuple[Row, ...]:
    """All rows: each drill on the sound system first, then against its defects in the order of its ``teeth``."""
    return tuple(
        row
        for scenario in scenarios
        for row in (
            Row(scenario.name),
            *(Row(scenario.name, defect, claims) for defect, claims in scenario.teeth.items()),
        )
    )


def runs_of(rows: Iterable[Row], *, alone: bool = False) -> tuple[tuple[Row, ...], ...]:
    """The rows, run by run: defects that get along (``TOGETHER``) share a run of their drill, unless each is run alone.

    In the control run each of them always has a run of its own.
    """
    set_of = {name: names[0] for names in TOGETHER for name in names}
    runs: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        shares = not alone and row.drill != CONTROL
        runs.setdefault((row.drill, set_of.get(row.defect, row.name) if shares else row.name), []).append(row)
    return tuple(map(tuple, runs.values()))


def together(rows: Sequence[Row]) -> Row:
    """The rows of one run as one: all their defects, and everything that names any of them."""
    if len(rows) == 1:
        return rows[0]
    claims = dict.fromkeys(claim for row in rows for claim in row.claims)
    return Row(rows[0].drill, "+".join(row.defect for row in rows), tuple(claims))


def visits_needed(scenario: Scenario, row: Row) -> int:
    """How many visits a window needs for what names a defect: as many as the most samples that are asked for.

    Where several defects are on, some more: what one keeps from being set up is no sample of what names another.
    """
    return round(_visits_alone(scenario, row) * (SPARE if "+" in row.defect else 1.0))


def _visits_alone(scenario: Scenario, row: Row) -> int:
    named = (spec.samples_min for spec in scenario.objectives if spec.claim in row.claims)
    return min(scenario.load.visits_per_window, max([VISITS_MIN, *named]))


def is_light(scenario: Scenario, row: Row) -> bool:
    """Whether what names a defect is seen with next to no visits, which are what costs a machine most.

    And is no percentile of times: of that a service that was kept waiting for a CPU once makes all of it doubtful.
    """
    return bool(row.defect) and not row.of_times and _visits_alone(scenario, row) <= LIGHT_VISITS_MAX


def sampled(rows: Sequence[Row], count: int, seed: int) -> tuple[Row, ...]:
    """So many of the rows, the same for the same seed: drill after drill gives one, until there are enough.

    With as many as there are drills, or more, each drill has one at least. The order is that of ``rows``.
    """
    chance = random.Random(seed)
    hands = [[row for row in rows if row.drill == drill] for drill in dict.fromkeys(row.drill for row in rows)]
    for hand in hands:
        chance.shuffle(hand)
    chance.shuffle(hands)
    dealt = [row for turn in zip_longest(*hands) for row in turn if row is not None]
    chosen = set(dealt[:count])
    return tuple(row for row in rows if row in chosen)


def windows_due(scenario: Scenario, row: Row) -> tuple[str, ...]:
    """The windows in which what names the defect is judged, up to the last of them; all of them for the sound system.

    What is not among the objectives (an invariant) looks at the whole record: all windows again.
    """
    due = {spec.claim: spec.windows for spec in scenario.objectives}
    if not row.claims or any(claim not in due for claim in row.claims):
        return WINDOWS
    last = max(WINDOWS.index(window) for claim in row.claims for window in due[claim])
    return WINDOWS[: last + 1]
