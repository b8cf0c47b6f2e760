"""The doctor: what it says of a machine, that nothing it meets ends it, and that it needs nothing installed."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from drills import __main__, doctor

REPOSITORY = Path(__file__).resolve().parents[1]
ENGINE_ROWS = ("container engine", "compose v2", "images")


def test_every_row_says_what_was_found_and_how_to_get_it() -> None:
    """One row a look, each whole."""
    rows = doctor.examined()
    assert len({row["what"] for row in rows}) == len(rows) == len(doctor.LOOKS)
    for row in rows:
        assert row.keys() == {"what", "ok", "needed", "found", "get"}
        assert row["found"] and row["get"] and "\n" not in row["found"]
    optional = {row["what"] for row in rows if not row["needed"]}
    assert {"CPUs", "container engine", "compose v2", "images", "Wavry's programs"} <= optional


def test_the_doctor_needs_nothing_but_the_standard_library() -> None:
    """In a Python that finds no installed package (-I -S), the rows are there and the exit code is 0 or 3."""
    script = (
        f"import sys; sys.path.insert(0, {str(REPOSITORY)!r})\n"
        "from drills.__main__ import main\n"
        "code = main(['doctor', '--json'])\n"
        "ours = {'drills', '__main__', *sys.stdlib_module_names}\n"
        "foreign = {name.split('.')[0] for name in sys.modules} - ours\n"
        "print(sorted(foreign), file=sys.stderr)\n"
        "sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, timeout=90,
                          check=False)  # fmt: skip
    assert done.stderr.strip().splitlines()[-1] == "[]", done.stderr
    rows = json.loads(done.stdout)
    assert done.returncode == (0 if all(row["ok"] or not row["needed"] for row in rows) else 3)


def test_every_dependency_is_looked_for() -> None:
    """What the doctor reads by hand from pyproject.toml is what a TOML parser finds there."""
    text = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    dependencies = tomllib.loads(text)["project"]["dependencies"]
    assert doctor.wanted_packages(text) == [tuple(line.split(",")[0].split(">=")) for line in dependencies]


@pytest.mark.parametrize(("ok", "needed", "code"), [(True, True, 0), (False, True, 3), (False, False, 0)])
def test_only_what_is_needed_and_missing_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ok: bool, needed: bool, code: int
) -> None:
    """Exit 3 for a missing needed thing, 0 otherwise; how to get it is said whenever it is missing."""
    look = doctor.Look("a thing", needed, lambda: doctor.Row(ok, "as it is"), "buy one")
    monkeypatch.setattr(doctor, "LOOKS", (look,))
    assert __main__.main(["doctor"]) == code
    said = capsys.readouterr().out
    assert "as it is" in said and ("buy one" in said) == (not ok)
    assert ("MISSING" in said) == (needed and not ok)


def test_a_look_that_fails_is_a_row() -> None:
    """The other looks are still made."""

    def failing() -> doctor.Row:
        raise PermissionError("not for you")

    row = doctor.Look("a thing", True, failing, "ask").row()
    assert row["ok"] is False and "PermissionError: not for you" in row["found"]


def test_a_program_that_never_answers_is_given_up() -> None:
    """Every look is bounded in time."""
    code, said = doctor.asked([sys.executable, "-c", "import time; time.sleep(30)"], within_s=0.2)
    assert code == 124 and "did not answer within 0.2 s" in said
    assert doctor.asked(["/nowhere/at/all"])[0] == 127


def test_a_missing_package_and_one_too_old_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the names under which pip knows them; what is there is not named."""
    wanted = [("no-such-package", "1"), ("PyYAML", "6.0"), ("pydantic", "900.1")]
    monkeypatch.setattr(doctor, "wanted_packages", lambda text: wanted)
    row = doctor.dependencies()
    assert not row.ok and "without no-such-package, pydantic 900.1 (has " in row.found and "YAML" not in row.found


