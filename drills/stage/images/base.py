"""The base layer: a small Debian with Python, the user and the folders that Wavry's own images have.

Made with mmdebstrap from the distribution's packages: as root, or as a user who may use user namespaces. Of one state
of the mirror the result is the same to the byte; the state itself moves with Debian's point releases, so the packages
and their versions are written into the layer (``/usr/share/wavry-drills/packages``) and beside it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

from drills.errors import CannotRun
from drills.stage.images import bounded, places, tarball

SUITE = "bookworm"  # what Wavry's images are built on (operations-facts §1.2)
PYTHON = "3.11"  # the suite's
RECIPE = 1
USER_ID = 999  # what `useradd --system` gives first on Debian, and so what Wavry's images have
DATA_FOLDERS = {
    "gateway": "/var/lib/wavry",
    "master": "/var/lib/wavry-master",
    "relay": "/var/lib/wavry-relay",
}
PACKAGES_FILE = "usr/share/wavry-drills/packages"
PACKAGES = ("usr-is-merged", "python3", "ca-certificates", "tzdata", "libsqlite3-0")
# usrmerge and its Perl come only because usr-is-merged was not there at the time: 55 MB that nothing uses
PURGED = (
    "usrmerge", "libfile-find-rule-perl", "libnumber-compare-perl", "libtext-glob-perl", "perl", "perl-modules-5.36",
    "libperl5.36",
)  # fmt: skip
LEFT_OUT = ("/usr/share/man/*", "/usr/share/locale/*/LC_MESSAGES/*", "/usr/share/info/*", "/usr/share/doc/*")
KEPT = ("/usr/share/doc/*/copyright",)
HOOKS = (
    f'chroot "$1" dpkg --purge {" ".join(PURGED)}',
    f'chroot "$1" groupadd --system --gid {USER_ID} wavry',
    f'chroot "$1" useradd --system --uid {USER_ID} --gid wavry --home-dir {DATA_FOLDERS["gateway"]} '
    "--shell /usr/sbin/nologin wavry",
    f'chroot "$1" install -d -o wavry -g wavry {" ".join(DATA_FOLDERS.values())}',
    'chroot "$1" mkdir -p /opt/wavry/bin /usr/share/wavry-drills',
    f'chroot "$1" dpkg-query -W -f \'${{Package}} ${{Version}}\\n\' > "$1/{PACKAGES_FILE}"',
    # .pyc files that do not depend on times, since layers have none
    f'chroot "$1" python3 -m compileall -q -f --invalidation-mode unchecked-hash /usr/lib/python{PYTHON}',
    # what the machine that made it has put there, and what only an installation would use
    'rm -rf "$1"/etc/hostname "$1"/etc/resolv.conf "$1"/etc/apt/sources.list "$1"/var/lib/apt "$1"/var/cache/apt '
    '"$1"/var/cache/debconf "$1"/var/log "$1"/etc/passwd- "$1"/etc/group- "$1"/etc/shadow- "$1"/etc/gshadow-',
)
WITHIN_S = 600.0
MIRROR_WITHIN_S = 20.0
REMEDY = (
    "`apt install mmdebstrap` and root make it here; DRILLS_REGISTRY names a registry that has it; "
    "`--stage processes` needs no images"
)


def inputs() -> dict[str, Any]:
    """Everything of ours that determines the layer."""
    return {
        "recipe": RECIPE, "suite": SUITE, "packages": PACKAGES, "purged": PURGED, "left_out": LEFT_OUT, "kept": KEPT,
        "hooks": HOOKS, "epoch": tarball.EPOCH,
    }  # fmt: skip


def make(target: Path) -> dict[str, Any]:
    """Make the layer; returns the packages in it. Raises CannotRun with what to install."""
    program = shutil.which("mmdebstrap")
    if program is None:
        raise CannotRun(f"no mmdebstrap to make the base image with: {REMEDY}")
    try:
        bounded.run(
            [*_alone(), program, *_words(), SUITE, str(target), *_mirror()], places.LOGS / "mmdebstrap.log", WITHIN_S,
            environment={"SOURCE_DATE_EPOCH": str(tarball.EPOCH), **_temporary()},
        )  # fmt: skip
    except CannotRun as error:
        raise CannotRun(f"the base image could not be made: {error}\n{REMEDY}") from error
    return {"packages": packages_in(target)}


def packages_in(layer: Path) -> dict[str, str]:
    """The Debian packages of a base layer with their versions."""
    with tarfile.open(layer) as tar:
        listing = tar.extractfile(f"./{PACKAGES_FILE}")
        text = listing.read().decode() if listing else ""
    return dict(line.split(" ", 1) for line in text.splitlines())


def _words() -> list[str]:
    words = ["--variant=minbase", f"--include={','.join(PACKAGES)}", "--skip=output/dev"]
    words += ['--aptopt=APT::Install-Recommends "false"', '--aptopt=Acquire::Retries "3"']
    words += [f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT]
    words += [f"--dpkgopt=path-include={pattern}" for pattern in KEPT]
    return [*words, *(f"--customize-hook={hook}" for hook in HOOKS)]


def _alone() -> list[str]:
    """As root in namespaces of its own, so that whoever is killed, it or we, no mount and no process is left."""
    if os.geteuid():
        return []
    return ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]


def _temporary() -> dict[str, str]:
    """Root's half-made system lies where the next maker would find and remove it."""
    return {} if os.geteuid() else {"TMPDIR": str(places.WORK)}


def _mirror() -> list[str]:
    """The mirror this machine's own apt is set up with, if it has the suite; else mmdebstrap's own choice."""
    if mirror := os.environ.get("DRILLS_DEBIAN_MIRROR", ""):
        return [f"deb {mirror} {SUITE} main"]
    asked = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, timeout=MIRROR_WITHIN_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    rows = [line.split() for line in done.stdout.splitlines()]
    found = [row[0] for row in rows if row[1:] == [SUITE, "main"]]
    return [f"deb {found[0]} {SUITE} main"] if found else []
