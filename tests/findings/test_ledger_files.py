"""The files of the ledger: what is written can be read, and what cannot be understood is refused with every problem."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from drills.errors import BadInput, CannotRun
from drills.findings import reading
from drills.findings.finding import TEXT_MAX
from drills.findings.folding import fold
from drills.findings.ledger import named, sentence
from drills.findings.reading import FOLDER, locked, plain, read_findings, write_finding
from drills.report.runs import run_of, runs_of
from tests.findings.made_looks import act, finding, look
from tests.report.made_month import (
    HOSTILE,
    add_run,
    detected,
    hostile_month,
    invariant,
    judgement,
    provenance_file,
)

TODAY = date(2026, 11, 28)
WHOLE = finding(look(3, "broken"), look(4, "held"), owner="Ada: #1 'x'", due="2026-12-01",
                root_cause="a race\nin two lines", acts=[act(3, "closed")],
                timeline=[{"at": "2026-11-03T14:00:01Z", "text": "it began"}])  # fmt: skip


def test_a_finding_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Every key, and it is not written a second time."""
    assert write_finding(tmp_path, WHOLE)
    assert read_findings(tmp_path) == (WHOLE,)
    assert not write_finding(tmp_path, WHOLE)


def test_no_folder_is_no_findings(tmp_path: Path) -> None:
    """A ledger begins with its first finding."""
    assert read_findings(tmp_path / "nowhere") == ()


def test_reading_as_of_a_day_works_the_state_out(tmp_path: Path) -> None:
    """What is stale today need not have been so when it was written."""
    write_finding(tmp_path, finding(look(3, "broken")))
    assert [one.state for one in read_findings(tmp_path)] == ["new"]
    assert [one.state for one in read_findings(tmp_path, date(2027, 1, 1))] == ["stale"]


BROKEN_FILES = {
    "unknown_key": ("state: new\n", "state: new\nblame: everybody\n", "blame: found 'everybody', expected no such key"),
    "day": ("due: '2026-12-01'", "due: soon", "due: found 'soon', expected a day such as 2026-12-24"),
    "day_as_a_number": ("due: '2026-12-01'", "due: 20261201", "due: found 20261201, expected a day such as"),
    "state": ("state: new", "state: fine", "state: found 'fine', expected one of 'new'"),
    "moment": ("at: '2026-11-03T18:00:00.000Z'", "at: teatime", "at: found 'teatime', expected a moment such as"),
    "missing": ("target: wavry\n", "", "target: found nothing, expected this key"),
    "other_file": ("id: wavry.", "id: reference.", "expected wavry.relay_drain.leases, as the file is called"),
    "act": ("act: closed", "act: forgot", "acts[0].act: found 'forgot', expected one of"),
    "no_yaml": ("id: wavry", "id: [wavry", "expected well-formed YAML"),
}


@pytest.mark.parametrize("case", BROKEN_FILES)
def test_a_file_that_is_not_understood_is_refused(tmp_path: Path, case: str) -> None:
    """With the file, the path in it, what was found and what was expected."""
    good, bad, expected = BROKEN_FILES[case]
    write_finding(tmp_path, WHOLE)
    (path,) = tmp_path.glob("*.yaml")
    content = path.read_text()
    assert good in content
    path.write_text(content.replace(good, bad, 1))
    with pytest.raises(BadInput) as refused:
        read_findings(tmp_path)
    assert expected in str(refused.value) and str(path) in str(refused.value)


def test_all_problems_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    """And folding then writes nothing."""
    folder = tmp_path / FOLDER
    for name in ("a", "b"):
        write_finding(folder, WHOLE.model_copy(update={"id": f"wavry.relay_drain.{name}"}))
    for path in folder.glob("*.yaml"):
        path.write_text(path.read_text().replace("state: new", "state: fine").replace("severity: major", "severity: x"))
    add_run(tmp_path, "calm", "20261103T140000-aaaa", verdict="broken")
    with pytest.raises(BadInput) as refused:
        fold(tmp_path, runs_of(tmp_path / "2026-11"), TODAY)
    assert len(refused.value.problems) == 4
    assert sorted(path.stem for path in folder.glob("*.yaml")) == ["wavry.relay_drain.a", "wavry.relay_drain.b"]


