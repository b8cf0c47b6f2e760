"""Whether what came out inconclusive did so only because this machine was too busy for our own load.

``python .ci/only_too_busy.py OUT drills|teeth``: OUT is a reports folder. Looks at the last run of each drill in it, or
at the blank rows of the matrix. Exit code 0 where nothing but our load generator's lateness stands against a judgement
that held otherwise (or, of a defect, was broken otherwise); 2 and the first judgement of another kind else.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

OURS = "our load generator "  # drills/doubts.py: "stood still for …", "was … late at p99"


def excused(judgement: dict[str, Any], otherwise: str) -> bool:
    """Whether lateness of our own is all that keeps a judgement from its outcome."""
    reason = str(judgement["reason"])
    return reason.startswith(OURS) and f"; otherwise {otherwise}" in reason


def of_drills(out: Path) -> Iterator[tuple[str, bool]]:
    """What did not hold in the last run of each drill, and whether that is excused."""
    last = {path.parts[-3]: path for path in sorted(out.glob("*/*/*/verdict.json"))}
    for path in last.values():
        yield from of_sound(read(path))


def of_sound(verdict: dict[str, Any]) -> Iterator[tuple[str, bool]]:
    """What did not hold on the sound system."""
    for one in verdict["judgements"]:
        if one["verdict"] != "held":
            yield words(one), excused(one, "held")


def of_teeth(out: Path) -> Iterator[tuple[str, bool]]:
    """What left a row of the matrix blank; a row without a run, missed or a false alarm has no excuse."""
    for page in out.glob("*/teeth.json"):
        for row in read(page)["rows"]:
            if row["outcome"] in ("caught", "held"):
                continue
            if row["outcome"] != "inconclusive" or not row["run"]:
                yield f"{row['drill']} {row['defect']}: {row['outcome']}, {row['reason']}", False
                continue
            verdict = read(page.parent / row["run"] / "verdict.json")
            yield from of_defect(verdict, row["claims"]) if row["defect"] else of_sound(verdict)


def of_defect(verdict: dict[str, Any], claims: list[str]) -> Iterator[tuple[str, bool]]:
    """Each claim that names a defect and is broken in no window: excused where it would be, but for our lateness."""
    for claim in claims:
        said = [one for one in verdict["judgements"] if one["objective"] == claim]
        if not any(one["verdict"] == "broken" for one in said):
            yield "; ".join(map(words, said)) or claim, any(excused(one, "broken") for one in said)


def words(judgement: dict[str, Any]) -> str:
    """A judgement in a line."""
    return f"{judgement['objective']} in {judgement['window']}: {judgement['verdict']}, {judgement['reason']}"


def read(path: Path) -> dict[str, Any]:
    """A JSON file of ours."""
    return dict(json.loads(path.read_text(encoding="utf-8")))


def main(out: str, which: str) -> int:
    """Say it in one line."""
    found = [*{"drills": of_drills, "teeth": of_teeth}[which](Path(out))]
    wrong = [one for one, is_excused in found if not is_excused]
    if wrong:
        print(f"CI: not for our own lateness alone: {wrong[0]}")
    if wrong or not found:
        return 2
    print(f"CI: {len(found)} judgements are not known, also at the last attempt: the machine was too busy, no more")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
