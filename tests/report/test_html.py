"""Claims about the month's page: anybody can read it, anywhere, and nothing in it is more than text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

import pytest
from made_month import (
    HOSTILE_SEEN,
    MONTH,
    add_run,
    all_hostile,
    judgement,
    mixed_month,
    provenance_file,
    series_file,
)
from page_reader import Element, page_of

from drills.report.files import SeriesFile
from drills.report.month import write_month
from drills.report.timeline import MOMENTS_MAX, timeline

STATUSES = (
    "broken", "not run", "cannot be read", "inconclusive", "held", "violated", "unknown", "holds", "synthetic",
    "this month", "earlier", "never", "no drill", "new", "ongoing", "regressed", "stale", "resolved",
)  # fmt: skip
MONTHS: dict[str, Callable[[Path], object]] = {"mixed": mixed_month, "hostile": all_hostile}


@pytest.fixture(scope="module")
def months(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Both months on disk, with their reports: pictures take long enough to draw them once."""
    folders = {name: tmp_path_factory.mktemp(name) for name in MONTHS}
    for name, folder in folders.items():
        MONTHS[name](folder)
        write_month(folder, MONTH)
    return folders


@pytest.fixture(params=sorted(MONTHS))
def page(request: pytest.FixtureRequest, months: dict[str, Path]) -> Element:
    """The page of each month, read strictly."""
    return read(months[request.param])


@pytest.fixture
def mixed(months: dict[str, Path]) -> Element:
    """The page of a month with a run of each kind."""
    return read(months["mixed"])


@pytest.fixture
def hostile(months: dict[str, Path]) -> Element:
    """The page of a month in which every text is hostile."""
    return read(months["hostile"])


def read(out: Path) -> Element:
    """The page that was written."""
    return page_of((out / MONTH / "report.html").read_text())


def test_every_id_is_there_once_and_every_reference_has_one(page: Element) -> None:
    ids = Counter(element["id"] for element in page.every() if element["id"])
    assert [name for name, count in ids.items() if count > 1] == []
    referred = [name for element in page.every() for attribute in ("aria-labelledby", "aria-describedby")
                for name in element[attribute].split()]  # fmt: skip
    referred += [element["href"][1:] for element in page.every() if element["href"].startswith("#")]
    referred += [element["xlink:href"][1:] for element in page.every() if element["xlink:href"]]
    referred += [element["clip-path"][5:-1] for element in page.every() if element["clip-path"]]
    assert referred
    assert {name for name in referred if name not in ids} == set()


def test_there_is_one_first_heading_and_no_level_is_left_out(page: Element) -> None:
    levels = [int(element.tag[1]) for element in page.every("h1", "h2", "h3", "h4", "h5", "h6")]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_the_page_has_landmarks_a_way_past_the_head_and_a_language(page: Element) -> None:
    (html,) = page.every("html")
    assert html["lang"] == "en"
    (body,) = page.every("body")
    assert [child.tag for child in body.children] == ["a", "header", "main", "footer"]
    assert body.children[0]["href"] == "#" + body.children[2]["id"]
    assert next(page.every("title")).text


def test_every_picture_says_what_it_shows(page: Element) -> None:
    pictures = list(page.every("svg", "img"))
    assert pictures
    texts = {element["id"]: element.text for element in page.every() if element["id"]}
    for picture in pictures:
        assert picture["role"] == "img"
        assert "second by second" in picture["aria-label"]
        said = texts[picture["aria-describedby"]]
        assert ("latency" in said) == ("latency" in picture["aria-label"])
        assert said


def test_every_table_has_a_caption_and_every_header_its_scope(page: Element) -> None:
    for table in page.every("table"):
        assert table.children[0].tag == "caption" and table.children[0].text
        assert all(header["scope"] in ("col", "row", "rowgroup") for header in table.every("th"))
        for body in table.every("tbody"):
            assert all(row.children[0].tag == "th" for row in body.every("tr"))
    for box in page.every("div"):
        if "scroll" in box["class"].split():
            assert (box["role"], box["tabindex"]) == ("group", "0") and box["aria-labelledby"]


def test_every_row_is_as_wide_as_its_table(page: Element) -> None:
    for table in page.every("table"):
        widths = {sum(int(cell["colspan"] or 1) for cell in row.children) for row in table.every("tr")}
        assert len(widths) == 1


def test_a_verdict_is_a_word_and_never_a_colour_alone(page: Element) -> None:
    marks = [element for element in page.every("span") if "mark" in element["class"].split()]
    assert marks
    for mark in marks:
        sign, word = mark.children[0], mark.text.split(" ", 1)[1]
        assert sign["aria-hidden"] == "true" and sign.text
        assert word in STATUSES


def test_the_page_needs_nothing_but_itself(page: Element) -> None:
    """No script, no other file, no network; a policy in the page forbids what escaping might have let through."""
    assert list(page.every("script", "link", "iframe", "object", "embed", "form", "base", "img")) == []
    for element in page.every():
        assert not [name for name in element.attributes if name.startswith("on") or name in ("src", "srcset")]
    styles = [element["style"] for element in page.every()] + [style.text for style in page.every("style")]
    assert not [style for style in styles if re.search(r"url\(|@import|@font-face|expression", style)]
    (policy,) = (meta["content"] for meta in page.every("meta") if meta["http-equiv"])
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline';")


def test_links_lead_into_the_page_or_to_evidence_that_is_there(mixed: Element, months: dict[str, Path]) -> None:
    hrefs = {element["href"] for element in mixed.every() if element["href"]}
    outward = {href for href in hrefs if not href.startswith("#")}
    assert outward and all(href.startswith("./") for href in outward)
    assert all((months["mixed"] / MONTH / unquote(href)).exists() for href in outward)


