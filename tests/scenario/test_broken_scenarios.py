"""The gallery: for each way to get a scenario wrong, the lines that its author is told."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from drills.catalogue import Catalogue
from drills.errors import BadInput, Exit
from drills.scenario import strict_yaml

GALLERY = Path(__file__).resolve().parents[1] / "broken_scenarios"
FILES = sorted(GALLERY.glob("*.yaml"))
EXPECT = re.compile(r"^# expect: (.*)$", re.MULTILINE)
NOISE = re.compile(r"\[type=|Input should|pydantic|function-|constrained|literal\[|Traceback", re.IGNORECASE)


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    """The shipped compose file and tiers, read once."""
    return Catalogue()


def problems_of(catalogue: Catalogue, path: Path) -> tuple[str, ...]:
    """What is said about a file; the test fails where nothing is."""
    with pytest.raises(BadInput) as refused:
        catalogue.read(path)
    assert refused.value.exit_code is Exit.BAD_INPUT
    return refused.value.problems


def reads_well(path: Path, line: str) -> None:
    """Every problem is one line that names the file, what was found and what was expected."""
    assert line.startswith(f"{path}:")
    assert ": found " in line and ", expected " in line
    assert "\n" not in line and line.isprintable()
    assert not NOISE.search(line)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_mistake_is_told_in_one_clear_line(catalogue: Catalogue, path: Path) -> None:
    """What the file's comments expect is said, each once, and nothing else is."""
    expected = EXPECT.findall(path.read_text(encoding="utf-8"))
    problems = problems_of(catalogue, path)
    assert expected, "every file of the gallery says what is expected of it"
    for line in problems:
        reads_well(path, line)
    for fragment in expected:
        assert [line for line in problems if fragment in line], (fragment, problems)
    assert len(problems) == len(expected), problems


def test_a_gallery_file_is_whole_but_for_its_mistake(catalogue: Catalogue, tmp_path: Path) -> None:
    """With its one mistake mended, a file of the gallery is understood: the mistake alone was refused."""
    broken = (GALLERY / "limit_of_nan.yaml").read_text(encoding="utf-8")
    mended = tmp_path / "limit_of_nan.yaml"
    mended.write_text(broken.replace("limit: .nan", "limit: 0.01"), encoding="utf-8")
    assert catalogue.read(mended).name == "limit_of_nan"


RAW = {
    "an_empty_file": (b"", "found an empty file, expected a YAML document"),
    "only_white_space": (b" \n\n", "found an empty file, expected a YAML document"),
    "not_utf_8": (b"name: caf\xe9\n", "found a byte that is not UTF-8 at offset 9, expected UTF-8 text"),
    "utf_16": ("name: x\n".encode("utf-16"), "found a byte that is not UTF-8 at offset 0, expected UTF-8 text"),
    "a_zero_byte": (b"name: \0x\n", ":1: found a character that is not printable, expected plain text"),
    "five_thousand_brackets": (b"name: " + b"[" * 5000, ":1: found nesting deeper than 32 levels, expected a flatter"),
    "five_thousand_braces": (b"name: " + b"{a: " * 5000, ":1: found nesting deeper than 32 levels, expected a flatter"),
    "five_thousand_levels": (b"".join(b" " * n + b"a:\n" for n in range(500)), "found nesting deeper than 32 levels"),
    "a_huge_file": (b"#" * (strict_yaml.BYTES_MAX + 1), "found more than 262144 bytes, expected at most that many"),
    "too_many_values": (b"name: [" + b"x," * 30000 + b"]", ":1: found more than 20000 values, expected a smaller file"),
    "an_escape_to_nowhere": (b'name: "\\U00110000"\n', "expected"),
    "a_tag_directive": (b"%TAG ! tag:x,2002:\n---\nname: !y z\n", "found the tag 'tag:x,2002:y', expected plain"),
    "yaml_of_the_future": (b"%YAML 2.0\n---\nname: x\n", "expected well-formed YAML"),
}


@pytest.mark.parametrize("case", RAW)
def test_bytes_that_are_no_scenario_are_told_in_one_line(catalogue: Catalogue, tmp_path: Path, case: str) -> None:
    """What no text file in git can show is written here."""
    raw, fragment = RAW[case]
    path = tmp_path / f"{case}.yaml"
    path.write_bytes(raw)
    (line,) = problems_of(catalogue, path)
    reads_well(path, line)
    assert fragment in line


def test_a_missing_file_a_folder_and_a_pipe_are_told_apart(catalogue: Catalogue, tmp_path: Path) -> None:
    """Nothing that could block for ever is opened."""
    pipe = tmp_path / "pipe.yaml"
    os.mkfifo(pipe)
    missing, loop = tmp_path / "missing.yaml", tmp_path / "loop.yaml"
    loop.symlink_to(loop)
    assert problems_of(catalogue, missing) == (f"{missing}: found no such file, expected a YAML file",)
    assert problems_of(catalogue, tmp_path) == (f"{tmp_path}: found a folder, expected a YAML file",)
    assert "found something that is not a plain file, expected a YAML file" in problems_of(catalogue, pipe)[0]
    assert "found too many levels of symbolic links, expected a readable" in problems_of(catalogue, loop)[0]
    assert "expected a readable YAML file" in problems_of(catalogue, tmp_path / ("x" * 300))[0]


def test_a_repeated_key_does_not_hide_other_mistakes(catalogue: Catalogue) -> None:
    """Mistakes of the text and mistakes of the meaning are told together, with more than fifteen in one file."""
    problems = problems_of(catalogue, GALLERY / "many_mistakes_at_once.yaml")
    assert "again (first in line" in problems[0]
    assert len(problems) > 15
