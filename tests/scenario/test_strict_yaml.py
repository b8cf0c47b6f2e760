"""The YAML door: what it reads as what, and what it does with files that would grow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from drills.errors import BadInput
from drills.scenario import strict_yaml

BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def loaded(tmp_path: Path, text: str, *, aliases: bool = False) -> Any:
    """What a text is read as."""
    path = tmp_path / "file.yaml"
    path.write_text(text, encoding="utf-8")
    return strict_yaml.load(path, aliases=aliases)


@pytest.mark.parametrize(
    ("text", "value"),
    [("4", 4), ("-4", -4), ("0.5", 0.5), (".5", 0.5), ("1e3", 1000.0), ("true", True), ("null", None), ("~", None),
     ("yes", "yes"), ("on", "on"), ("010", "010"), ("1:30", "1:30"), ("0x1f", "0x1f"), ("1_000", "1_000"),
     ("2026-11-03", "2026-11-03"), ("=", "="), ("'4'", "4")],
)  # fmt: skip
def test_scalars_are_what_yaml_1_2_says(tmp_path: Path, text: str, value: object) -> None:
    """No yes for true, no octal, no base sixty, no dates: what looks like text is text."""
    found = loaded(tmp_path, f"key: {text}\n")["key"]
    assert found == value and type(found) is type(value)


def test_an_alias_bomb_is_counted_and_not_expanded(tmp_path: Path) -> None:
    """Ten to the ninth values in 400 bytes are refused where aliases are allowed, too."""
    with pytest.raises(BadInput, match="found more than 20000 values, expected a smaller file"):
        loaded(tmp_path, BOMB, aliases=True)


def test_shared_hardening_is_what_aliases_are_for(tmp_path: Path) -> None:
    """The compose file may share a block, and merge one."""
    text = "base: &base {a: 1}\none: *base\ntwo: {<<: *base, b: 2}\n"
    assert loaded(tmp_path, text, aliases=True) == {"base": {"a": 1}, "one": {"a": 1}, "two": {"a": 1, "b": 2}}


@pytest.mark.parametrize("text", ["a: &a [*a]\n", "a: *b\n", "a: &a {b: *a}\n"])
def test_a_value_inside_itself_and_an_alias_to_nothing_are_refused(tmp_path: Path, text: str) -> None:
    """Neither can be walked through."""
    with pytest.raises(BadInput, match=r"found .*alias.*, expected plain values"):
        loaded(tmp_path, text, aliases=True)


def test_every_repeated_key_is_told_with_its_lines(tmp_path: Path) -> None:
    """Not only the first."""
    with pytest.raises(BadInput) as refused:
        loaded(tmp_path, "a: 1\nb: 2\na: 3\nc: {d: 1, d: 2}\n")
    first, second = refused.value.problems
    assert first.endswith(":3: found the key 'a' again (first in line 1), expected each key once")
    assert second.endswith(":4: found the key 'd' again (first in line 4), expected each key once")


def test_what_is_shown_of_a_large_value_is_short() -> None:
    """A problem is a line, whatever was found."""
    from drills.scenario.problems import SHOWN_MAX, shown

    deep: Any = "x"
    for _ in range(25):
        deep = [deep] * 3
    for value in ("y" * 100_000, list(range(10_000)), {"k" * 500: "v" * 500}, "a\nb\x1b"):
        assert len(shown(value)) <= SHOWN_MAX and shown(value).isprintable()
    assert len(shown(deep)) <= SHOWN_MAX
