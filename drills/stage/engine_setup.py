"""``make engine``: a container engine and Compose for a machine that has none. Nothing else installs or starts one.

An engine that answers is left alone, whoever started it. Otherwise Docker comes from the distribution's packages and
is started, by systemd where that runs, by hand where it does not. An engine that we set up keeps its own networks in
198.18.0.0/15, the range for benchmarking (RFC 2544), so that no office network or VPN is ever shadowed. Only the
standard library is imported: this may run before anything else is set up.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from drills.errors import CannotRun, DrillError
from drills.signals import Signals
from drills.stage import engine
from drills.stage.children import process_state
from drills.stage.images import bounded, places

NETWORKS = {"bip": "198.19.255.1/24", "default-address-pools": [{"base": "198.19.128.0/18", "size": 24}]}
NETWORK_WORDS = {
    "bip": ["--bip", "198.19.255.1/24"],
    "default-address-pools": ["--default-address-pool", "base=198.19.128.0/18,size=24"],
}
DAEMON_FILE = Path("/etc/docker/daemon.json")
# The program that shows whether a package is there, and the package.
PACKAGES = {"dockerd": "docker.io", "iptables": "iptables", "mmdebstrap": "mmdebstrap"}
COMPOSE_VERSION = "v2.33.1"
COMPOSE_MODULE = f"github.com/docker/compose/v2/cmd@{COMPOSE_VERSION}"
COMPOSE_FLAGS = ("-trimpath", "-ldflags", f"-s -w -X github.com/docker/compose/v2/internal.Version={COMPOSE_VERSION}")
OUR_COMPOSE = engine.REPOSITORY / ".tools" / "bin" / "docker-compose"
PLUGINS = Path("/usr/local/lib/docker/cli-plugins")
SBIN = "/usr/local/sbin:/usr/sbin:/sbin"  # not on every root's PATH, and Docker wants iptables from there
INSTALLED_WITHIN_S = 900.0
BUILT_WITHIN_S = 900.0
ANSWERS_WITHIN_S = 60.0
ENDS_WITHIN_S = 150.0  # a dockerd gives its containers 15 s, and its containerd a minute more
LOOK_EVERY_S = 0.2


def main() -> int:
    """Have an engine and Compose; the exit code of design §6."""
    os.environ["PATH"] = f"{os.environ.get('PATH', '/usr/bin:/bin')}:{SBIN}"
    try:
        with Signals().caught():
            places.LOGS.mkdir(parents=True, exist_ok=True)
            have_engine()
            have_compose()
            unfit = engine.problem()
    except DrillError as error:
        print(f"engine: {error}", file=sys.stderr)
        return error.exit_code
    if unfit:
        print(f"engine: drills cannot use it: {unfit}", file=sys.stderr)
        return CannotRun.exit_code
    say("ready for `make images` and `drills run --stage containers`")
    return 0


def have_engine() -> None:
    """An engine that answers; raises CannotRun with what to do."""
    if found := engine.version():
        say(f"Docker {found} answers at {engine.host()}: left alone")
        if not (shutil.which("mmdebstrap") or os.geteuid()) and shutil.which("apt-get"):
            install(["mmdebstrap"])
        return
    if os.geteuid():
        raise CannotRun("no engine answers, and only root may install or start one: sudo make engine")
    place = Place.from_environment()
    missing = [name for name in PACKAGES if shutil.which(name) is None]
    if "dockerd" in missing:
        keep_networks_apart()
    install(missing)
    if running := place.running():
        say(f"dockerd runs already (pid {running}), waiting for it")
        if place.come_up():
            return
        say("it has ended instead")  # it was on its way out: seen to take a minute when its containerd had gone first
    if Path("/run/systemd/system").exists() and not place.root:
        say("starting Docker with systemd")
        bounded.run(["systemctl", "enable", "--now", "docker"], places.LOGS / "systemctl.log", ANSWERS_WITHIN_S)
        place.wait(None)
    else:
        place.start()


def install(programs: Iterable[str]) -> None:
    """Install the packages of these programs; raises CannotRun naming them where that is not apt's business."""
    packages = [PACKAGES[name] for name in programs]
    if not packages:
        return
    if shutil.which("apt-get") is None:
        raise CannotRun(
            f"missing here: {', '.join(packages)}. Only apt is known; with another package manager install Docker's "
            "engine (moby-engine, docker-ce or docker), iptables and mmdebstrap, then run `make engine` again"
        )
    say(f"installing {', '.join(packages)} with apt")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    bounded.run(["apt-get", "update", "-q"], places.LOGS / "apt.log", INSTALLED_WITHIN_S, environment=quiet)
    words = ["apt-get", "install", "-q", "-y", "--no-install-recommends"]
    bounded.run([*words, *packages], places.LOGS / "apt.log", INSTALLED_WITHIN_S, environment=quiet)


