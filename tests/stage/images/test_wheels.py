"""Which Python packages are in which image."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from drills.stage.images import wheels

REPOSITORY = Path(__file__).resolve().parents[3]
ENVIRONMENT = {
    "python_version": "3.11", "python_full_version": "3.11.2", "sys_platform": "linux", "platform_system": "Linux",
    "implementation_name": "cpython", "platform_python_implementation": "CPython", "os_name": "posix",
    "platform_machine": "x86_64", "extra": "",
}  # fmt: skip
IMPORTED_BY_THE_REFERENCE = ("aiohttp", "argon2-cffi", "cryptography", "multidict", "pycryptodomex")
IMPORTED_BY_THE_LOAD = (
    "gevent", "locust", "numpy", "pyarrow", "pydantic", "pyyaml", "requests", "toxiproxy-python", "websocket-client",
)  # fmt: skip


def closure(names: Iterable[str]) -> set[str]:
    """These packages and all that they rest on with the containers' Python, by what is installed here."""
    found: set[str] = set()
    todo = set(names)
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found.add(name)
        wanted = [Requirement(text) for text in importlib.metadata.requires(name) or ()]
        todo |= {wheels.plain(one.name) for one in wanted if one.marker is None or one.marker.evaluate(ENVIRONMENT)}
    return found


def test_the_reference_has_the_packages_it_rests_on_and_no_others() -> None:
    """Small images start quickly and change rarely."""
    assert set(wheels.REFERENCE) == closure(IMPORTED_BY_THE_REFERENCE)


def test_the_load_has_the_packages_it_rests_on() -> None:
    """Leaving one out by name must not break what needs it; Locust asks for pytest, for a plug-in that is not used."""
    assert closure(IMPORTED_BY_THE_LOAD) - set(wheels.for_the_load()) <= closure(["pytest"])


def test_every_package_left_out_is_one_that_is_pinned() -> None:
    """A name that no longer exists would leave nothing out."""
    pinned = wheels.pins((REPOSITORY / "constraints.txt").read_text(encoding="utf-8"))
    assert pinned.keys() >= wheels.NOT_FOR_THE_LOAD
    assert pinned.keys() >= wheels.ONLY_AS_SOURCE


def test_names_are_compared_as_indexes_compare_them() -> None:
    """constraints.txt has them as their makers write them."""
    assert wheels.pins("Flask-Login==0.6.3\nzope.event==6.2\n# a comment\ntyping_extensions==4\n") == {
        "flask-login": "0.6.3", "zope-event": "6.2", "typing-extensions": "4",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("inside", "installed"),
    [
        ("aiohttp/web.py", "aiohttp/web.py"),
        ("locust-2.47.0.data/purelib/locust/x.py", "locust/x.py"),
        ("locust-2.47.0.data/scripts/locust", ""),
        ("greenlet-3.5.6.data/headers/greenlet.h", ""),
        ("aiohttp-3.14.5.dist-info/RECORD", ""),
        ("aiohttp-3.14.5.dist-info/METADATA", "aiohttp-3.14.5.dist-info/METADATA"),
        ("numpy/_core/tests/test_x.py", ""),
    ],
)
def test_files_of_a_wheel_go_where_they_are_imported_from(inside: str, installed: str) -> None:
    """Scripts, headers, tests and what only pip reads go nowhere."""
    assert wheels._installed(inside) == installed
