"""A small drill and the settings of its load, for tests that start nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from drills.catalogue import Catalogue
from drills.load.settings import LoadSettings
from drills.scenario.models import Scenario


def small_drill(**load: Any) -> Scenario:
    """The shipped control run, parts of its load replaced."""
    (calm,) = Catalogue().named(["calm"])
    return replace(calm, load=calm.load.model_copy(update=load))


def made_settings(**other: Any) -> LoadSettings:
    """The settings of a small load, parts of them replaced."""
    settings = LoadSettings(
        gateway="127.20.1.215:3000", master="127.20.1.215:8080", ends_first="127.20.32.0", ends_addresses=64,
        control_host="127.20.1.240", resident=6, visitors=4, workers=2, resident_length_s=(65.0, 80.0),
        visit_length_s=1.8, renew_every_s=20.0, inputs_per_s=60, frames_per_s=60, seed=1,
    )  # fmt: skip
    return replace(settings, **other)
