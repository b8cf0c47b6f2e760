"""What the design says about the code itself: who may import what, who knows the wire, what is written down."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from drills.faults.table import FAULTS
from drills.steps.table import STEPS

REPOSITORY = Path(__file__).resolve().parents[1]
DRILLS = REPOSITORY / "drills"
HANDBOOK = (REPOSITORY / "docs" / "writing-a-drill.md").read_text(encoding="utf-8")
SOURCES = {path.relative_to(REPOSITORY).as_posix(): ast.parse(path.read_bytes()) for path in DRILLS.rglob("*.py")}
TESTS = {
    path.relative_to(REPOSITORY).as_posix(): ast.parse(path.read_bytes())
    for path in (REPOSITORY / "tests").rglob("*.py")
}
IMPORTS_LOCUST = {f"drills/load/{name}.py" for name in ("users", "worker", "master", "locustfile")}
IMPORTS_GEVENT = {
    f"drills/load/{name}.py"
    for name in ("direct", "pump", "samples", "session", "pair", "tick", "by_hand", "signaling")
} | {
    "drills/bench/pump_child.py"  # the generator's own process, as its benchmark starts it
}
KNOWS_THE_WIRE = (
    "drills/wavry/",
    "drills/reference/",
    "drills/load/pump.py",
)  # the pump by way of drills.wavry.packets
OFFLINE = ("docker", "testcontainers", "requests", "urllib3", "websocket", "toxiproxy", "locust", "gevent")
# everything of the stage but the description of its services, which scenarios are read with
STAGE = tuple(f"drills.stage.{path.stem}" for path in (DRILLS / "stage").glob("[a-z]*.py") if path.stem != "compose")
ELSEWHERE = (*STAGE, "drills.stage.images", "drills.load", "drills.wavry", "drills.probes", "drills.run")
# the last line of defence, where an error of ours becomes a 3
MAY_CATCH_ALL = {"drills/__main__.py": 1}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def imported(tree: ast.AST) -> set[str]:
    """Every module that a source imports, wherever it does."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def within(name: str, packages: tuple[str, ...]) -> bool:
    """Whether a module is one of these or inside one."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def calls(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every call."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node.lineno, ast.unparse(node.func)


def test_only_the_users_and_their_processes_import_locust() -> None:
    """Importing it patches the process; the runner's side of the load, and the pump, must not."""
    found = {path for path, tree in SOURCES.items() if any(within(name, ("locust",)) for name in imported(tree))}
    assert found == IMPORTS_LOCUST


def test_only_the_load_imports_gevent() -> None:
    """And of it, nothing that the runner imports."""
    found = {path for path, tree in SOURCES.items() if any(within(name, ("gevent",)) for name in imported(tree))}
    assert found <= IMPORTS_LOCUST | IMPORTS_GEVENT


@pytest.mark.parametrize(
    "module",
    ["drills.verdict", "drills.judging", "drills.report.month", "drills.report.terminal", "drills.report.html",
     "drills.report.junit"],
)  # fmt: skip
def test_what_judges_and_reports_reaches_no_network(module: str) -> None:
    """A record can be judged and shown a year later without Docker, services or a stage."""
    assert [name for name in loaded_by(module) if within(name, OFFLINE + ELSEWHERE)] == []


@pytest.mark.parametrize(
    "module",
    ["drills.suite", "drills.load.control", "drills.test_drills", "drills.stage.containers",
     "drills.stage.drills_compose"],
)  # fmt: skip
def test_the_runner_is_never_patched(module: str) -> None:
    """It starts the load and reads what the load writes, in threads and with signals of its own."""
    assert [name for name in loaded_by(module) if within(name, ("locust", "gevent"))] == []


def loaded_by(module: str) -> list[str]:
    """Every module that is there once this one is imported, in a fresh process."""
    code = f"import sys, json, {module}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, timeout=30, check=True
    )
    return list(json.loads(done.stdout))


def test_only_the_wire_clients_and_the_reference_know_a_byte_of_the_protocols() -> None:
    """A layout in network order elsewhere would be a second copy of the contract."""
    found = []
    for path, tree in SOURCES.items():
        if path.startswith(KNOWS_THE_WIRE):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith(("struct.", "Struct")):
                layout = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else "?"
                if not str(layout).startswith("="):  # host order: what the kernel writes, never a packet
                    found.append(f"{path}:{node.lineno} {layout}")
            if isinstance(node, ast.Attribute) and node.attr in ("to_bytes", "from_bytes"):
                found.append(f"{path}:{node.lineno} {node.attr}")
    assert not found, "\n".join(found)


