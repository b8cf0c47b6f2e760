"""The story of a drill: its steps and faults, each held against what the stage and its services can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from drills.faults.base import Fault
from drills.faults.table import FAULTS
from drills.faults.toxic import NOT_ON_TCP
from drills.scenario.models import Action, Injection, Step
from drills.scenario.problems import Problems
from drills.scenario.reading import known, read_length, read_part
from drills.stage.compose import PATHS, Compose
from drills.steps.table import STEPS


@dataclass(frozen=True)
class StoryReader:
    """Reads steps for one stage; what cannot be read is noted and left out."""

    problems: Problems
    compose: Compose
    services: tuple[str, ...]  # those on this stage

    def steps(self, path: str, raw: Any, around: tuple[tuple[str, Any], ...] = ()) -> tuple[Step, ...]:
        """The steps of a list; ``around`` are the faults in force meanwhile, each with its subject."""
        if not isinstance(raw, list) or not raw:
            self.problems.add(path, raw, "a list with at least one step")
            return ()
        found = (self._step(f"{path}[{index}]", step, around) for index, step in enumerate(raw))
        return tuple(step for step in found if step is not None)

    def _step(self, path: str, raw: Any, around: tuple[tuple[str, Any], ...]) -> Step | None:
        if not isinstance(raw, dict) or ("inject" in raw) == ("do" in raw):
            self.problems.add(path, raw, "a step with either `inject: <fault>` or `do: <step>`")
            return None
        return self._injection(path, dict(raw), around) if "inject" in raw else self._action(path, dict(raw))

    def _action(self, path: str, raw: dict[str, Any]) -> Step | None:
        name = raw.pop("do")
        if not known(name, STEPS):
            self.problems.add(f"{path}.do", name, f"one of the steps {', '.join(STEPS)}")
            return None
        kind = STEPS[name]
        arguments = read_part(self.problems, path, kind.arguments, raw, "do")
        service = raw.get("service")
        if "service" in kind.arguments.model_fields and isinstance(service, str):
            self._check_service(f"{path}.service", service, kind.kinds, f"`do: {name}`")
        return Action(name, arguments) if arguments is not None else None

    def _injection(self, path: str, raw: dict[str, Any], around: tuple[tuple[str, Any], ...]) -> Step | None:
        name = raw.pop("inject")
        if known(name, NOT_ON_TCP) and (not known(name, FAULTS) or known(raw.get("proxy"), self.compose.proxies)):
            self.problems.add(f"{path}.inject", name, NOT_ON_TCP[name])
            return None
        if not known(name, FAULTS):
            self.problems.add(f"{path}.inject", name, f"one of the faults {', '.join(FAULTS)}")
            return None
        fault = FAULTS[name]
        subject = self._subject(path, raw.pop(fault.on, None), fault)
        if subject is not None and (name, subject) in around:
            self.problems.add(path, f"{name} on {subject}", "a fault that is not already in force around this step")
        self._check_length(path, raw, fault)
        lasts = read_length(self.problems, f"{path}.lasts", raw.pop("lasts")) if "lasts" in raw else None
        inside = (*around, (name, subject))
        steps = self.steps(f"{path}.steps", raw.pop("steps"), inside) if "steps" in raw else ()
        own = ("inject", fault.on, *(("lasts", "steps") if fault.lasting else ()))
        arguments = read_part(self.problems, path, fault.arguments, raw, *own)
        if arguments is None or subject is None:
            return None
        return Injection(name, subject, arguments, lasts, steps)

    def _subject(self, path: str, subject: Any, fault: Fault) -> str | None:
        """What the fault hits, if it can; the problem is noted otherwise."""
        before = len(self.problems.lines)
        if subject is None:
            self.problems.missing(f"{path}.{fault.on}", f"the {fault.on} that `{fault.name}` hits")
        elif fault.on == "service":
            self._check_service(f"{path}.service", subject, fault.kinds, f"the fault `{fault.name}`")
        elif fault.on == "path":
            able = sorted(fault.kinds) or [*PATHS]
            if not known(subject, able):
                self.problems.add(f"{path}.path", subject, f"one of the UDP paths {', '.join(able)}")
        else:
            self._check_proxy(f"{path}.proxy", subject)
        return str(subject) if len(self.problems.lines) == before else None

    def _check_length(self, path: str, raw: dict[str, Any], fault: Fault) -> None:
        has_length = "lasts" in raw or "steps" in raw
        if fault.lasting and not has_length:
            self.problems.missing(f"{path}.lasts", f"how long `{fault.name}` lasts, or `steps` that happen meanwhile")
        for key in ("lasts", "steps") if not fault.lasting else ():
            if key in raw:
                self.problems.add(f"{path}.{key}", raw[key], f"no such key: `{fault.name}` is over when it is done")

    def _check_service(self, path: str, service: Any, kinds: frozenset[str], what: str) -> None:
        if not known(service, self.services):
            self.problems.add(path, service, f"a service on this stage: {', '.join(self.services)}")
        elif kinds and service in self.compose.services and self.compose.services[service].kind not in kinds:
            able = [name for name in self.services if name in self.compose.services
                    and self.compose.services[name].kind in kinds]  # fmt: skip
            self.problems.add(
                path, service, f"a service that can take {what}: {', '.join(able) or 'none on this stage'}"
            )

    def _check_proxy(self, path: str, proxy: Any) -> None:
        here = [name for name in self.compose.proxies if not self._absent(name)]
        if not known(proxy, self.compose.proxies):
            self.problems.add(path, proxy, f"one of the proxies {', '.join(here)}")
        elif absent := self._absent(proxy):
            self.problems.add(path, proxy, f"one of the proxies {', '.join(here) or '(none)'}: "
                              f"{', '.join(absent)} is not on this stage")  # fmt: skip

    def _absent(self, proxy: str) -> list[str]:
        """The services that a proxy stands between and that are not on this stage."""
        return [name for name in self.compose.joined_by(proxy) if name not in self.services]
