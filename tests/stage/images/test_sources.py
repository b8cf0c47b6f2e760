"""What of our own code is in which image: all that is imported, and for the reference nothing else."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path

from drills.stage.images import sources

REPOSITORY = Path(__file__).resolve().parents[3]
LOAD_PROGRAMS = ("drills.load.master", "drills.load.worker", "drills.stage.proxies")


def closure(modules: Iterable[str]) -> set[str]:
    """The files of these modules and of all modules of ours that they import, wherever they do."""
    found: set[str] = set()
    todo = set(modules)
    while todo:
        module = todo.pop()
        file = file_of(module)
        if file is None or file in found:
            continue
        found.add(file)
        todo |= imported(REPOSITORY / file) | {module.rpartition(".")[0]}
    return found


def file_of(module: str) -> str | None:
    """The file of a module of ours; None for others, and for names that are not modules."""
    path = module.replace(".", "/")
    files = (f"{path}.py", f"{path}/__init__.py")
    return next((file for file in files if path and (REPOSITORY / file).exists()), None)


def imported(file: Path) -> set[str]:
    """Every module that a source may import."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_the_references_image_has_what_the_reference_imports_and_nothing_else() -> None:
    """A gateway's image must not change because a report did."""
    modules = {path.relative_to(REPOSITORY).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
               for path in (REPOSITORY / "drills" / "reference").rglob("*.py")}  # fmt: skip
    assert closure(modules) == set(sources.reference_files())


def test_the_loads_image_has_what_the_load_imports() -> None:
    """Its programs start in the container."""
    assert closure(LOAD_PROGRAMS) - set(sources.load_files()) == set()


def test_what_judges_is_not_in_the_loads_image() -> None:
    """Opinion stays where the record is read (design §2)."""
    assert not [path for path in sources.load_files() if path.startswith(("drills/report", "drills/verdict"))]
    assert not [path for path in sources.load_files() if "images" in path]


def test_the_same_files_are_the_same_inputs_and_an_edit_is_another(tmp_path: Path) -> None:
    """By content, not by time."""
    files = {"a.py": b"1", "b.py": b"2"}
    assert sources.inputs(files) == sources.inputs({"b.py": b"2"}, {"a.py": b"1"})
    assert sources.inputs(files) != sources.inputs({**files, "b.py": b"3"})
