"""Layers: their bytes depend on their members alone."""

from __future__ import annotations

import tarfile
from pathlib import Path

from drills.stage.images import tarball
from drills.stage.images.tarball import EPOCH, Member

MEMBERS = (Member("opt/b/two", b"2"), Member("opt/a", None, 0o755), Member("opt/b/one.sh", b"1", 0o755))


def test_a_layer_does_not_depend_on_the_order_of_its_members(tmp_path: Path) -> None:
    """Disks list folders in any order."""
    tarball.written(MEMBERS, tmp_path / "one.tar")
    tarball.written(reversed(MEMBERS), tmp_path / "two.tar")
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    assert tarball.digest(tmp_path / "one.tar") == tarball.digest(tmp_path / "two.tar")


def test_every_member_is_roots_and_as_old_as_the_others(tmp_path: Path) -> None:
    """And the folders that members lie in are there, readable by all."""
    tarball.written(MEMBERS, tmp_path / "one.tar")
    with tarfile.open(tmp_path / "one.tar") as tar:
        found = {entry.name: entry for entry in tar}
    assert list(found) == ["opt", "opt/a", "opt/b", "opt/b/one.sh", "opt/b/two"]
    assert {(entry.mtime, entry.uid, entry.gid, entry.uname) for entry in found.values()} == {(EPOCH, 0, 0, "")}
    assert found["opt"].isdir() and found["opt"].mode == 0o755 and found["opt/b/one.sh"].mode == 0o755
