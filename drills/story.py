"""The story of a fault window, told step by step: faults are injected and mended, steps wait, ask and observe."""

from __future__ import annotations

from collections.abc import Callable

from drills.faults.table import FAULTS
from drills.record import Journal
from drills.scenario.models import Action, Scenario, Step
from drills.scene import Scene, StoryStopped
from drills.steps.table import STEPS


def told(scene: Scene, scenario: Scenario, say: Callable[[str], None]) -> None:
    """The whole story; where a step cannot do what the next ones rest on it ends there, mended, and says so."""
    try:
        play(scene, scenario.fault, say, scenario.name)
    except StoryStopped as stopped:
        scene.journal.write("story.stopped", reason=str(stopped))
        say(f"{scenario.name}: the story stops: {stopped}")


def play(scene: Scene, steps: tuple[Step, ...], say: Callable[[str], None], name: str) -> None:
    """The steps in their order; a fault is mended before the step after it begins."""
    for step in steps:
        if isinstance(step, Action):
            say(f"{name}:   {step.name} {_words(step)}")
            scene.journal.write("step.begun", step=step.name)
            STEPS[step.name].perform(scene, step.arguments)
            scene.journal.write("step.done", step=step.name)
            continue
        say(f"{name}:   inject {step.fault} on {step.subject}")
        with FAULTS[step.fault].injected(scene, step.subject, step.arguments):
            if step.lasts:
                scene.pause(step.lasts.in_s(scene.heartbeat_s))
            play(scene, step.steps, say, name)


def _words(step: Action) -> str:
    return ", ".join(f"{key} {value}" for key, value in step.arguments)


def announce(steps: tuple[Step, ...], journal: Journal) -> None:
    """Write down, before anything is done, what later steps must not be able to choose afterwards."""
    for step in steps:
        if isinstance(step, Action):
            if announced := STEPS[step.name].announces(step.arguments):
                journal.write(announced.event, **announced.fields)
        else:
            announce(step.steps, journal)


def faults_of(steps: tuple[Step, ...]) -> list[str]:
    """The names of all faults in a story, each once."""
    found: dict[str, None] = {}
    for step in steps:
        if not isinstance(step, Action):
            found.update(dict.fromkeys([step.fault, *faults_of(step.steps)]))
    return [*found]


def least_length_s(steps: tuple[Step, ...], heartbeat_s: float) -> float:
    """How long the story lasts at the very least: what its steps say outright, without what they wait for."""
    total = 0.0
    for step in steps:
        lasts = step.lasts if not isinstance(step, Action) else getattr(step.arguments, "lasts", None)
        total += lasts.in_s(heartbeat_s) if lasts else 0.0
        total += 0.0 if isinstance(step, Action) else least_length_s(step.steps, heartbeat_s)
    return total
