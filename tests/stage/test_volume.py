"""Acts on a volume, beside the files and in a helper: what is run where, with which rights, and how it fails."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import docker.errors
import pytest

from drills.errors import CannotRun
from drills.stage import container_volume, volume
from drills.stage.container_volume import HelpedVolume, Helpers
from drills.stage.volume import FILES, OWN_CUSTODIAN, FolderVolume
from tests.stage.both_stages import both_stages


def folder_volume(tmp_path: Path, custodian: str = FILES, **told: str) -> FolderVolume:
    """A folder with an empty file in the database's place."""
    place = tmp_path / "gateway"
    place.mkdir(exist_ok=True)
    (place / volume.DATABASE).touch()
    return FolderVolume("gateway", place, custodian, told, tmp_path)


def test_an_act_is_done_beside_the_files(tmp_path: Path) -> None:
    """And tells what came of it."""
    found = folder_volume(tmp_path)
    assert found.act("set_aside", found.database) == {"moved": ["gateway.db"]}
    assert not found.database.exists()


def test_an_act_that_fails_is_told_in_its_own_words(tmp_path: Path) -> None:
    """As one of our errors."""
    found = folder_volume(tmp_path)
    with pytest.raises(CannotRun, match=r"gateway's volume: restore: .*no-copy\.db"):
        found.restore(tmp_path / "no-copy.db")


def test_the_custodian_is_told_of_the_defects(tmp_path: Path) -> None:
    """The reference's own backup is as faulty as the run asks for."""
    with pytest.raises(CannotRun, match="unknown defect no_such_thing"):
        folder_volume(tmp_path, OWN_CUSTODIAN, DRILLS_DEFECTS="no_such_thing").backup(tmp_path / "copy.db")


@pytest.mark.skipif(os.geteuid() != 0 or not volume.unprivileged(), reason="only root has rights to give up")
def test_a_service_of_roots_is_refused_what_modes_refuse(tmp_path: Path) -> None:
    """As in a container: the proof of a read-only volume is a refused write."""
    found = folder_volume(tmp_path)
    found.act("seal", found.database)
    words = [*volume.unprivileged(), sys.executable, "-c", "open('gateway.db', 'a'); print('written')"]
    sealed = subprocess.run(words, cwd=found.place, capture_output=True, text=True, timeout=20)
    found.act("unseal", found.database)
    unsealed = subprocess.run(words, cwd=found.place, capture_output=True, text=True, timeout=20)
    assert (sealed.stdout, unsealed.stdout) == ("", "written\n")
    assert "Permission denied" in sealed.stderr


@pytest.mark.parametrize(
    ("uid", "program", "says"), [(1000, None, ""), (0, "/usr/bin/setpriv", ""), (0, None, "we are root")]
)  # fmt: skip
def test_only_root_without_a_way_to_give_up_its_rights_is_unable(
    monkeypatch: pytest.MonkeyPatch, uid: int, program: str | None, says: str
) -> None:
    """Said before anything starts."""
    monkeypatch.setattr(volume.os, "geteuid", lambda: uid)
    monkeypatch.setattr(volume.shutil, "which", lambda name: program)
    assert volume.modes_ignored().startswith(says)
    assert bool(volume.modes_ignored()) == bool(says)


HELPERS = Helpers(
    "our/load", "their/gateway", "run_gateway-data", Path("/run/kept"), {"DRILLS_DEFECTS": ""}, "drills-1"
)


class FakeClient:
    """An engine that runs a helper and prints what the test wants."""

    def __init__(self, said: bytes | docker.errors.ContainerError) -> None:
        self.said, self.asked = said, {}
        self.containers = SimpleNamespace(run=self.run)

    def run(self, image: str, words: list[str], **how: Any) -> bytes:
        """A helper, with everything it was given."""
        self.asked = {"image": image, "words": words, **how}
        if isinstance(self.said, Exception):
            raise self.said
        return self.said


def helped(monkeypatch: pytest.MonkeyPatch, client: FakeClient) -> HelpedVolume:
    """A volume of the reference's, reached by this engine."""

    @contextlib.contextmanager
    def asked(what: str, timeout_s: float = 0.0) -> Iterator[FakeClient]:
        yield client

    monkeypatch.setattr(container_volume, "asked", asked)
    return HelpedVolume("gateway", Path("/var/lib/wavry"), OWN_CUSTODIAN, HELPERS)


def test_a_helper_has_the_volume_where_its_service_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """No network, no rights but those over files, and removed when it is done."""
    client = FakeClient(json.dumps({"moved": []}).encode())
    found = helped(monkeypatch, client)
    assert found.act("put_back", found.database) == {"moved": []}
    asked = client.asked
    assert (asked["image"], asked["entrypoint"]) == ("our/load", ["python3", "-m", FILES])
    assert asked["words"] == ["put_back", "/var/lib/wavry/gateway.db"]
    assert asked["volumes"]["run_gateway-data"]["bind"] == "/var/lib/wavry"
    assert asked["volumes"]["/run/kept"]["bind"] == "/run/kept"
    assert (asked["network_mode"], asked["cap_drop"], asked["remove"]) == ("none", ["ALL"], True)
    assert "drills-1" in asked["labels"].values()


def test_a_backup_is_made_by_the_services_own_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the target has a program for it."""
    client = FakeClient(b'{"taken_unix_s": 1.0}\n')
    assert helped(monkeypatch, client).backup(Path("/run/kept/gateway.db")) == {"taken_unix_s": 1.0}
    assert (client.asked["image"], client.asked["entrypoint"][-1]) == ("their/gateway", OWN_CUSTODIAN)


def test_a_helper_that_fails_is_told_in_its_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one of our errors."""
    error = docker.errors.ContainerError("c", 1, "python3", "our/load", b"look: no such table\n")
    with pytest.raises(CannotRun, match="gateway's volume: look: no such table"):
        helped(monkeypatch, FakeClient(error)).act("look")


def test_a_helper_that_says_nothing_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence is not JSON."""
    with pytest.raises(CannotRun, match="not one line of JSON"):
        helped(monkeypatch, FakeClient(b"")).act("look")


def test_another_key_reaches_only_the_service_that_is_told(tmp_path: Path) -> None:
    """From its next start on; nobody else's environment is touched."""
    processes, _ = both_stages(tmp_path)
    before = {name: dict(service.environment) for name, service in processes.services.items()}
    processes.change("gateway", DRILLS_TOTP_KEY="another")
    assert processes.services["gateway"].environment["WAVRY_TOTP_KEY_B64"] == "another"
    del before["gateway"]
    assert before == {name: processes.services[name].environment for name in before}


def test_who_has_no_volume_is_told(tmp_path: Path) -> None:
    """A relay writes nothing."""
    for stage in both_stages(tmp_path):
        with pytest.raises(CannotRun, match="relay_a has no volume"):
            stage.volume("relay_a")


def test_backups_are_for_nobody_elses_eyes(tmp_path: Path) -> None:
    """And lie where lowering the stage and `drills recover` remove them."""
    for stage in both_stages(tmp_path):
        place = stage.keeping_place()
        assert place.stat().st_mode & 0o777 == 0o700
        assert place.parent == stage.folder / "volumes"
