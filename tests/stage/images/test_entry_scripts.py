"""The entry scripts do what Wavry's do (operations-facts §1.2, contract-gateway §1.8, contract-master-relay §3.8)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from drills.stage.images import sources

SHOWS = '#!/bin/sh\necho "$0"\nfor word in "$@"; do echo "$word"; done\n'


class Image:
    """The two places that programs lie in, below one folder, and the scripts as they are but for these places."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.own, self.mounted = root / "usr/local/bin", root / "opt/wavry/bin"
        self.own.mkdir(parents=True)
        self.mounted.mkdir(parents=True)

    def put(self, folder: Path, kind: str) -> None:
        """A program that shows how it was called."""
        program = folder / f"wavry-{kind}"
        program.write_text(SHOWS)
        program.chmod(0o755)

    def run(self, kind: str, *words: str, **environment: str) -> tuple[int, list[str]]:
        """Exit code and what the program showed (its own path first)."""
        script = self.root / f"{kind}.sh"
        text = (sources.SCRIPTS / f"{kind}-entrypoint.sh").read_text()
        script.write_text(text.replace("/usr/local/bin", str(self.own)).replace("/opt/wavry/bin", str(self.mounted)))
        done = subprocess.run(
            ["sh", str(script), *words], env={"PATH": "/usr/bin:/bin", **environment}, cwd=self.root, timeout=10,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout.splitlines()


@pytest.fixture
def image(tmp_path: Path) -> Image:
    """With all three programs of its own."""
    found = Image(tmp_path)
    for kind in sources.KINDS:
        found.put(found.own, kind)
    return found


@pytest.mark.parametrize(
    ("url", "file"),
    [("sqlite:gateway.db", "gateway.db"), ("sqlite:sub/gateway.db", "sub/gateway.db"), ("", "gateway.db")],
)
def test_the_gateways_database_is_there_when_the_gateway_starts(image: Image, url: str, file: str) -> None:
    """Its folder too; without a URL the default's."""
    environment = {"DATABASE_URL": url} if url else {}
    code, shown = image.run("gateway", "--help", **environment)
    assert (code, shown) == (0, [str(image.own / "wavry-gateway"), "--help"])
    assert (image.root / file).exists()


def test_the_gateways_database_may_be_an_absolute_path(image: Image, tmp_path: Path) -> None:
    """As our compose file has it."""
    assert image.run("gateway", DATABASE_URL=f"sqlite://{tmp_path}/state/gateway.db")[0] == 0
    assert (tmp_path / "state" / "gateway.db").exists()


def test_a_database_that_is_there_stays_as_it_is(image: Image) -> None:
    """A restart must not empty it."""
    (image.root / "gateway.db").write_text("accounts")
    image.run("gateway")
    assert (image.root / "gateway.db").read_text() == "accounts"


def test_a_relay_without_the_masters_key_does_not_start(image: Image) -> None:
    """64, and an empty key is none."""
    assert image.run("relay") == (64, [])
    assert image.run("relay", WAVRY_RELAY_MASTER_PUBLIC_KEY="", WAVRY_RELAY_ALLOW_INSECURE_DEV="0") == (64, [])


def test_a_relay_is_given_the_masters_key_as_a_flag(image: Image) -> None:
    """Before its own arguments, which keep their spaces."""
    code, shown = image.run("relay", "--region", "eu west", WAVRY_RELAY_MASTER_PUBLIC_KEY="ab12")
    assert code == 0 and shown[1:] == ["--master-public-key", "ab12", "--region", "eu west"]


def test_a_relay_may_be_asked_not_to_check_leases(image: Image) -> None:
    """Only by exactly 1."""
    code, shown = image.run("relay", "--asn", "1", WAVRY_RELAY_ALLOW_INSECURE_DEV="1")
    assert code == 0 and shown[1:] == ["--allow-insecure-dev", "--asn", "1"]


@pytest.mark.parametrize("kind", sources.KINDS)
def test_programs_that_are_mounted_go_before_our_own(image: Image, kind: str) -> None:
    """The real Wavry in the same image; and each script becomes its program with all its arguments."""
    key = {"WAVRY_RELAY_MASTER_PUBLIC_KEY": "ab"}
    assert image.run(kind, "--listen", "x", **key)[1][0] == str(image.own / f"wavry-{kind}")
    image.put(image.mounted, kind)
    shown = image.run(kind, "--listen", "x", **key)[1]
    assert shown[0] == str(image.mounted / f"wavry-{kind}") and shown[-2:] == ["--listen", "x"]
