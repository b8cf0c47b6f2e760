"""The steps around a backup: what each needs first, and what it leaves in the record and what it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from drills.faults.base import Arguments
from drills.scenario.durations import Duration
from drills.scene import StoryStopped
from drills.steps import back_up, keep_writing, prove_restore, restore, try_second_factor, watch_storage
from drills.steps.base import StepKind
from tests.fakes import FakeScene

LASTS = Duration(1.0)
NEEDS_WITNESSES: list[tuple[StepKind, Arguments]] = [
    (keep_writing.STEP, keep_writing.KeepWritingArguments(service="gateway", lasts=LASTS)),
    (prove_restore.STEP, prove_restore.ProveRestoreArguments(service="gateway", within=LASTS)),
    (try_second_factor.STEP, try_second_factor.TrySecondFactorArguments(service="gateway")),
    (watch_storage.STEP, watch_storage.WatchStorageArguments(service="gateway", lasts=LASTS)),
]


@pytest.mark.parametrize(("step", "arguments"), NEEDS_WITNESSES, ids=lambda one: getattr(one, "name", ""))
def test_a_step_without_its_accounts_stops_the_story(scene: FakeScene, step: StepKind, arguments: Arguments) -> None:
    """What comes next would prove nothing."""
    scene.witnesses = None
    with pytest.raises(StoryStopped, match="comes"):
        step.perform(scene, arguments)


def test_a_restore_without_a_backup_stops_the_story_before_it_stops_the_service(scene: FakeScene) -> None:
    """A gateway that is up is better than none."""
    scene.backups.clear()
    with pytest.raises(StoryStopped, match="no backup of gateway"):
        restore.STEP.perform(scene, restore.RestoreArguments(service="gateway", within=LASTS))
    assert scene.trail == []


def test_a_restored_database_is_looked_at_before_its_service_writes(scene: FakeScene) -> None:
    """Stopped, put back, looked at, started: the manifest is held against what was put back."""
    restore.STEP.perform(scene, restore.RestoreArguments(service="gateway", within=LASTS))
    acts = [
        word
        for word in scene.trail
        if word
        in ("do stop gateway", "mend restore gateway", "read database", "event restore.looked", "mend start gateway")
    ]
    assert acts == ["do stop gateway", "mend restore gateway", "read database", "event restore.looked",
                    "mend start gateway"]  # fmt: skip
    assert scene.restored == {"gateway"}
    assert "its own key" not in str(scene.journal.events)


def test_a_second_factor_is_tried_with_the_key_that_the_gateway_has_now(scene: FakeScene) -> None:
    """Its own is that of the backup."""
    arguments = try_second_factor.TrySecondFactorArguments(service="gateway")
    try_second_factor.STEP.perform(scene, arguments)
    scene.stage.change("gateway", DRILLS_TOTP_KEY="another one")
    try_second_factor.STEP.perform(scene, arguments)
    assert [event["key"] for event in scene.journal.named("second_factor.tried")] == ["its own", "another"]


def test_fingerprints_tell_secrets_apart_and_give_none_away() -> None:
    """Nor is one the plain hash that somebody could look up."""
    one, other = back_up.fingerprint("a"), back_up.fingerprint("b")
    assert one != other
    assert one != back_up.sha256(b"a").hexdigest()[:12]


def test_no_secret_is_in_the_configuration_of_a_backup(tmp_path: Path) -> None:
    """Settings as they are, whatever else as a fingerprint."""
    from tests.stage.both_stages import both_stages

    processes, _ = both_stages(tmp_path)
    scene = FakeScene(tmp_path)
    scene.stage = processes  # type: ignore[assignment]
    words = str(back_up.configuration(scene, "gateway"))
    held = processes.secrets
    assert not [secret for secret in (held.admin_token, held.totp_key_b64, held.relay_token, held.signing_key)
                if secret in words]  # fmt: skip
    assert "gateway.db" in words


def test_old_tokens_are_tried_before_anybody_logs_in(scene: FakeScene) -> None:
    """They must be refused until their owner logs in again, not because of it."""
    prove_restore.STEP.perform(scene, prove_restore.ProveRestoreArguments(service="gateway", within=LASTS))
    seen = [word for word in scene.trail if word.startswith("look")]
    assert seen == ["look token its first", "look token its second", "look login", "look registration", "look login"]
    assert [event["which"] for event in scene.journal.named("token.tried")] == ["its first", "its second"]
    assert scene.journal.named("restore.login")[0]["ok"]


def test_a_login_is_tried_again_until_the_time_is_up(scene: FakeScene) -> None:
    """A gateway that is still coming up is no gateway that has lost its accounts; the last answer is the evidence."""
    scene.stage.data = "nothing"
    scene.at.append((0.5, lambda: setattr(scene.stage, "data", "all of it")))
    prove_restore.STEP.perform(scene, prove_restore.ProveRestoreArguments(service="gateway", within=LASTS))
    (login,) = scene.journal.named("restore.login")
    assert login["ok"]
    scene.stage.data = "nothing"
    prove_restore.STEP.perform(scene, prove_restore.ProveRestoreArguments(service="gateway", within=LASTS))
    assert scene.journal.named("restore.login")[1]["said"] == "401 no"


def test_only_what_was_acknowledged_is_noted_as_a_row(scene: FakeScene) -> None:
    """A refused registration is no loss; the revoked token is named, for it must stay dead."""
    arguments = keep_writing.KeepWritingArguments(service="gateway", lasts=LASTS)
    keep_writing.STEP.perform(scene, arguments)
    rows = [event["username"] for event in scene.journal.named("row.acknowledged")]
    assert rows == ["new1", "new2", "new3", "new4"]
    assert scene.journal.named("token.revoked")[0]["which"] == "its first"
    scene.stage.data = "sealed"
    keep_writing.STEP.perform(scene, arguments)
    assert len(scene.journal.named("row.acknowledged")) == 4
