"""Claims about pictures inside the page: no bigger than they must be, told apart, and readable in both schemes."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from made_month import MONTH, add_run

from drills.report.canvas import FAULT_SHADE, ON_COLOUR
from drills.report.html import TEMPLATES
from drills.report.picture import save, user_panels
from drills.report.runs import runs_of
from drills.report.story import STATES
from drills.report.svg import SCHEME, inlined, slim

STYLE = (TEMPLATES / "style.css").read_text()
_, LIGHT, DARK = re.split(r":root \{", STYLE)[:3]
VARIABLE = re.compile(r"--([a-z-]+): (#[0-9a-f]{6});")
SCHEMES = {"light": dict(VARIABLE.findall(LIGHT)), "dark": dict(VARIABLE.findall(DARK))}
TEXT, SHAPES = 4.5, 3.0  # WCAG 2.2, 1.4.3 and 1.4.11 (AA)


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A picture as matplotlib writes it."""
    out = tmp_path_factory.mktemp("picture")
    folder = add_run(out, "relay_drain", "20261103T140000-aaaa", series=True)
    (run,) = runs_of(out / MONTH)
    path: Path = folder / "raw.svg"
    save(run, user_panels(run), path, "svg")
    return path.read_text()


def words(drawing: str) -> list[str]:
    """The words of a picture, in order."""
    return ["".join(node.itertext()) for node in ElementTree.fromstring(drawing).iter() if node.tag.endswith("}text")]


def test_a_slim_picture_says_the_same_in_fewer_letters(raw: str) -> None:
    less = slim(raw)
    assert words(less) == words(raw)
    assert len(less) < 0.65 * len(raw)  # of a run of minutes, about half
    assert slim(less) == less
    assert not re.search(r"[0-9]\.[0-9]{3}", less)


def test_two_pictures_in_one_page_share_no_name(raw: str) -> None:
    names = [set(re.findall(r' id="([^"]*)"', inlined(slim(raw), prefix, "x", "y"))) for prefix in ("one", "two")]
    assert names[0] and not names[0] & names[1]


def test_every_colour_of_a_picture_has_one_for_each_scheme(raw: str) -> None:
    drawing = inlined(slim(raw), "one", "x", "y")
    bare = set(re.findall(r"#[0-9a-f]{6}\b", re.sub(r"var\([^)]*\)", "", drawing)))
    assert bare <= {ON_COLOUR}
    for scheme in SCHEMES.values():
        assert {f"picture-{name}" for name in SCHEME.values()} <= set(scheme)


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast of two colours, 1 to 21."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", sorted(SCHEMES))
def test_words_can_be_read_in_both_schemes(scheme: str) -> None:
    colour = SCHEMES[scheme]
    pairs = [(text, back) for text in ("ink", "quiet", "link") for back in ("paper", "card")]
    pairs += [(mark, f"{mark}-back") for mark in ("held", "broken", "inconclusive", "not-run")]
    pairs += [("ink", "inconclusive-back")]
    pairs += [(f"picture-{text}", f"picture-{back}") for text in ("ink", "quiet") for back in ("paper", "shade")]
    assert {pair: found for pair in pairs if (found := contrast(colour[pair[0]], colour[pair[1]])) < TEXT} == {}


@pytest.mark.parametrize("scheme", sorted(SCHEMES))
def test_lines_and_bars_can_be_seen_and_the_words_on_them_read(scheme: str) -> None:
    colour = SCHEMES[scheme]
    for name in ("orange", "sky", "green", "blue", "red", "purple"):
        for back in ("paper", "shade"):
            assert contrast(colour[f"picture-{name}"], colour[f"picture-{back}"]) >= SHAPES, (name, back)
    on_page = {state: colour[f"picture-{SCHEME[bar]}"] for state, bar in STATES.items() if state != "Banned"}
    assert {state for state, bar in on_page.items() if contrast(bar, ON_COLOUR) < TEXT} == set()
    assert {state for state, bar in STATES.items() if state != "Banned" and contrast(bar, ON_COLOUR) < TEXT} == set()
    assert FAULT_SHADE in SCHEME
