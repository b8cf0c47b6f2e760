"""The faults on a volume: what they need first, what proves them, what mends them."""

from __future__ import annotations

import pytest

from drills.faults import totp_key_lost, volume_destroyed, volume_lost, volume_read_only
from drills.faults.base import Arguments, Fault
from drills.placing import check_stage
from drills.scene import StoryStopped
from drills.steps import restore
from tests.fakes import FakeScene

ON_VOLUMES = (volume_destroyed.FAULT, volume_lost.FAULT, volume_read_only.FAULT)


@pytest.mark.parametrize("row", ON_VOLUMES, ids=lambda row: row.name)
def test_without_an_account_to_prove_it_by_nothing_is_broken(scene: FakeScene, row: Fault) -> None:
    """The story stops before the volume is touched."""
    scene.witnesses = None
    with pytest.raises(StoryStopped, match="make_witnesses"), row.injected(scene, "gateway", Arguments()):
        pass
    assert scene.trail == []


def test_without_a_backup_no_volume_is_destroyed(scene: FakeScene) -> None:
    """There would be no way back."""
    scene.backups.clear()
    with pytest.raises(StoryStopped, match="no backup"), volume_destroyed.FAULT.injected(scene, "gateway", Arguments()):
        pass
    assert scene.trail == []


def test_a_restore_of_the_story_is_not_made_again_by_the_mending(scene: FakeScene) -> None:
    """What came back stays; only where no step has restored does the mending."""
    with volume_destroyed.FAULT.injected(scene, "gateway", Arguments()):
        restore.restored(scene, "gateway")
    assert scene.trail.count("mend restore gateway") == 1
    with volume_destroyed.FAULT.injected(scene, "gateway", Arguments()):
        pass
    assert scene.trail.count("mend restore gateway") == 2


def test_a_gateway_that_does_not_answer_proves_no_loss(scene: FakeScene) -> None:
    """A refused connection is what any dead process gives."""
    stage = scene.stage
    with volume_lost.FAULT.injected(scene, "gateway", Arguments()):
        pass
    assert scene.journal.named("fault.receipt")[0]["measured_on"] == "the known account's login: 401 no"
    stage.kill("gateway")
    with volume_read_only.FAULT.injected(scene, "gateway", Arguments()) as receipt:
        assert receipt.landed is not None
        assert not receipt.landed.seen
        stage.start("gateway")


def test_another_key_is_proven_by_the_process_itself(scene: FakeScene) -> None:
    """And the receipt never has a key in it."""
    with totp_key_lost.FAULT.injected(scene, "gateway", Arguments()):
        other = scene.stage.told_keys["gateway"]
        assert other != "its own key"
    receipt = scene.journal.named("fault.receipt")[0]
    assert "with another key" in receipt["measured_on"]
    assert "with its own key" in receipt["measured_off"]
    assert other not in str(scene.journal.events)


def test_a_fault_that_cannot_be_made_here_is_refused_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With 4 where that stage was asked for, else with 3; elsewhere it is no matter."""
    from dataclasses import replace

    from drills.catalogue import Catalogue
    from drills.errors import BadInput, CannotRun
    from drills.options import Options

    scenario = Catalogue().named(["gateway_volume_read_only"])[0]
    monkeypatch.setattr("drills.stage.volume.os.geteuid", lambda: 0)
    monkeypatch.setattr("drills.stage.volume.shutil.which", lambda name: None)
    options = replace(Options(), stage="processes", stage_why="asked for")
    with pytest.raises(BadInput, match=r"found volume_read_only.*no `setpriv`"):
        check_stage([scenario], options)
    with pytest.raises(CannotRun, match="no containers: none here"):
        check_stage([scenario], replace(options, stage_why="no containers: none here"))
    check_stage([scenario], replace(options, stage="containers"))