@pytest.mark.parametrize(
    ("go", "ok", "fragment"),
    [((), False, "no Go"), ((1, 22), False, "Go only 1.22"), ((1, 23), True, "not built yet; Go 1.23 is here"),
     ((2, 0), True, "not built yet")],
)  # fmt: skip
def test_go_can_stand_in_for_a_toxiproxy_that_is_not_built_yet(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, go: tuple[int, ...], ok: bool, fragment: str
) -> None:
    """Before `make setup`, what it needs is enough."""
    monkeypatch.setattr(doctor, "REPOSITORY", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(doctor, "go_version", lambda: go)
    row = doctor.toxiproxy()
    assert row.ok is ok and fragment in row.found


@pytest.mark.parametrize(("said", "ok"), [("2.12.0", True), ("2.9.0", False), ("2.120.0", False), ("git", False)])
def test_toxiproxy_is_the_version_that_was_checked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: str, ok: bool
) -> None:
    """Another version may drop other attributes in silence."""
    fake = tmp_path / "toxiproxy-server"
    fake.write_text(f"#!/bin/sh\necho toxiproxy-server version {said}\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert doctor.toxiproxy().ok is ok


def test_what_go_wrote_into_the_program_counts_where_it_says_git(tmp_path: Path) -> None:
    """`go install` sets no version; Go's own build record has it."""
    fake = tmp_path / "toxiproxy-server"
    fake.write_text("#!/bin/sh\necho toxiproxy-server version git\n# github.com/Shopify/toxiproxy/v2\tv2.12.0\n")
    fake.chmod(0o755)
    assert doctor.toxiproxy_version(str(fake)) == "2.12.0"


def test_an_engine_that_is_not_there_is_named_and_so_is_what_rests_on_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither is needed: the process stage has no use for them."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(doctor.engine, "REPOSITORY", tmp_path)
    rows = {row["what"]: row for row in (look.row() for look in doctor.LOOKS if look.what in ENGINE_ROWS)}
    assert rows["container engine"]["found"] == f"no engine answers at unix://{tmp_path}/nobody.sock"
    assert rows["compose v2"]["found"] == "no compose v2"
    assert rows["images"]["found"] == "no engine to look in"
    assert not any(row["ok"] or row["needed"] for row in rows.values())
    assert all("make" in row["get"] and "process stage" in row["get"] for row in rows.values())


@pytest.mark.parametrize(
    ("listed", "registry", "mmdebstrap", "ok", "found"),
    [
        ("12 of 12 are here", "", False, True, "all 12"),
        ("3 of 12 are here", "", True, True, "3 of 12 are here, the others will be made"),
        ("3 of 12 are here", "registry.example/team", False, True, "pulled from DRILLS_REGISTRY or made"),
        ("0 of 12 are here", "", False, False, "there is no mmdebstrap to make the others with"),
        ("drills: no engine answers", "", True, False, "drills: no engine answers"),
    ],
)
def test_images_are_here_or_can_be_had(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, listed: str, registry: str, mmdebstrap: bool, ok: bool, found: str
) -> None:
    """What a drill would make by itself is not missing."""
    monkeypatch.setattr(doctor.engine, "unfit", lambda: "")
    monkeypatch.setattr(doctor, "venv_python", lambda: Path(sys.executable))
    monkeypatch.setattr(doctor, "asked", lambda *_: (0, listed))
    monkeypatch.setenv("DRILLS_REGISTRY", registry)
    monkeypatch.setenv("PATH", str(tmp_path))
    if mmdebstrap:
        (tmp_path / "mmdebstrap").touch(mode=0o755)
    row = doctor.images()
    assert row.ok is ok and found in row.found


def test_wavrys_programs_are_looked_for_where_they_were_said_to_be(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Unset, empty and whole are told apart."""
    monkeypatch.delenv("WAVRY_BIN", raising=False)
    assert doctor.wavry().found == "WAVRY_BIN is not set"
    monkeypatch.setenv("WAVRY_BIN", str(tmp_path))
    assert "no wavry-gateway, wavry-master, wavry-relay" in doctor.wavry().found
    for kind in ("gateway", "master", "relay"):
        (tmp_path / f"wavry-{kind}").touch(mode=0o755)
    assert doctor.wavry().ok