def test_a_run_opens_findings_with_their_severity_and_timeline(tmp_path: Path) -> None:
    """A violated invariant and a fault nobody noticed are critical, what users feel is major, the rest minor."""
    rows = [judgement("quiet", verdict="broken", silent=True), judgement("felt", verdict="broken", indicator="drops"),
            judgement("plain", verdict="broken", reason="too slow"), judgement("kept"),
            judgement("sessions_lost_with_relay", verdict="broken"),
            judgement("unknown", verdict="inconclusive")]  # fmt: skip
    folder = add_run(tmp_path, "relay_drain", "20261103T140000-aaaa", verdict="broken", judgements=rows, series=True,
                     detection=[detected()],
                     invariants=[invariant("one_copy", "violated"), invariant("ids", "holds")])  # fmt: skip
    findings = fold(tmp_path, [run_of(folder)], TODAY)
    assert {one.objective: one.severity for one in findings} == {
        "quiet": "critical", "felt": "major", "plain": "minor", "sessions_lost_with_relay": "major",
        "one_copy": "critical"}  # fmt: skip
    assert findings == read_findings(tmp_path / FOLDER)
    plain_one = named(findings, "plain")
    assert [(one.at[11:23], one.text) for one in plain_one.timeline] == [
        ("14:00:00.000", "relay_drain begins"),
        ("14:00:02.000", "down on relay_a_to_master injected"),
        ("14:00:02.500", "down on relay_a_to_master noticed by relay_a: not ready"),
        ("14:00:03.500", "down on relay_a_to_master mended"),
        ("14:00:06.000", "broken: fault: 0.01 ratio, limit 0.02 (too slow)"),
    ]


def test_held_in_one_window_and_not_known_in_another_resolves_nothing(tmp_path: Path) -> None:
    """A promise is due in each of its windows."""
    first = add_run(tmp_path, "calm", "20261103T140000-aaaa", verdict="broken")
    half = [judgement(), judgement(window="recovery", verdict="inconclusive")]
    facts = provenance_file(started_at="2026-11-04T14:00:00.000Z")
    then = add_run(tmp_path, "calm", "20261104T140000-aaaa", verdict="inconclusive", judgements=half, provenance=facts)
    (one,) = fold(tmp_path, [run_of(first), run_of(then)], TODAY)
    assert one.state == "new"


@pytest.mark.parametrize(
    "facts",
    [provenance_file(defects=["relay_forgets_drain"]), provenance_file(suite="teeth"),
     provenance_file(started_at="teatime")],
)  # fmt: skip
def test_what_broke_on_purpose_or_at_no_time_is_no_finding(tmp_path: Path, facts: dict[str, object]) -> None:
    """Nor does it leave a folder behind."""
    folder = add_run(tmp_path, "calm", "20261103T140000-aaaa", verdict="broken", provenance=facts)
    assert fold(tmp_path, [run_of(folder)], TODAY) == ()
    assert not (tmp_path / FOLDER).exists()


def test_hostile_records_open_nothing_and_hostile_reasons_stay_text(tmp_path: Path) -> None:
    """A name of a record that could name a file elsewhere names none."""
    hostile_month(tmp_path)
    facts = provenance_file(started_at="2026-11-03T14:00:00.000Z")
    rows = [judgement(verdict="broken", reason=HOSTILE), judgement("../up", verdict="broken")]
    add_run(tmp_path, "relay_drain", "20261103T150000-aaaa", verdict="broken", judgements=rows, provenance=facts)
    (one,) = fold(tmp_path, runs_of(tmp_path / "2026-11"), TODAY)
    assert (one,) == read_findings(tmp_path / FOLDER)
    assert "<script>" in one.evidence[0].says and "\x1b" not in one.evidence[0].says
    assert [path.name for path in tmp_path.iterdir()] == ["2026-11", FOLDER] or (tmp_path / FOLDER).is_dir()


def test_texts_from_outside_are_one_line_without_secrets() -> None:
    """A reason may quote a log."""
    secret = "v4.public." + "a" * 40
    assert plain(f"a\nb \x1b[31m{secret} " + "x" * 9000)[:22] == "a b [31m[secret] xxxxx"
    assert len(plain("x" * 9000)) == TEXT_MAX


def test_a_part_of_an_id_is_enough_where_it_is_one_findings_only() -> None:
    """Otherwise the ones it could be are named."""
    one, other = WHOLE, WHOLE.model_copy(update={"id": "wavry.relay_drain.silence"})
    assert named([one, other], "silence") is other
    assert named([one, other], one.id) is one
    for name in ("relay_drain", "storm", ""):
        with pytest.raises(BadInput, match=r"expected one of wavry\.relay_drain\.leases"):
            named([one, other], name)
    with pytest.raises(BadInput, match="of which there is none"):
        named([], "x")


def test_a_reason_must_say_something() -> None:
    """And not too much."""
    for text in ("", " \n", "x" * (TEXT_MAX + 1)):
        with pytest.raises(BadInput, match="expected a text of 1 to"):
            sentence(text, "--because")


def test_two_commands_do_not_write_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second waits, and not for ever."""
    monkeypatch.setattr(reading, "LOCK_S", 0.0)
    with locked(tmp_path), pytest.raises(CannotRun, match="another command"), locked(tmp_path):
        pass
