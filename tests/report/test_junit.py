"""Claims about the month as JUnit XML: it meets the schema machines expect, and doubt never turns into a pass."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest
from made_month import HOSTILE_SEEN, MONTH, add_run, all_hostile, judgement, mixed_month, provenance_file

from drills.report.junit import WHOLE, junit
from drills.report.overview import Overview
from drills.report.runs import runs_of

# The Ant/Windy Road schema (JUnit.xsd), which is stricter than Jenkins': for each element its attributes and what
# each must look like, all of them there unless optional, and in order what is inside it.
NUMBER, WHOLE_NUMBER, TOKEN, ANY = r"[0-9]+\.[0-9]{3}", r"[0-9]+", r"\S(.*\S)?", r"(?s).*"
ATTRIBUTES = {
    "testsuites": {},
    "testsuite": {"name": TOKEN, "tests": WHOLE_NUMBER, "failures": WHOLE_NUMBER, "errors": WHOLE_NUMBER,
                  "skipped": WHOLE_NUMBER, "time": NUMBER, "hostname": TOKEN, "id": WHOLE_NUMBER, "package": TOKEN,
                  "timestamp": r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}"},
    "properties": {},
    "property": {"name": TOKEN, "value": ANY},
    "testcase": {"name": TOKEN, "classname": TOKEN, "time": NUMBER},
    "failure": {"type": TOKEN, "message": ANY},
    "error": {"type": TOKEN, "message": ANY},
    "skipped": {"type": TOKEN, "message": ANY},
    "system-out": {},
    "system-err": {},
}  # fmt: skip
INSIDE = {
    "testsuites": r"(testsuite )*",
    "testsuite": r"properties (testcase )*system-out system-err ",
    "properties": r"(property )*",
    "testcase": r"((failure|error|skipped) )?",
}


def suites(out: Path) -> list[Element]:
    """The suites of what is on disk, checked against the schema."""
    text = junit(Overview.of(MONTH, runs_of(out / MONTH)))
    root = ElementTree.fromstring(text.encode())
    assert root.tag == "testsuites"
    for element in root.iter():
        assert set(element.attrib) == set(ATTRIBUTES[element.tag])
        for name, form in ATTRIBUTES[element.tag].items():
            assert re.fullmatch(form, element.attrib[name]), f"{element.tag} {name}: {element.attrib[name]!r}"
        inside = "".join(f"{child.tag} " for child in element)
        assert re.fullmatch(INSIDE.get(element.tag, ""), inside), f"{element.tag}: {inside}"
    for place, suite in enumerate(root):
        assert suite.get("id") == str(place)
        for name, tag in (("tests", "testcase"), ("failures", "testcase/failure"), ("errors", "testcase/error"),
                          ("skipped", "testcase/skipped")):  # fmt: skip
            assert suite.get(name) == str(len(suite.findall(tag)))
    return list(root)


def outcome(case: Element) -> tuple[str, str]:
    """What became of a case, and what is said of it."""
    return (case[0].tag, case[0].get("message", "")) if len(case) else ("pass", "")


@pytest.mark.parametrize(("verdict", "expected"), [("broken", "failure"), ("inconclusive", "error"), ("held", "pass")])
def test_a_judgement_is_a_case_with_the_outcome_of_its_verdict(tmp_path: Path, verdict: str, expected: str) -> None:
    row = judgement(verdict=verdict, reason="so it was", figure=0.5)
    add_run(tmp_path, "relay_drain", "20261103T140000-aaaa", verdict=verdict, judgements=[row])
    ((case,),) = (suite.findall("testcase") for suite in suites(tmp_path))
    assert case.get("name") == "session_drop_ratio in fault"
    assert case.get("classname") == "drills.reference.processes.relay_drain"
    assert outcome(case) == (expected, "" if expected == "pass" else "0.5, limit ≤ 0.02; so it was")


def test_a_failure_says_what_is_needed_to_look_into_it(tmp_path: Path) -> None:
    add_run(tmp_path, "relay_drain", "20261103T140000-aaaa", verdict="broken", doubts=["a late generator"], series=True)
    (suite,) = suites(tmp_path)
    assert (suite.findtext("testcase/failure") or "").splitlines() == [
        "0.01, limit ≤ 0.02", "why this limit: nobody likes to be cut off", "samples: 200, at least 150",
        "evidence: relay_drain/20261103T140000-aaaa",
    ]  # fmt: skip
    assert "run it again: drills run relay_drain --target reference" in (suite.findtext("system-out") or "")
    assert suite.findtext("system-err") == "a late generator"
    assert (suite.get("time"), suite.get("timestamp")) == ("6.000", "2026-11-03T14:00:00")
    assert {one.get("name"): one.get("value") for one in suite.iter("property")} == {
        "target": "reference", "stage": "processes", "tier": "stage", "pace": "fast", "seed": "7", "commit": "c0ffee",
        "run": "relay_drain/20261103T140000-aaaa",
    }  # fmt: skip


def test_a_drill_that_was_not_run_or_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    journal = json.dumps({"event": "run.failed", "error": "no engine"}) + "\n"
    add_run(tmp_path, "calm", "20261103T140000-aaaa", judged=False, journal=journal, provenance={})
    folder = add_run(tmp_path, "relay_drain", "20261103T150000-aaaa")
    (folder / "verdict.json").write_text("{")
    cases = {suite.get("name"): suite.findall("testcase") for suite in suites(tmp_path)}
    assert [(case.get("name"), *outcome(case)) for case in cases["calm"]] == [
        (WHOLE, "error", "it could not be run: no engine")
    ]
    (unreadable,) = cases["relay_drain on reference, processes"]
    assert outcome(unreadable)[0] == "error" and "cannot be read" in outcome(unreadable)[1]


def test_a_run_in_which_nothing_was_judged_is_no_pass(tmp_path: Path) -> None:
    add_run(tmp_path, "calm", "20261103T140000-aaaa", verdict="inconclusive", judgements=[])
    ((case,),) = (suite.findall("testcase") for suite in suites(tmp_path))
    assert (case.get("name"), *outcome(case)) == (WHOLE, "error", "nothing was judged")


def test_a_verdict_graver_than_its_judgements_is_a_case_of_its_own(tmp_path: Path) -> None:
    add_run(tmp_path, "calm", "20261103T140000-aaaa", verdict="inconclusive", judgements=[judgement()],
            doubts=["calm was not held"])  # fmt: skip
    ((whole, judged),) = (suite.findall("testcase") for suite in suites(tmp_path))
    assert (whole.get("name"), *outcome(whole)) == (WHOLE, "error", "calm was not held")
    assert outcome(judged) == ("pass", "")


def test_invariants_are_cases_and_an_unknown_one_is_skipped(tmp_path: Path) -> None:
    """A violated one fails, in place of a case for the drill as a whole; what nobody could check is no pass."""
    rows = [{"invariant": name, "outcome": outcome, "reason": "so it was", "witnesses": ["packet 8"]}
            for name, outcome in (("a", "holds"), ("b", "violated"), ("c", "unknown"))]  # fmt: skip
    add_run(tmp_path, "calm", "20261103T140000-aaaa", verdict="broken", judgements=[judgement()], invariants=rows)
    (suite,) = suites(tmp_path)
    found = {case.get("name"): outcome(case) for case in suite.findall("testcase")}
    assert found == {
        "session_drop_ratio in fault": ("pass", ""), "invariant a": ("pass", ""),
        "invariant b": ("failure", "so it was"), "invariant c": ("skipped", "so it was"),
    }  # fmt: skip
    assert "packet 8" in (suite.findtext("testcase/failure") or "")


def test_a_defect_switched_on_on_purpose_fails_no_build(tmp_path: Path) -> None:
    add_run(tmp_path, "calm", "20261103T140000-aaaa")
    toothed = provenance_file(defects=["relay_forgets_drain"])
    add_run(tmp_path, "relay_drain", "20261103T150000-aaaa", verdict="broken", provenance=toothed)
    assert [suite.get("name") for suite in suites(tmp_path)] == ["calm on reference, processes"]


def test_names_are_there_once_in_a_month_of_everything(tmp_path: Path) -> None:
    mixed_month(tmp_path)
    found = suites(tmp_path)
    names = [(case.get("classname"), case.get("name")) for suite in found for case in suite.iter("testcase")]
    assert len(set(names)) == len(names)
    assert len({suite.get("name") for suite in found}) == len(found)


def test_hostile_text_is_valid_xml_and_stays_text(tmp_path: Path) -> None:
    all_hostile(tmp_path)
    texts = [suite.findtext("system-err") for suite in suites(tmp_path)]
    assert HOSTILE_SEEN in texts
    messages = [outcome(case)[1] for suite in suites(tmp_path) for case in suite.iter("testcase")]
    assert all(HOSTILE_SEEN in message for message in messages)


def test_the_start_is_told_by_the_runs_name_where_no_record_tells_it(tmp_path: Path) -> None:
    add_run(tmp_path, "calm", "20261103T140509-aaaa", provenance={})
    (suite,) = suites(tmp_path)
    assert suite.get("timestamp") == "2026-11-03T14:05:09"
