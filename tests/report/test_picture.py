"""Claims about a run's picture: it is drawn from whatever there is, alike every time, and outside text stays text."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from made_month import MONTH, add_run, series_file

from drills.report.canvas import shown
from drills.report.files import SeriesFile
from drills.report.picture import write_pictures
from drills.report.runs import runs_of
from drills.report.story import relay_rows, story_rows


def drawn_words(out: Path) -> str:
    """All the words of the pictures of the only run."""
    (run,) = runs_of(out / MONTH)
    drawn = write_pictures(run)
    return "\n".join(
        "".join(node.itertext()).strip()
        for path in (drawn.users, drawn.services)
        for node in ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}text")
    )


def test_the_picture_names_its_windows_faults_events_and_limits(tmp_path: Path) -> None:
    add_run(tmp_path, "relay_drain", "20261103T140000-aaaa", series=True, verdict="broken")
    words = drawn_words(tmp_path)
    for expected in ("relay_drain: BROKEN", "started 2026-11-03 14:00:00 UTC", "calm", "fault: 1 broken", "recovery",
                     "drain relay_a", "relay_a is back", "6 lost of 294 packets", "Active"):  # fmt: skip
        assert expected in words


@pytest.mark.parametrize(
    "less",
    [
        {"windows": {}, "faults": [], "events": [], "relays": [], "per_second": {}},
        {"windows": {}, "faults": [], "events": [], "relays": [], "per_second": {}, "seconds": 0},
    ],
)
def test_a_run_that_ended_early_has_a_picture_too(tmp_path: Path, less: dict[str, object]) -> None:
    folder = add_run(tmp_path, "relay_drain", "20261103T140000-aaaa")
    (folder / "series.json").write_text(json.dumps({**series_file("relay_drain", "x"), **less}))
    assert "nothing was injected" in drawn_words(tmp_path)


def test_a_hostile_name_is_drawn_as_it_is_written(tmp_path: Path) -> None:
    folder = add_run(tmp_path, "relay_drain", "20261103T140000-aaaa")
    series = series_file("relay_drain", "x")
    series["events"] = [{"at_s": 3.0, "name": "x", "text": "$\\frac{1}$ <script>alert(1)</script> _x_^2 $y"}]
    (folder / "series.json").write_text(json.dumps(series))
    assert "$\\frac{1}$ <script>alert(1)</script> _x_^2 $y" in drawn_words(tmp_path)
    assert "<script" not in (folder / "picture.svg").read_text()


def read(**more: object) -> SeriesFile:
    return SeriesFile.model_validate({**series_file("relay_drain", "x"), **more})


def test_a_fault_that_was_not_proven_says_so_beside_its_bar() -> None:
    fault = {"fault": "drain", "subject": "relay_a", "asked": "x", "landed": False, "measured_on": "", "mended": False,
             "measured_off": "", "from_s": 2.0, "to_s": None}  # fmt: skip
    (row,) = story_rows(read(faults=[fault], events=[]))
    assert row.text == "drain relay_a (not seen to land or to be mended)"
    assert not row.proven


def test_an_event_that_comes_again_and_again_is_one_line_and_many_are_counted() -> None:
    again = [{"at_s": at, "name": "x", "text": "again"} for at in range(3)]
    assert [row.text for row in story_rows(read(faults=[], events=again))] == ["again (×3)"]
    many = [{"at_s": at, "name": "x", "text": f"event {at}"} for at in range(20)]
    rows = story_rows(read(faults=[], events=many))
    assert (len(rows), rows[-1].text) == (9, "and 12 more events")


def test_a_restarted_relay_is_a_row_of_its_own_beside_its_old_self() -> None:
    stretches = [
        {"relay": "relay_a", "relay_id": f"a{n}", "state": "Active", "from_s": n, "to_s": 5} for n in (1, 2, 3)
    ]
    rows = relay_rows(read(relays=stretches))
    assert rows == {"a1": "relay_a", "a2": "relay_a, new id", "a3": "relay_a, new id 2"}


def test_the_windows_and_a_little_more_are_shown() -> None:
    windows = {"calm": {"from_s": 10, "to_s": 20}, "fault": {"from_s": 20, "to_s": 40}}
    assert shown(read(windows=windows)) == (8.0, 42.0)
