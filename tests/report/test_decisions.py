"""Claims about what needs a decision, what was not covered, and what of the runbook was exercised."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from made_month import MONTH, add_run, judgement, provenance_file

from drills.catalogue import Catalogue
from drills.findings.finding import Finding
from drills.report.contents import contents_of
from drills.report.decisions import Decision, decisions_of
from drills.report.expected import Expected, expected
from drills.report.history import History
from drills.report.runbook import ALL, ITEMS, coverage_of
from drills.report.runs import runs_of
from drills.report.surroundings import surroundings_of
from drills.report.uncovered import uncovered
from tests.findings.made_looks import finding, look

TODAY = date(2026, 11, 28)
KNOWN = ("calm", "relay_drain", "rollback", "backup_restore")
SUITE = Expected(("calm", "relay_drain"), ("master_paused",))


def history(out: Path, month: str = MONTH, past: dict[str, list[object]] | None = None) -> History:
    """One month, and any before it that are given as they are on disk."""
    return History.of(month, runs_of(out / month, series=False), past or {})  # type: ignore[arg-type]


def decided(out: Path, findings: tuple[Finding, ...] = (), today: date = TODAY) -> list[Decision]:
    """What needs a decision."""
    return list(decisions_of(history(out), findings, SUITE, (), today))


def held_suite(out: Path) -> None:
    """A month in which all that should have run has, and held."""
    for drill in SUITE.monthly:
        add_run(out, drill, "20261103T140000-aaaa")


def test_a_month_in_which_all_is_well_needs_none(tmp_path: Path) -> None:
    held_suite(tmp_path)
    assert decided(tmp_path) == []


def test_an_overdue_finding_leads_and_one_that_nobody_has_is_told(tmp_path: Path) -> None:
    held_suite(tmp_path)
    add_run(tmp_path, "relay_loss", "20261104T140000-aaaa", verdict="broken")
    overdue = finding(look(3, "broken"), owner="Ada", due="2026-11-20")
    found = decided(tmp_path, (overdue, finding(look(3, "broken"), owner="", due="")))
    assert [one.kind for one in found] == ["overdue", "unassigned", "new failure"]
    assert "owner Ada" in found[0].says and "8 days ago" in found[0].says


def test_a_failure_is_new_only_where_the_run_before_it_was_not_broken(tmp_path: Path) -> None:
    held_suite(tmp_path)
    add_run(tmp_path, "relay_loss", "20261104T140000-aaaa", verdict="broken", judgements=[judgement(verdict="broken")])
    assert [one.kind for one in decided(tmp_path)] == ["new failure"]
    add_run(tmp_path, "relay_loss", "20261105T140000-aaaa", verdict="broken", judgements=[judgement(verdict="broken")])
    assert [one.kind for one in decided(tmp_path)] == ["still broken"]


def test_a_drill_of_the_suite_that_was_not_run_is_named_and_a_made_record_is_no_run(tmp_path: Path) -> None:
    add_run(tmp_path, "calm", "20261103T140000-aaaa")
    add_run(tmp_path, "relay_drain", "20261103T140000-aaaa", provenance=provenance_file(synthetic="made by a test"))
    assert [(one.kind, one.about) for one in decided(tmp_path)] == [("not run", "relay_drain")]


def test_a_drill_that_nobody_has_run_for_three_months_is_stale(tmp_path: Path) -> None:
    held_suite(tmp_path)
    add_run(tmp_path, "master_paused", "20260803T140000-aaaa",
            provenance=provenance_file(started_at="2026-08-03T14:00:00.000Z"))  # fmt: skip
    (one,) = decided(tmp_path)
    assert (one.kind, one.about, one.says) == ("stale", "master_paused", "last run 117 days ago, on 2026-08-03")
    assert decided(tmp_path, today=date(2026, 8, 10)) == []


def test_every_item_of_the_runbook_has_a_drill_of_this_checkout_or_says_why() -> None:
    """A drill that was renamed would leave its item bare."""
    names = set(Catalogue().paths())
    for item in ITEMS:
        assert item.drills == ALL or item.why_none or set(item.drills) & names, item


def test_an_item_is_covered_by_what_was_really_run(tmp_path: Path) -> None:
    add_run(tmp_path, "relay_drain", "20261103T140000-aaaa")
    add_run(tmp_path, "rollback", "20261120T140000-aaaa", provenance=provenance_file(synthetic="made by a test"))
    words = {one.item.says: one for one in coverage_of(history(tmp_path), KNOWN)}
    assert words["relay drain and recover, in non-production"].word == "this month"
    assert words["validated restore path in staging"].word == "never"
    assert words["versioned environment configuration"].word == "no drill"
    rolled = words["rollback to previous known-good release tags or images"]
    assert (rolled.word, rolled.by) == ("never", "only a synthetic record of rollback")


def test_an_indicator_is_exercised_by_a_run_that_has_judged_it(tmp_path: Path) -> None:
    rows = [judgement("session_drop_ratio", indicator="session drop rate"), judgement("relay_back_s", verdict="broken")]
    add_run(tmp_path, "relay_loss", "20261103T140000-aaaa", verdict="broken", judgements=rows)
    words = {one.item.says: one for one in coverage_of(history(tmp_path), KNOWN)}
    assert words["session drop rate"].by == "relay_loss: held"
    assert words["handshake failure rate"].by == "any run would"
    assert words["control-plane health and request rates"].by == "relay_loss: broken"


def test_the_environment_tells_each_fact_once_and_who_differs(tmp_path: Path) -> None:
    add_run(tmp_path, "calm", "20261103T140000-aaaa", provenance=provenance_file(commit="one", platform="Linux"))
    add_run(tmp_path, "relay_drain", "20261103T140000-aaaa", provenance=provenance_file(commit="two", platform="Linux"))
    made = provenance_file(commit="three", synthetic="made by a test")
    add_run(tmp_path, "relay_loss", "20261103T140000-aaaa", provenance=made)
    facts = dict(surroundings_of(runs_of(tmp_path / MONTH))[0].pairs)
    assert (facts["platform"], facts["commit"]) == ("Linux", "one (calm); two (relay_drain)")


def test_what_was_not_covered_is_said(tmp_path: Path) -> None:
    add_run(tmp_path, "calm", "20261103T140000-aaaa")
    found = history(tmp_path)
    said = "\n".join(uncovered(found, SUITE, coverage_of(found, KNOWN)))
    for words in ("monthly suite that were not judged: relay_drain", "master_paused", "Containers:", "fast pace",
                  "Wavry's own programs", "direct path", "tier prod", "client and host programs"):  # fmt: skip
        assert words in said


def test_a_ledger_that_cannot_be_read_costs_only_its_section(tmp_path: Path) -> None:
    add_run(tmp_path, "calm", "20261103T140000-aaaa")
    (tmp_path / "findings").mkdir()
    (tmp_path / "findings" / "a.b.c.yaml").write_text("id: [")
    contents = contents_of(tmp_path, MONTH, SUITE, TODAY)
    assert contents.findings == () and "a.b.c.yaml" in contents.findings_problem


def test_the_expected_drills_are_those_of_this_checkout() -> None:
    found = expected()
    assert {"calm", "relay_drain"} <= set(found.monthly) and "gateway_crash" in found.others and not found.problem
