"""The handbook keeps up with the code: its tables are complete, its links lead somewhere, its examples work.

That every fault and step has a row is said in ``tests/test_architecture.py``.
"""

from __future__ import annotations

import ast
import re
import shlex
import sys
from pathlib import Path
from textwrap import dedent
from types import MethodType, ModuleType
from typing import Any

import pytest

from drills import objectives
from drills.__main__ import parser
from drills.catalogue import Catalogue
from drills.errors import Exit
from drills.measures import sessions
from drills.objectives import DoubtKind
from drills.stage.compose import CONTROL_PLANE
from drills.weighing import Outcome, weighed
from tests import record_builder
from tests.fakes import FakeScene

REPOSITORY = Path(__file__).resolve().parents[1]
DOCS = REPOSITORY / "docs"
PAGES = sorted([*DOCS.glob("*.md"), REPOSITORY / "README.md", REPOSITORY / "reports" / "README.md"])
STAGE = REPOSITORY / "drills" / "stage"
CHOOSE_PROGRAMS = [STAGE / "programs.py", STAGE / "processes.py", STAGE / "engine.py", *(STAGE / "images").glob("*.py")]
SYSTEM = {"PATH"}  # read there, and nothing that an operator would set for the drills


def text(page: str) -> str:
    """A page of the handbook."""
    return (DOCS / page).read_text(encoding="utf-8")


def blocks(page: Path, language: str) -> list[str]:
    """What stands in a page's fences of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def first_cells(page: str) -> set[str]:
    """What stands in backticks in the first column of a page's tables."""
    return {name for line in text(page).splitlines() if line.startswith("| ")
            for name in re.findall(r"`([^`]+)`", line.split("|")[1])}  # fmt: skip


def command_lines() -> list[list[str]]:
    """Every command line of ``drills`` in the pages, its words from the command on."""
    found = []
    for line in "".join(code for page in PAGES for code in blocks(page, "sh")).splitlines():
        words = shlex.split(line, comments=True)
        words = words[: min((words.index(word) for word in ("||", "&&", "|", ">") if word in words), default=None)]
        found += [words[at + 1 :] for at, word in enumerate(words) if word.endswith("bin/drills")]
    return found


def variables_read(path: Path) -> set[str]:
    """The names that a source asks its environment for; ``{kind.upper()}`` stands for each kind of service."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        asked = None
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "os.environ.get":
            asked = node.args[0]
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ":
            asked = node.slice
        if isinstance(asked, ast.Constant):
            found.add(str(asked.value))
        elif asked:
            pattern = ast.literal_eval(ast.unparse(asked).removeprefix("f"))
            found |= {pattern.replace("{kind.upper()}", kind.upper()) for kind in CONTROL_PLANE}
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    """Relative to the page that has it."""
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


def test_every_page_is_in_the_index() -> None:
    """Whoever has a question begins there."""
    assert [
        page.name for page in DOCS.glob("*.md") if page.name != "README.md" and page.name not in text("README.md")
    ] == []


@pytest.mark.parametrize("words", command_lines(), ids=" ".join)
def test_every_command_line_is_understood(words: list[str]) -> None:
    """Command, options and the values they take."""
    assert parser().parse_args(words).command == words[0]


def test_every_command_that_is_mentioned_exists() -> None:
    """In the text too, as `drills …`."""
    (commands,) = [action.choices for action in parser()._actions if action.dest == "command"]
    named = {word for page in PAGES for word in re.findall(r"`drills ([a-z]+)", page.read_text(encoding="utf-8"))}
    assert named
    assert named <= set(commands or ())


def test_every_target_of_make_that_is_mentioned_exists() -> None:
    """`make engine` is of no use where there is none."""
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    pages = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", pages, re.MULTILINE))
    assert named
    assert named <= targets


def test_the_drill_of_the_handbook_is_understood(tmp_path: Path) -> None:
    """Whoever copies it has a drill."""
    (example,) = blocks(DOCS / "writing-a-drill.md", "yaml")
    name = re.search(r"^name: (\w+)$", example, re.MULTILINE)
    assert name
    path = tmp_path / f"{name[1]}.yaml"
    path.write_text(example, encoding="utf-8")
    assert Catalogue().read(path).name == name[1]


def test_every_outcome_exit_code_and_kind_of_doubt_is_explained() -> None:
    """In a row of a table of its page."""
    page = text("reading-a-verdict.md")
    assert {str(one) for one in [*Outcome, *DoubtKind]} <= first_cells("reading-a-verdict.md")
    assert {str(int(code)) for code in Exit} <= set(re.findall(r"^\| [^|]+ \| (\d) \|", page, re.MULTILINE))


def test_every_setting_of_programs_and_images_is_explained() -> None:
    """Whatever the choice of programs, engine and images reads from the environment."""
    read = set().union(*map(variables_read, CHOOSE_PROGRAMS)) - SYSTEM
    assert "WAVRY_BIN" in read
    assert sorted(name for name in read if f"`{name}" not in text("your-own-deployment.md")) == []


def test_every_limit_that_is_raised_is_named() -> None:
    """An operator must know what is not as in production."""
    gateway = Catalogue().compose.services["gateway"].environment
    raised = [name for name in gateway if "LIMIT" in name or "MAX" in name]
    assert raised
    assert [name for name in raised if f"`{name}`" not in text("your-own-deployment.md")] == []


def test_the_fault_of_the_handbook_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its file and its fake, as they stand in the page: it lands, and it is mended."""
    source, fake = blocks(DOCS / "adding-a-fault.md", "python")
    module = ModuleType("slow_close_of_the_handbook")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(source, module.__dict__)
    fakes: dict[str, Any] = {"FakeStage": object}
    exec(dedent(fake), fakes)
    scene = FakeScene(tmp_path)
    row = module.FAULT
    monkeypatch.setattr(module, "closed_after_ms", MethodType(fakes["closed_after_ms"], scene.stage))
    with row.injected(scene, "ends_to_gateway", row.arguments(delay_ms=300)) as receipt:
        assert receipt.landed.seen
    assert receipt.mended.seen
    assert scene.stage.toxiproxy.kept["ends_to_gateway"] == {}


def test_the_objective_of_the_handbook_works() -> None:
    """Its claim, its measure and its three records, as they stand in the page, say yes, no and too little."""
    row, measure, records, case, _ = blocks(DOCS / "adding-an-objective.md", "python")
    claim = eval(row.strip().removesuffix(","), {**vars(objectives)})
    space = {**vars(sessions)}
    exec(measure, space)
    space |= {**vars(record_builder), "Make": object, "Case": lambda *words: words}
    exec(records, space)
    ((name, (limit, samples_min, *makes)),) = eval(f"{{{case.strip()}}}", space).items()
    assert name == claim.name
    for make, expected in zip(makes, (Outcome.HELD, Outcome.BROKEN, Outcome.INCONCLUSIVE), strict=True):
        record = make().over().record()
        evidence = space["lease_times"](record, record.windows["fault"], claim)
        assert weighed(claim, evidence, limit, samples_min, [])[0] is expected
