"""What a backup was worth: what counts as lost, as restored, as refused, and what says nothing."""

from __future__ import annotations

import pytest

from drills.measures import backup, storage
from drills.measures.evidence import Evidence, Measure
from drills.objectives import CLAIMS
from tests.backup_records import GRANTED, NO_ANSWER, ROWS, in_trouble, refused, restored
from tests.record_builder import RecordBuilder, sound


def found(measure: Measure, builder: RecordBuilder) -> Evidence:
    """What a measure says of a record's fault window."""
    record = builder.over().record()
    return measure(record, record.windows["fault"], next(iter(CLAIMS.values())))


def test_the_time_to_restore_begins_when_the_database_begins_to_be_destroyed() -> None:
    """And ends with the answer to the first good login."""
    assert found(backup.seconds_until_restored, restored()).figure == pytest.approx(2.5)


def test_a_login_that_is_never_granted_is_a_restore_without_end() -> None:
    """The figure is how long we tried."""
    evidence = found(
        backup.seconds_until_restored, restored(login=refused("500 Session creation failed"), login_s=25.0)
    )
    assert evidence.past
    assert evidence.figure == pytest.approx(10.0)


def test_what_was_acknowledged_after_the_backup_is_lost_from_then_on() -> None:
    """One account, acknowledged at 13 s, of a database destroyed at 15 s; those of before are there."""
    evidence = found(backup.seconds_lost, restored())
    assert evidence.figure == pytest.approx(2.0)
    assert evidence.says.startswith("1 of 62 acknowledged accounts are missing, the newest that is there was")


def test_an_account_of_the_load_that_is_missing_makes_the_loss_as_old_as_it_is() -> None:
    """Whoever made it, the gateway had acknowledged it."""
    assert found(backup.seconds_lost, restored(lost=["r07c"])).figure == pytest.approx(14.0)


def test_the_age_of_a_backup_is_that_at_the_moment_of_need() -> None:
    """Its own at the moment of the manifest, and the time until the loss."""
    assert found(backup.seconds_of_age, restored(age_s=90000.0)).figure == pytest.approx(90004.0)


def test_sessions_may_be_gone_or_all_there() -> None:
    """Whether they should be is another claim's."""
    assert found(backup.tables_that_differ, restored(rows=ROWS)).figure == 0
    assert found(backup.tables_that_differ, restored()).figure == 0
    assert found(backup.tables_that_differ, restored(rows={**ROWS, "sessions": 7})).figure == 1


@pytest.mark.parametrize("rows", [{**ROWS, "users": 59}, {**ROWS, "more": 1}, {"users": 60, "sessions": 90}])
def test_rows_and_tables_that_are_not_the_manifests_are_told(rows: dict[str, int]) -> None:
    """Fewer, more, or a table that is gone."""
    assert (found(backup.tables_that_differ, restored(rows=rows)).figure or 0) > 0


def test_a_damaged_file_does_not_match() -> None:
    """Whatever its rows are."""
    assert found(backup.tables_that_differ, restored(integrity="row 7 missing from index")).figure == 1


@pytest.mark.parametrize(
    ("measure", "record"),
    [(backup.logins, restored(login=NO_ANSWER)), (backup.writes, restored(write=NO_ANSWER)),
     (backup.logins_with_a_code, restored(code=NO_ANSWER)), (backup.visible_refusals, restored(without_key=NO_ANSWER))],
)  # fmt: skip
def test_no_answer_is_neither_granted_nor_refused(measure: Measure, record: RecordBuilder) -> None:
    """That a gateway is away is another claim's to judge."""
    assert found(measure, record).missing.startswith("no answer")


def test_a_token_that_could_not_be_looked_up_was_not_refused() -> None:
    """Only those that were decided on are evidence."""
    assert found(backup.tokens_accepted, restored(tokens=[NO_ANSWER, refused(), refused()])).samples == 2
    assert found(backup.tokens_accepted, restored(tokens=[NO_ANSWER])).figure is None


def test_a_token_that_is_accepted_says_whether_it_had_been_revoked() -> None:
    """Revoked after the backup is worse than merely old."""
    builder = restored(tokens=[GRANTED, GRANTED, refused()])
    builder.event(12.0, "token.revoked", which="number 0", ok=True)
    evidence = found(backup.tokens_accepted, builder)
    assert evidence.figure == 2
    assert evidence.says == "accepted: number 0, which was revoked after the backup; number 1"


def test_a_second_factor_refused_in_silence_is_not_visible() -> None:
    """An operator would look for a wrong code."""
    assert found(backup.visible_refusals, restored(log_line="")).past
    assert found(backup.visible_refusals, restored(log_line='WARN event="LOGIN_FAILURE" reason="TOTP_REQUIRED"')).past


def test_a_restore_after_a_loss_that_did_not_land_says_nothing() -> None:
    """What was never gone did not come back."""
    for measure in (backup.seconds_until_restored, backup.seconds_lost, backup.logins, backup.tokens_accepted):
        assert found(measure, restored(landed=False)).missing.startswith("the volume was not seen to be destroyed")


def test_a_story_that_stopped_says_why_nothing_was_restored() -> None:
    """In place of a guess."""
    assert found(backup.logins, sound(0).event(12.0, "story.stopped", reason="no backup")).missing == "no backup"


@pytest.mark.parametrize(
    ("sign", "seconds"),
    [({"health_s": 12.0}, 1.1), ({"health_s": None, "errors_s": 12.0}, 1.15), ({"health_s": None, "log_s": 11.4}, 0.4),
     ({"health_s": None, "ended_s": 13.0}, 2.0)],
)  # fmt: skip
def test_each_sign_counts_from_the_faults_start(sign: dict[str, float], seconds: float) -> None:
    """Health, the counter of errors, the log, or a process that gives up."""
    assert found(storage.seconds_until_seen, in_trouble(**sign)).figure == pytest.approx(seconds)  # type: ignore[arg-type]


def test_errors_of_before_are_no_sign() -> None:
    """Of a process that went on; a new process counts from nothing."""
    before = {"health_s": None, "errors_before": 3}
    assert found(storage.seconds_until_seen, in_trouble(**before)).past  # type: ignore[arg-type]
    assert not found(storage.seconds_until_seen, in_trouble(fault="volume_lost", **before)).past  # type: ignore[arg-type]


def test_a_login_that_fails_is_no_sign_in_the_log() -> None:
    """It happens to whoever mistypes."""
    builder = in_trouble(health_s=None)
    builder.event(12.0, "log", service="gateway", line='WARN audit: event="LOGIN_FAILURE" reason="USER_NOT_FOUND"')
    assert found(storage.seconds_until_seen, builder).past


def test_no_answer_of_health_is_no_sign_of_storage() -> None:
    """A restarting gateway is away for a moment; that says nothing of its volume."""
    builder = in_trouble(health_s=None)
    builder.event(12.0, "storage.looked", service="gateway", asked_ns=builder.events[0].ns, health_ok=False,
                  health="GET http://127.20.1.220:3000/health: Connection refused", db_errors=None)  # fmt: skip
    assert found(storage.seconds_until_seen, builder).past


def test_health_has_a_moment_to_notice() -> None:
    """Green within three seconds is not held against it."""
    assert found(storage.green_looks, in_trouble(health_s=13.9)).figure == 0
    assert (found(storage.green_looks, in_trouble(health_s=15.0)).figure or 0) > 0