def keep_networks_apart() -> None:
    """Before Docker's package starts it with Docker's own defaults, which lie in ranges that offices use."""
    if not DAEMON_FILE.exists():
        say(f"writing {DAEMON_FILE}: Docker's own networks in 198.18.0.0/15")
        DAEMON_FILE.parent.mkdir(parents=True, exist_ok=True)
        DAEMON_FILE.write_text(json.dumps(NETWORKS, indent=2) + "\n", encoding="utf-8")


class Place:
    """Where an engine that is started by hand keeps its files.

    ``DRILLS_ENGINE_ROOT`` puts everything below one folder and into a network namespace of its own, to try this beside
    an engine that is in use (with DOCKER_HOST naming ``docker.sock`` in that folder): a second engine in the same
    network would take the first one's bridge away. Drills cannot use it, and that is what is said in the end.
    """

    def __init__(self, root: Path | None) -> None:
        self.root = root
        self.socket = Path(engine.host().removeprefix("unix://"))
        self.pid_file = (root or Path("/var/run")) / "docker.pid"
        self.exec_root = root / "exec" if root else Path("/var/run/docker")
        self.log = root / "dockerd.log" if root else Path("/var/log/wavry-drills-dockerd.log")

    @classmethod
    def from_environment(cls) -> Place:
        """As ``DRILLS_ENGINE_ROOT`` has it; raises CannotRun where the engine is not to be on this machine."""
        if not engine.host().startswith("unix://"):
            raise CannotRun(f"DOCKER_HOST={engine.host()} does not answer; unset it to get an engine on this machine")
        root = os.environ.get("DRILLS_ENGINE_ROOT", "")
        return cls(Path(root) if root else None)

    def command(self) -> list[str]:
        """The command line of dockerd."""
        words = ["dockerd", "--host", f"unix://{self.socket}", "--pidfile", str(self.pid_file)]
        if self.root:
            words = ["unshare", "--net", *words, "--data-root", str(self.root / "data")]
            words += ["--exec-root", str(self.exec_root)]
        said = json.loads(DAEMON_FILE.read_text(encoding="utf-8")) if DAEMON_FILE.exists() else {}
        return words + [word for key, flag in NETWORK_WORDS.items() if key not in said for word in flag]

    def running(self) -> int:
        """The process id of the dockerd that the pid file names, 0 if there is none."""
        pid = _pid_in(self.pid_file)
        return pid if pid and _program_of(pid) == "dockerd" else 0

    def start(self) -> None:
        """Start dockerd by hand and wait until it answers; raises CannotRun with its last words."""
        self._remove_left()
        _have_cgroups()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        say(f"starting dockerd by hand, its log in {self.log}")
        with self.log.open("ab") as output:
            process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                start_new_session=True, cwd="/",
            )  # fmt: skip
        try:
            self.wait(process)
        except BaseException:
            process.terminate()  # one that never came up is no engine to leave behind
            raise

    def wait(self, process: subprocess.Popen[bytes] | None) -> None:
        """Until the engine answers; raises CannotRun when it ends first or takes too long."""
        deadline = time.monotonic() + ANSWERS_WITHIN_S
        while not (found := engine.version()):
            if process is not None and process.poll() is not None:
                raise CannotRun(f"dockerd ended with {process.returncode}{bounded.witness(self.log)}")
            if time.monotonic() > deadline:
                raise CannotRun(f"dockerd does not answer within {ANSWERS_WITHIN_S:g} s{bounded.witness(self.log)}")
            time.sleep(LOOK_EVERY_S)
        say(f"Docker {found} answers at {engine.host()}")

    def come_up(self) -> bool:
        """Wait for a dockerd that is there already; False where it ends instead, CannotRun where it does neither."""
        deadline = time.monotonic() + ENDS_WITHIN_S
        while self.running():
            if found := engine.version():
                say(f"Docker {found} answers at {engine.host()}")
                return True
            if time.monotonic() > deadline:
                raise CannotRun(f"a dockerd neither answers nor ends within {ENDS_WITHIN_S:g} s; end it, or look into "
                                f"its log ({self.log}, or the journal)")  # fmt: skip
            time.sleep(LOOK_EVERY_S)
        return False

    def _remove_left(self) -> None:
        """What an engine that was killed, or a restart of the machine, has left: dockerd would take it for running."""
        for file, program in ((self.pid_file, "dockerd"), (self.exec_root / "containerd/containerd.pid", "containerd")):
            pid = _pid_in(file)
            if file.exists() and not (pid and _program_of(pid) == program):
                say(f"removing {file}, left by one that is gone")
                file.unlink()
        for path in (self.socket, *([] if self.root else [Path("/run/containerd/containerd.sock")])):
            if _is_dead_socket(path):
                say(f"removing {path}, which nobody answers at")
                path.unlink()


