"""What a measure hands to the verdict: a figure, how much it rests on, and words for a reader."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drills.objectives import Claim
    from drills.record import Record, Span


@dataclass(frozen=True)
class Evidence:
    """``figure`` in the claim's unit, None where there is nothing to measure.

    ``hits`` counts, for ratios, the failures (or successes) among ``samples``; ``values`` are the samples of a
    quantile, so that the verdict can count how many lie past the limit.
    """

    samples: int
    figure: float | None
    hits: int | None = None
    values: object | None = None  # a numpy array, for quantiles
    says: str = ""
    missing: str = ""  # what keeps this from being judged at all
    past: bool = False  # a time that ended past the limit without the thing having happened
    forgiving: Callable[[float], float] | None = None  # the figure with so many ms taken off whatever it is made of
    hiding: Callable[[float], float] | None = None  # the figure, had every silence (login) been so many ms longer
    # the same, had besides that share of what was due in the window, and so many samples more, been bad
    hiding_some: Callable[[float, float, int], float] | None = None


Measure = Callable[["Record", "Span", "Claim"], Evidence]


def ratio(hits: int, samples: int, says: str = "", *, hiding: Callable[[float], float] | None = None,
          forgiving: Callable[[float], float] | None = None) -> Evidence:  # fmt: skip
    """A share of ``samples``."""
    figure = hits / samples if samples else None
    return Evidence(samples, figure, hits, says=says, hiding=hiding, forgiving=forgiving)
