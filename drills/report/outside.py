"""Text from outside (log lines, reasons, names, commands) made fit to be shown, whatever the page is written in."""

from __future__ import annotations


def harmless(outside: object) -> str:
    """The same letters with a space for each that cannot be seen: what is left moves no cursor and starts no line."""
    return "".join(letter if letter.isprintable() else " " for letter in str(outside))


def one_line(outside: object) -> str:
    """One line of what can be seen: control, bidirectional and other invisible letters become spaces.

    All that is left is valid in HTML, in XML 1.0 and in UTF-8; escaping is the page's own affair.
    """
    return " ".join(harmless(outside).split())