def test_nobody_catches_everything() -> None:
    """Each broad `except` is a place where a failure can go quiet; one that raises again is none."""
    found: dict[str, int] = {}
    for path, tree in SOURCES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler) and _catches_all(node) and not _raises_again(node):
                found[path] = found.get(path, 0) + 1
    assert found == MAY_CATCH_ALL, found


def _catches_all(handler: ast.ExceptHandler) -> bool:
    names = [handler.type, *getattr(handler.type, "elts", [])]
    return handler.type is None or any(
        isinstance(name, ast.Name) and name.id in ("Exception", "BaseException") for name in names
    )


def _raises_again(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def test_nobody_swallows_everything() -> None:
    """`contextlib.suppress(Exception)` is a broad `except` by another name."""
    found = [
        f"{path}:{node.lineno}"
        for path, tree in SOURCES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).endswith("suppress")
        and any(ast.unparse(word) in ("Exception", "BaseException") for word in node.args)
    ]
    assert not found, "\n".join(found)


# Real programs and real sockets are on the other side here: a look again after a moment, until a deadline, or a server
# that is slow on purpose.
MAY_SLEEP = (
    "tests/contract/",
    "tests/wavry/test_http_client.py",
    "tests/paths/test_canaries.py",
    "tests/udp_proxy/same_fates.py",
)


def test_tests_do_not_sleep() -> None:
    """Time is an argument or a fake; who waits for something real looks again, until a deadline."""
    found = [
        f"{path}:{line} {name}"
        for path, tree in TESTS.items()
        if not str(path).startswith(MAY_SLEEP)
        for line, name in calls(tree)
        if name in ("time.sleep", "sleep")
    ]
    assert not found, "\n".join(found)


def test_tests_use_no_mocks() -> None:
    """Fakes are small classes that meet the protocol."""
    assert [path for path, tree in TESTS.items() if any("mock" in name for name in imported(tree))] == []


@pytest.mark.parametrize("name", sorted(FAULTS | STEPS))
def test_every_fault_and_step_says_what_it_does(name: str) -> None:
    """Under its own name in the table, in one sentence for the handbook, in a file that begins with its name."""
    row = (FAULTS | STEPS)[name]
    assert row.name == name
    assert row.does
    assert row.does[0].islower()
    package = "faults" if name in FAULTS else "steps"
    document = ast.get_docstring(SOURCES[f"drills/{package}/{name}.py"]) or ""
    assert document.startswith(name)


@pytest.mark.parametrize("name", sorted(FAULTS | STEPS))
def test_every_fault_and_step_is_in_the_handbook(name: str) -> None:
    """In a row of its tables; a fault that only one stage offers says so there."""
    rows = [line for line in HANDBOOK.splitlines() if line.startswith("| `") and f"`{name}`" in line.split("|")[1]]
    (row,) = rows
    stages = FAULTS[name].stages if name in FAULTS else set()
    if len(stages) == 1:
        assert f"needs {next(iter(stages))}" in row


def test_faults_and_steps_have_names_of_their_own() -> None:
    """A scenario says `inject` or `do`; a reader should not have to look which."""
    assert not set(FAULTS) & set(STEPS)


def test_every_module_says_what_it_is_for() -> None:
    """In its first line; packages without content need not."""
    assert [path for path, tree in SOURCES.items() if tree.body and not ast.get_docstring(tree)] == []


def test_every_public_function_and_class_has_a_docstring() -> None:
    """One sentence that says more than the name; methods included, those of private classes and overrides not."""
    found = [f"{path}:{line} {name}" for path, tree in SOURCES.items() for line, name in _undocumented(tree)]
    assert not found, "\n".join(found)


def _undocumented(tree: ast.Module) -> Iterator[tuple[int, str]]:
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    for node in tree.body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_") and not ast.get_docstring(node):
            yield node.lineno, node.name
    for name, node in classes.items():
        if name.startswith("_"):
            continue
        for method in node.body:
            public = isinstance(method, Function) and not method.name.startswith(("_", "on_", "do_"))
            if public and not ast.get_docstring(method) and not _overrides(method):
                yield method.lineno, f"{name}.{method.name}"


def _overrides(method: ast.AST) -> bool:
    decorators = getattr(method, "decorator_list", [])
    return any(ast.unparse(one).endswith(("override", ".setter", "overload")) for one in decorators)
