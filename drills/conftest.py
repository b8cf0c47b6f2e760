"""Options of ``pytest drills``: the same as those of ``drills run``."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of design §6, under one heading."""
    group = parser.getgroup("drills")
    group.addoption("--target", choices=("reference", "wavry"), default="reference")
    group.addoption("--stage", choices=("containers", "processes"), default=None)
    group.addoption("--tier", choices=("dev", "stage", "prod"), default="stage")
    group.addoption("--pace", choices=("real", "fast"), default="real")
    group.addoption("--seed", type=int, default=1)
    group.addoption("--network", default=None, help="under which condition of scenarios/networks")
    group.addoption("--defect", action="append", default=[], help="switch on a defect of the reference")
    group.addoption("--out", type=Path, default=None, help="the reports folder")
