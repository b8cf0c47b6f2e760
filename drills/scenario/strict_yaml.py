"""YAML as a door: one document, plain data, nothing twice, nothing that grows.

PyYAML's safe loader still takes duplicate keys (the last wins), aliases that expand without bound, nesting that ends
in a RecursionError, ``1:30`` for ninety and ``010`` for eight. Each of these is one clear problem here, with its line.
Mistakes that leave the rest readable (a key twice, a control character) are noted and the reading goes on, so that
whoever asked can report them beside their own.
"""

from __future__ import annotations

import re
import stat
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from drills.errors import BadInput
from drills.scenario.problems import shown

BYTES_MAX = 256 * 1024  # a scenario is a page; anything larger is not one
DEPTH_MAX = 32  # the deepest scenario of ours nests 9 levels
NODES_MAX = 20_000  # aliases counted as what they expand to; the compose file has about 150
DIGITS_MAX = 15  # every whole number of so many digits is a float exactly
NOTES_MAX = 50
_MERGE = "tag:yaml.org,2002:merge"


@dataclass(frozen=True)
class Document:
    """A file as it was read: its text, its data, and the mistakes that did not keep it from being read."""

    text: str
    data: Any
    problems: tuple[str, ...]


class _Refused(Exception):
    """A problem that ends the reading, with its line (1-based)."""

    def __init__(self, line: int | None, problem: str) -> None:
        super().__init__(problem)
        self.line = line
        self.problem = problem


class _StrictLoader(yaml.SafeLoader):
    """The safe loader, less what a drill must not contain; scalars as YAML 1.2 has them."""

    aliases_allowed = False
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's; filled below, in place of YAML 1.1's

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.notes: list[tuple[int, str]] = []
        self._depth = 0
        self._nodes = 0
        self._sizes: dict[str, int | None] = {}  # by anchor; None while the anchored value is being read

    def note(self, node: Any, problem: str) -> None:
        """Keep a mistake that the reading survives."""
        if len(self.notes) < NOTES_MAX:
            self.notes.append((node.start_mark.line + 1, problem))

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Count nesting and size, and refuse aliases and tags before PyYAML follows them."""
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        line = event.start_mark.line + 1
        is_alias = isinstance(event, yaml.AliasEvent)
        self._nodes += self._expanded(event.anchor, line) if is_alias else 1
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise _Refused(line, f"found nesting deeper than {DEPTH_MAX} levels, expected a flatter file")
        if self._nodes > NODES_MAX:
            raise _Refused(line, f"found more than {NODES_MAX} values, expected a smaller file")
        if not is_alias and event.tag is not None:
            raise _Refused(line, f"found the tag {shown(event.tag)}, expected plain values without tags")
        node = self._measured(event.anchor, parent, index) if event.anchor and not is_alias else (
            super().compose_node(parent, index))  # fmt: skip
        self._depth -= 1
        return node

    def _expanded(self, anchor: str, line: int) -> int:
        """How many values an alias stands for."""
        if not self.aliases_allowed:
            raise _Refused(line, f"found the alias *{anchor:.40}, expected plain values (no aliases)")
        size = self._sizes.get(anchor, 1)  # an unknown anchor is PyYAML's to refuse
        if size is None:
            raise _Refused(line, f"found the alias *{anchor:.40} inside itself, expected plain values")
        return size

    def _measured(self, anchor: str, parent: Any, index: Any) -> Any:
        """Read an anchored value and remember how many values it has."""
        before = self._nodes
        self._sizes[anchor] = None
        node = super().compose_node(parent, index)
        self._sizes[anchor] = self._nodes - before + 1
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        """Note a key that stands twice; PyYAML would keep the last in silence."""
        seen: dict[str, int] = {}
        for key_node, _ in node.value:
            line = key_node.start_mark.line + 1
            if key_node.tag == _MERGE:
                if not self.aliases_allowed:
                    raise _Refused(line, "found the merge key <<, expected plain keys")
                continue
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise _Refused(line, f"found the key {shown(key)}, expected text as a key")
            if key in seen:
                self.note(key_node, f"found the key {shown(key)} again (first in line {seen[key]}), "
                                    "expected each key once")  # fmt: skip
            seen.setdefault(key, line)
        return super().construct_mapping(node, deep=deep)

    def construct_whole(self, node: Any) -> int:
        """A whole number, small enough to be exact as a float too."""
        if len(node.value) > DIGITS_MAX:
            raise _Refused(node.start_mark.line + 1, f"found a whole number of {len(node.value)} characters, "
                           f"expected at most {DIGITS_MAX}")  # fmt: skip
        return int(node.value)

    def construct_text(self, node: Any) -> str:
        """Text that can be printed: no control characters, no halves of characters."""
        text = str(self.construct_scalar(node))
        bad = next((one for one in text if one not in "\n\t" and unicodedata.category(one) in ("Cc", "Cs")), None)
        if bad is not None:
            self.note(node, f"found the control character {bad!r} in {shown(text)}, expected printable text")
        return text


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", "-+0123456789"),
    ("float", r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
              r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", "-+.0123456789"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("merge", r"<<", "<"),
):  # fmt: skip
    _StrictLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), list(_first))
_StrictLoader.add_constructor("tag:yaml.org,2002:int", _StrictLoader.construct_whole)
_StrictLoader.add_constructor("tag:yaml.org,2002:str", _StrictLoader.construct_text)


class _StrictLoaderWithAliases(_StrictLoader):
    """For the compose file, where people share hardening by anchor; what they expand to is counted."""

    aliases_allowed = True


def _bytes(path: Path) -> bytes:
    """The whole of a plain file of bounded size; nothing that could block or never end is opened."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise BadInput(f"{path}: found a folder, expected a YAML file")
        if not stat.S_ISREG(mode):
            raise BadInput(f"{path}: found something that is not a plain file, expected a YAML file")
        with path.open("rb") as file:
            return file.read(BYTES_MAX + 1)
    except FileNotFoundError:
        raise BadInput(f"{path}: found no such file, expected a YAML file") from None
    except (OSError, ValueError) as error:
        words = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise BadInput(f"{path}: found {words[:1].lower()}{words[1:]}, expected a readable YAML file") from None