def have_compose() -> None:
    """Compose v2: left alone where there is one, else built from its Go module; raises CannotRun."""
    if found := engine.compose_version():
        say(f"Compose {found} is here: left alone")
        return
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin:/usr/lib/go/bin")
    if go is None:
        raise CannotRun(
            "no Compose v2 and no Go to build it with: install docker-compose-v2 or docker-compose-plugin, or Go 1.23"
        )
    say(f"building Compose {COMPOSE_VERSION} from its Go module (some minutes, once)")
    folder = OUR_COMPOSE.parent
    folder.mkdir(parents=True, exist_ok=True)
    environment = {"CGO_ENABLED": "0", "GOBIN": str(folder), "GOFLAGS": ""}
    words = [go, "install", *COMPOSE_FLAGS, COMPOSE_MODULE]
    bounded.run(words, places.LOGS / "compose.log", BUILT_WITHIN_S, environment=environment)
    places.put(folder / "cmd", OUR_COMPOSE)
    if os.geteuid() == 0 and shutil.which("docker"):
        PLUGINS.mkdir(parents=True, exist_ok=True)
        shutil.copy2(OUR_COMPOSE, PLUGINS / "docker-compose")
        say(f"`docker compose` is Compose {COMPOSE_VERSION} now ({PLUGINS})")


def say(line: str) -> None:
    """Tell the operator what is done."""
    print(f"engine: {line}", flush=True)


def _have_cgroups() -> None:
    """Containers need control groups, which nothing has mounted on some machines without systemd."""
    kinds = {line.split()[2] for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()}
    if not kinds & {"cgroup", "cgroup2"}:
        say("mounting control groups at /sys/fs/cgroup")
        bounded.run(["mount", "-t", "cgroup2", "none", "/sys/fs/cgroup"], places.LOGS / "mount.log", ANSWERS_WITHIN_S)


def _pid_in(file: Path) -> int:
    try:
        return int(file.read_text(encoding="utf-8").strip())
    except (OSError, ValueError):
        return 0


def _program_of(pid: int) -> str:
    """The name of a process that lives; one that only waits to be buried is gone."""
    if process_state(pid) in ("", "Z", "X"):
        return ""
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _is_dead_socket(path: Path) -> bool:
    with contextlib.suppress(OSError):
        if stat.S_ISSOCK(path.stat().st_mode):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
                asking.settimeout(1.0)
                return asking.connect_ex(str(path)) != 0
    return False


if __name__ == "__main__":
    sys.exit(main())