def test_a_folders_name_cannot_become_a_link_that_does_something(hostile: Element) -> None:
    hrefs = {element["href"] for element in hostile.every("a") if "javascript" in element["href"]}
    assert hrefs == {"#drill-javascript-alert-1", "./javascript%3Aalert%281%29/20261103T150000-aaaa"}


def test_hostile_text_is_shown_and_stays_text(hostile: Element, months: dict[str, Path]) -> None:
    """A log line, a scenario's words, names, units and commands: seen as written, less what cannot be seen."""
    text = (months["hostile"] / MONTH / "report.html").read_text()
    assert all(letter.isprintable() or letter == "\n" for letter in text)
    assert list(hostile.every("script", "em", "i")) == []
    (claim,) = (one for one in hostile.every("p") if one["class"] == "claim")
    assert claim.text == HOSTILE_SEEN
    drill = next(section for section in hostile.every("section") if "drill-calm" in section["aria-labelledby"])
    assert drill.text.count(HOSTILE_SEEN) > 20


def test_the_answer_comes_first_and_then_what_to_beware_of(mixed: Element) -> None:
    (main,) = mixed.every("main")
    answer, warning, contents, decide, scorecard = main.children[:5]
    assert answer.text.startswith("Broken: in 2026-11 relay_drain (containers) is broken; ")
    assert warning.text.startswith("Beware: calm, the control run, was not made on reference (containers)")
    assert contents.tag == "nav" and decide.text.startswith("What needs a decision")
    assert scorecard.text.startswith("Scorecard")


def test_the_scorecard_has_a_line_for_each_newest_run(mixed: Element) -> None:
    (runs,) = (table for table in mixed.every("table") if table.children[0]["id"] == "runs-table")
    rows = [[cell.text for cell in row.children] for row in runs.every("tr")]
    assert rows[0] == ["drill", "verdict", "when (UTC)", "target", "stage", "tier", "pace", "what decided it"]
    assert [row[:2] for row in rows[1:]] == [
        ["relay_drain", "✕ broken"], ["relay_drain", "✕ broken"], ["gateway_lost", "– not run"],
        ["master_lost", "! cannot be read"], ["nothing", "? inconclusive"], ["relay_drain", "? inconclusive"],
        ["calm", "✓ held"],
    ]  # fmt: skip
    assert rows[1][2:] == ["2026-11-03 14:00:00", "reference", "containers", "stage", "fast",
                           "session_drop_ratio in fault: 0.01, limit ≤ 0.02"]  # fmt: skip


def test_a_drill_has_what_is_needed_to_believe_it_and_to_do_it_again(tmp_path: Path) -> None:
    rows = [
        judgement("handshake_failure_ratio", indicator="handshake failure rate", samples=90),
        judgement(
            "no_lease_lands_on_a_draining_relay",
            verdict="broken",
            figure=3,
            limit=0,
            unit="leases",
            reason="three of ten",
        ),
    ]
    facts = provenance_file(programs={"relay_a": "sha256:12"}, images={"relay_a": "sha256:34"})
    folder = add_run(tmp_path, "relay_drain", "20261103T140000-aaaa", verdict="broken", judgements=rows, series=True,
                     provenance=facts, doubts=["a late generator"])  # fmt: skip
    write_month(tmp_path, MONTH)
    text = read(tmp_path).text
    assert (folder / "picture.svg").is_file()
    for words in (
        "A relay can be drained.", "What it touches relay_a",
        "drills run relay_drain --target reference --stage processes",
        "broken no_lease_lands_on_a_draining_relay in fault: 3 leases, limit ≤ 0 leases; three of ten",
        "drain relay_a relay_a Draining yes: on yes: off 14:00:02.000–14:00:03.500 1.50 s",
        "14:00:03.000 3.0 s relay_a is back", "14:00:02.000 2.0 s fault begins",
        "handshake failure rate handshake_failure_ratio not judged ✓ held 0.01 90 of 150 samples not judged ≤ 0.02 "
        "nobody likes to be cut off", "direct vs relay ratio not judged not judged not judged direct path closed",
        "Doubts a late generator", "Programs relay_a sha256:12", "Images relay_a sha256:34",
        "gateway.WAVRY_AUTH_RATE_LIMIT 100000", "commit c0ffee",
    ):  # fmt: skip
        assert words in text, text


def test_judgements_that_are_inconclusive_for_one_reason_are_told_together(tmp_path: Path) -> None:
    rows = [judgement(name, verdict="inconclusive", reason="a late generator") for name in ("a", "b")]
    rows += [judgement("c", verdict="broken", reason="a late generator")]
    add_run(tmp_path, "calm", "20261103T140000-aaaa", verdict="broken", judgements=rows)
    write_month(tmp_path, MONTH)
    text = read(tmp_path).text
    assert (
        "✕ broken c in fault: 0.01, limit 0.02; a late generator ? inconclusive 2 judgements in fault: a late generator"
        in text
    )


def test_a_run_that_could_not_be_run_says_why_and_a_missing_series_costs_only_the_picture(mixed: Element) -> None:
    text = mixed.text
    assert "gateway_lost – not run its journal has no end: it was killed, or it is still running" in text
    assert "No picture: it has no series.json; drills judge writes it again." in text
    assert "Nothing was judged." in text


def test_relays_that_come_and_go_do_not_drown_the_page(tmp_path: Path) -> None:
    events = [{"at_s": at / 100, "name": "x", "text": f"event {at}"} for at in range(MOMENTS_MAX)]
    told = timeline(SeriesFile.model_validate(series_file("calm", "x", events=events)))
    assert len(told) == MOMENTS_MAX + 1
    assert told[-1].text == "and 9 more moments, in series.json"