def _text(path: Path) -> str:
    raw = _bytes(path)
    if len(raw) > BYTES_MAX:
        raise BadInput(f"{path}: found more than {BYTES_MAX} bytes, expected at most that many")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: found a byte that is not UTF-8 at offset {error.start}, expected UTF-8 text") from None
    if not text.strip():
        raise BadInput(f"{path}: found an empty file, expected a YAML document")
    return text


# What PyYAML says is wrong, by a part of its words, and what we say that we expected.
_EXPECTED = (
    ("character '\\t'", "found a tab, expected spaces for indentation"),
    ("another document", "found a second document, expected one"),
    ("special characters are not allowed", "found a character that is not printable, expected plain text"),
    ("undefined alias", "found an alias to nothing, expected plain values"),
    ("duplicate anchor", "found the same anchor twice, expected each once"),
    ("recursive objects", "found a value inside itself, expected plain values"),
)


def _problem(error: yaml.YAMLError, text: str) -> tuple[int | None, str]:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    position = getattr(error, "position", None)
    words = " ".join(str(getattr(error, part, None) or "") for part in ("context", "problem", "reason")).strip()
    line = mark.line + 1 if mark else text.count("\n", 0, position) + 1 if isinstance(position, int) else None
    for part, problem in _EXPECTED:
        if part in words:
            return line, problem
    detail = " ".join(str(getattr(error, "problem", None) or error).split())
    return line, f"found text that is not YAML ({detail.removeprefix('found ')}), expected well-formed YAML"


def read(path: Path, *, aliases: bool = False) -> Document:
    """The one document in ``path``, with the mistakes that it could be read in spite of.

    Raises BadInput naming the file and, where known, the line, what was found and what was expected.
    """
    text = _text(path)
    loader: _StrictLoader | None = None
    data: Any = None
    fatal: tuple[int | None, str] | None = None
    try:
        loader = (_StrictLoaderWithAliases if aliases else _StrictLoader)(text)
        data = loader.get_single_data()
    except _Refused as error:
        fatal = error.line, error.problem
    except yaml.YAMLError as error:
        fatal = _problem(error, text)
    except ValueError as error:  # an escape that names no character
        fatal = None, f"found {error}, expected plain values"
    notes = [*(loader.notes if loader else ()), *([fatal] if fatal else ())]
    problems = tuple(f"{path}{f':{line}' if line else ''}: {problem}" for line, problem in notes)
    if fatal:
        raise BadInput(*problems)
    return Document(text, data, problems)


def load(path: Path, *, aliases: bool = False) -> Any:
    """The one document in ``path`` as plain data; raises BadInput with every problem of the text."""
    document = read(path, aliases=aliases)
    if document.problems:
        raise BadInput(*document.problems)
    return document.data
