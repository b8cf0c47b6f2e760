"""Claims about the silence chart: it can be read with thirty sessions and with a thousand."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from made_month import MONTH, add_run, series_file

from drills.report.canvas import ORANGE, RED
from drills.report.files import SeriesFile
from drills.report.picture import write_pictures
from drills.report.runs import runs_of
from drills.report.silence_chart import LEAST_PT, MOST_IN, height_in, lanes, lanes_of


def crowded(count: int, silences: list[list[float]]) -> dict[str, Any]:
    """A series with so many sessions, a second each, one after another."""
    starts = [6.0 * number / count for number in range(count)]
    sessions = {"session": [*range(count)], "kind": ["visit"] * count, "from_s": starts,
                "to_s": [from_s + 1 for from_s in starts]}  # fmt: skip
    return series_file("calm", "x", sessions=sessions, silences=silences)


def drawn(out: Path, series: dict[str, Any]) -> str:
    """The picture of what users met."""
    import json

    folder = add_run(out, "calm", "20261103T140000-aaaa")
    (folder / "series.json").write_text(json.dumps(series))
    (run,) = runs_of(out / MONTH)
    return write_pictures(run).users.read_text()


def test_a_thousand_sessions_are_one_shape_and_no_larger_than_a_photograph(tmp_path: Path) -> None:
    picture = drawn(tmp_path, crowded(1000, [[n, 6.0 * n / 1000, 300.0] for n in range(0, 1000, 2)]))
    assert len(picture) < 150_000
    assert "1000 sessions" in picture


def test_one_silence_among_a_thousand_sessions_is_still_seen(tmp_path: Path) -> None:
    picture = drawn(tmp_path, crowded(1000, [[500, 3.1, 1500.0]]))
    red = [path for path in re.findall(r"<path[^>]*>", picture) if RED in path and "H" in path]
    heights = [abs(float(low) - float(y)) for path in red
               for y, low in re.findall(r"M\S+ (\S+?)H\S+?V(\S+?)H", path)]  # fmt: skip
    assert heights and max(heights) >= LEAST_PT - 0.1


def test_many_sessions_share_lanes_and_nobody_sits_on_anybody() -> None:
    series = SeriesFile.model_validate(crowded(1000, []))
    found = lanes_of(series)
    assert (len(found), lanes(found)) == (1000, 167)  # as many as live at once
    for lane in range(167):
        lives = sorted((series.sessions.from_s[place], series.sessions.to_s[place])
                       for place, mine in found.items() if mine == lane)  # fmt: skip
        assert all(before[1] <= after[0] for before, after in pairwise(lives))


def test_few_sessions_have_their_numbers_beside_them(tmp_path: Path) -> None:
    picture = drawn(tmp_path, crowded(30, [[29, 5.9, 300.0]]))
    assert ">29<" in picture.replace(" ", "") and ORANGE in picture


@pytest.mark.parametrize("count", [0, 1, 30, 1000])
def test_the_chart_is_never_higher_than_a_page_has_room_for(count: int) -> None:
    series = SeriesFile.model_validate(crowded(count, []) if count else series_file("calm", "x"))
    assert 0 < height_in(series) <= MOST_IN


@pytest.mark.parametrize(
    ("sessions", "silences", "words"),
    [
        ({"session": [1], "kind": [], "from_s": [0.0], "to_s": [1.0]}, [], "alike"),
        ({}, [[0, 1.0, 200.0]], "no session"),
    ],
)
def test_a_series_whose_sessions_do_not_add_up_is_refused(sessions: Any, silences: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SeriesFile.model_validate(series_file("calm", "x", sessions=sessions, silences=silences))
