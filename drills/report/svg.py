"""A picture as SVG: smaller than matplotlib writes it, and fit to stand inside a page that is light or dark."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from drills.report import canvas

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
HREF = f"{{{XLINK}}}href"
# The page gives each name a colour for each scheme (templates/style.css); the letters on coloured bars stay dark.
SCHEME = {
    canvas.BLACK: "ink", canvas.WHITE: "paper", canvas.GREY: "edge", canvas.FAULT_SHADE: "shade",
    canvas.FAULT_BAND: "band", canvas.GRID: "grid", canvas.QUIET: "quiet", canvas.ORANGE: "orange",
    canvas.SKY: "sky", canvas.GREEN: "green", canvas.BLUE: "blue", canvas.RED: "red", canvas.PURPLE: "purple",
}  # fmt: skip
_LONG = re.compile(r"-?[0-9]+\.[0-9]{3,}")
_POINT = re.compile(r"-?[0-9]+\.[0-9]{2,}")
_COLOUR = re.compile(r"#[0-9a-f]{6}")
_BOX = re.compile(r"M (?P<x>\S+) (?P<y>\S+) (?P<right>\S+) (?P=y) (?P=right) (?P<low>\S+) (?P=x) (?P=low) z ?")
_USED = re.compile(r"#([A-Za-z][\w-]*)")


def slim(drawing: str) -> str:
    """The same picture without metadata, empty groups, names that nothing uses and digits that nobody sees."""
    root = ElementTree.fromstring(drawing)
    for name in ("metadata", "defs/{*}style"):
        _remove(root, name)
    root.set("style", "stroke-linejoin: round; stroke-linecap: butt")  # what the style sheet said of everything
    used = {name for _, value in _attributes(root) for name in _USED.findall(value)}
    for element in root.iter():
        if element.get("id") not in used:
            element.attrib.pop("id", None)
        for name, value in element.attrib.items():
            element.set(name, _line(value) if name == "d" else " ".join(_LONG.sub(_shorter, value).split()))
    _flatten(root)
    return _written(root)


def inlined(drawing: str, prefix: str, label: str, described_by: str) -> str:
    """The picture for a page: names of its own, colours by name, no size, and a label for who cannot see it."""
    root = ElementTree.fromstring(drawing)
    for element in root.iter():
        for name, value in element.attrib.items():
            if name == "id":
                element.set(name, f"{prefix}-{value}")
            elif name in (HREF, "clip-path"):
                element.set(name, value.replace("#", f"#{prefix}-"))
            elif name == "style":
                element.set(name, _COLOUR.sub(lambda colour: _colour(colour[0]), value))
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    root.attrib.pop("style", None)  # the page's style sheet says the same, and what SVG takes where nothing is said
    for name, value in (("role", "img"), ("aria-label", label), ("aria-describedby", described_by)):
        root.set(name, value)
    return _written(root)


def _remove(root: Element, path: str) -> None:
    parent_path, _, tag = path.rpartition("/")
    for parent in root.findall(f"{{*}}{parent_path}") if parent_path else [root]:
        for child in parent.findall(tag if tag.startswith("{") else f"{{*}}{tag}"):
            parent.remove(child)


def _attributes(root: Element) -> Iterator[tuple[str, str]]:
    for element in root.iter():
        yield from ((name, value) for name, value in element.attrib.items() if name in (HREF, "clip-path"))


def _shorter(number: re.Match[str], places: int = 2) -> str:
    return f"{float(number[0]):.{places}f}".rstrip("0").rstrip(".")


def _line(path: str) -> str:
    """A path to a tenth of a point; straight lines follow a move without being named again."""
    line = " ".join(_POINT.sub(lambda number: _shorter(number, 1), path).split())
    return _boxes(line.replace(" L ", " ")) if set(line) <= set("MLz0123456789.- ") else line


def _boxes(path: str) -> str:
    """Upright rectangles by the words that SVG has for going straight across and straight down."""
    return _BOX.sub(lambda box: f"M{box['x']} {box['y']}H{box['right']}V{box['low']}H{box['x']}z", path)


def _colour(hexadecimal: str) -> str:
    name = SCHEME.get(hexadecimal)
    return f"var(--picture-{name}, {hexadecimal})" if name else hexadecimal


def _flatten(element: Element) -> None:
    """Groups that say nothing give way to what is in them; the white space between elements goes."""
    children: list[Element] = []
    for child in element:
        _flatten(child)
        bare = child.tag == f"{{{SVG}}}g" and not child.attrib
        children += list(child) if bare else [child]
    element[:] = [child for child in children if len(child) or child.attrib or (child.text or "").strip()]
    if len(element):
        element.text = "\n"
    for child in element:
        child.tail = "\n"


def _written(root: Element) -> str:
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)
    root.tail = None
    return ElementTree.tostring(root, encoding="unicode") + "\n"
