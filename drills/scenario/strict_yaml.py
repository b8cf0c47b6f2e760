"""YAML as a door: one document, plain data, nothing twice, nothing that grows.

PyYAML's safe loader still takes duplicate keys (the last wins), aliases that expand without bound and nesting
that ends in a RecursionError. Each of these is one clear problem here, with its line.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import yaml

from drills.errors import BadInput

BYTES_MAX = 256 * 1024  # a scenario is a page; anything larger is not one
DEPTH_MAX = 32  # the deepest scenario of ours nests 9 levels


class _Refused(Exception):
    """One problem in the text, with its line (1-based) or None."""

    def __init__(self, line: int | None, problem: str) -> None:
        super().__init__(problem)
        self.line = line
        self.problem = problem


class _StrictLoader(yaml.SafeLoader):
    """The safe loader, less what a drill must not contain."""

    aliases_allowed = False
    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Count the nesting and refuse aliases before PyYAML follows them."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent) and not self.aliases_allowed:
            raise _Refused(line, f"found the alias *{event.anchor}, expected plain values (no aliases)")
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise _Refused(line, f"found nesting deeper than {DEPTH_MAX} levels, expected a scenario")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        """Refuse a key that stands twice; PyYAML would keep the last in silence."""
        seen: dict[Any, int] = {}
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)  # type: ignore[no-untyped-call]
            line = key_node.start_mark.line + 1
            if not isinstance(key, str):
                raise _Refused(line, f"found the key {key!r}, expected text as a key")
            if key in seen:
                raise _Refused(line, f"found the key {key!r} again (first in line {seen[key]}), expected each key once")
            seen[key] = line
        return super().construct_mapping(node, deep=deep)

    def construct_finite(self, node: Any) -> float:
        """Refuse NaN and infinity: a limit of NaN is met by nothing and broken by nothing."""
        value = float(self.construct_yaml_float(node))  # type: ignore[no-untyped-call]
        if not math.isfinite(value):
            raise _Refused(node.start_mark.line + 1, f"found {node.value}, expected a finite number")
        return value


_StrictLoader.add_constructor("tag:yaml.org,2002:float", _StrictLoader.construct_finite)


class _StrictLoaderWithAliases(_StrictLoader):
    """For the compose file, where people share hardening by anchor; its size bounds what they expand to."""

    aliases_allowed = True


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise BadInput(f"{path}: found no such file, expected a YAML file") from None
    except OSError as error:
        raise BadInput(f"{path}: found {error.strerror}, expected a readable YAML file") from None
    if len(raw) > BYTES_MAX:
        raise BadInput(f"{path}: found {len(raw)} bytes, expected at most {BYTES_MAX}")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: found a byte that is not UTF-8 at offset {error.start}, expected UTF-8 text") from None


def _problem(error: yaml.MarkedYAMLError | yaml.YAMLError) -> tuple[int | None, str]:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    if isinstance(error, yaml.composer.ComposerError) and "another document" in str(error.problem):
        problem = "found a second document, expected one"
    return (mark.line + 1 if mark else None), " ".join(str(problem).split())


def load(path: Path, *, aliases: bool = False) -> Any:
    """The one document in ``path`` as plain data.

    Raises BadInput naming the file and, where known, the line, what was found and what was expected.
    """
    loader = _StrictLoaderWithAliases if aliases else _StrictLoader
    try:
        return yaml.load(_text(path), Loader=loader)  # noqa: S506 - a subclass of SafeLoader
    except _Refused as error:
        line, problem = error.line, error.problem
    except yaml.YAMLError as error:
        line, problem = _problem(error)
    except ValueError as error:  # an impossible date or integer inside the text
        line, problem = None, f"found {error}, expected plain values"
    raise BadInput(f"{path}{f':{line}' if line else ''}: {problem}")
