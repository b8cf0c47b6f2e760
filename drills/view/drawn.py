"""One run as a terminal shows it: pure, from what was seen to lines of text, readable in 60 columns.

Nothing is said by a colour alone, and every text from outside is one line of printable letters.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from drills.report.outside import one_line
from drills.report.words import number
from drills.scenario.models import WINDOWS
from drills.verdict import Judgement
from drills.view.seen import Seen
from drills.view.so_far import SoFar

STYLES = {"within": "green", "past": "bold red", "too little": "yellow", "not yet": "yellow"}
URGENT = ("past", "not yet", "too little", "within")  # the order in which objectives are listed
RELAY_STYLES = {"Active": "green", "Draining": "yellow", "": "bold red"}
WIDE = 96  # from here on an objective's figures are shown, too
LINES_OF_A_RUN = 9  # everything but the objectives and their heading
BLOCKS, BLOCKS_ASCII = "▁▂▃▄▅▆▇█", "_.-=+*%#"
# which bar a silence is: a frame and a half at 60 a second is the lowest, a quarter of a second is seen by a player,
# after a second a session is given up
SILENCE_STEPS_MS = (25, 50, 75, 125, 250, 500, 1000)


class Drawn:
    """The runs that are going on, drawn anew for whatever the terminal is like now."""

    def __init__(self, runs: list[tuple[Seen, SoFar]], now_ns: int) -> None:
        self.runs, self.now_ns = runs, now_ns

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """As many objectives as there is room for."""
        height = (options.size.height - 1) // max(1, len(self.runs))
        for seen, so_far in self.runs:
            ascii_only = options.ascii_only
            yield run_drawn(seen, so_far, self.now_ns, options.max_width, height, ascii_only=ascii_only)


def run_drawn(seen: Seen, so_far: SoFar, now_ns: int, width: int, height: int, *, ascii_only: bool = False) -> Group:
    """One run in so many columns and at most so many lines."""
    lines: list[RenderableType] = [_head(seen, now_ns, width), _windows(seen, now_ns, width)]
    lines += [_doing(seen, now_ns), _sessions(seen), _relays(seen), _silences(so_far, now_ns, ascii_only)]
    return Group(*lines, *_objectives(so_far, width, height - LINES_OF_A_RUN))


def _line(*parts: tuple[str, str] | str) -> Text:
    return Text.assemble(*parts, no_wrap=True, overflow="ellipsis", end="\n")


def _head(seen: Seen, now_ns: int, width: int) -> RenderableType:
    where = ", ".join(one_line(seen.started[key]) for key in ("target", "stage", "pace") if key in seen.started)
    row = Table.grid(expand=True)
    row.add_column(no_wrap=True, overflow="ellipsis")
    row.add_column(justify="right", no_wrap=True)
    name = Text.assemble((seen.drill, "bold reverse"), f" {where}" if width >= WIDE else "")
    row.add_row(name, Text(_time_left(seen, now_ns)))
    return row


def _time_left(seen: Seen, now_ns: int) -> str:
    gone = _minutes((now_ns - seen.began_ns) / 1e9) if seen.began_ns else "0:00"
    if seen.held:
        return f"{gone}; held, press a key to lower"
    if seen.lowering or all(window in seen.closed for window in WINDOWS):
        return f"{gone}; lowering and judging"
    return f"{gone}, at least {_minutes(seen.left_s(now_ns))} left"


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _windows(seen: Seen, now_ns: int, width: int) -> Table:
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(width=8)
    table.add_column(ratio=1)
    table.add_column(width=22 if width < WIDE else 34, no_wrap=True, overflow="ellipsis")
    for window in WINDOWS:
        planned_s, lasted_s = seen.planned_s(window), seen.lasted_s(window, now_ns)
        longer = "+" if window == "fault" else ""
        if window in seen.closed:
            share, words = 1.0, f"done, {lasted_s:.0f} s"
        elif window in seen.opened:
            # the story may take longer than its steps say: the bar is never full before it is told
            share = min(lasted_s / planned_s, 0.97) if planned_s else 0.5
            words = f"{lasted_s:.0f} of {planned_s:.0f}{longer} s"
        else:
            share, words = 0.0, f"to come, {planned_s:.0f}{longer} s"
        bar = ProgressBar(total=100, completed=100 * share, finished_style="bar.complete")
        table.add_row(Text(window, style="bold" if window in seen.opened else "dim"), bar, Text(words))
    return table


def _doing(seen: Seen, now_ns: int) -> Text:
    faults = [f"{fault} on {subject} for {(now_ns - since) / 1e9:.0f} s"
              for (fault, subject), since in seen.faults.items()]  # fmt: skip
    step = [f"step {seen.step}"] if seen.step else []
    quiet = "" if faults or step else "nothing is broken by us"
    return _line(("now       ", "bold"), (one_line(", ".join(faults)), "yellow"), ", " if faults and step else "",
                 one_line(", ".join(step)), (quiet, "dim"))  # fmt: skip


def _sessions(seen: Seen) -> Text:
    failed = seen.setups[False]
    parts: list[tuple[str, str] | str] = [("sessions  ", "bold"), f"{len(seen.established)} live, set up ",
                                          f"{seen.setups[True]}, "]  # fmt: skip
    parts.append((f"failed {failed}", "bold red" if failed else ""))
    if seen.handshakes_failed:
        parts += [", ", (f"handshakes failed {seen.handshakes_failed}", "bold red")]
    if seen.rate_limited:
        parts += [", ", (f"rate limits {seen.rate_limited}", "yellow")]
    away = sorted(name for name in seen.unready if name in ("gateway", "master"))
    parts += [(f", {name} does not answer", "bold red") for name in away]
    return _line(*parts)


def _relays(seen: Seen) -> Text:
    parts: list[tuple[str, str] | str] = [("relays    ", "bold")]
    for service, state, sessions, ready in seen.by_relay():
        style = RELAY_STYLES.get(state, "yellow") if ready else "bold red"
        words = (state or "not listed") + ("" if ready else ", not ready")
        parts += [f"{one_line(service)} ", (one_line(words), style), f" {sessions}   "]
    return _line(*parts)


def _silences(so_far: SoFar, now_ns: int, ascii_only: bool) -> Text:
    if not so_far.until_ns or so_far.longest_ms is None:
        return _line(("silences  ", "bold"), ("no samples yet", "dim"))
    blocks = BLOCKS_ASCII if ascii_only else BLOCKS
    drawn = "".join(" " if one is None else blocks[bisect_right(SILENCE_STEPS_MS, one)] for one in so_far.silences_ms)
    present = f", input to present p95 {so_far.present_ms_p95:.0f} ms" if so_far.present_ms_p95 is not None else ""
    age_s = (now_ns - so_far.until_ns) / 1e9
    return _line(("silences  ", "bold"), drawn, f" longest {so_far.longest_ms:.0f} ms{present}",
                 (f" ({age_s:.0f} s ago)", "dim"))  # fmt: skip


def _objectives(so_far: SoFar, width: int, room: int) -> list[RenderableType]:
    """Each objective in each window it is judged in, the most urgent first, as many as there is room for."""
    if not so_far.judgements:
        return [_line(("objectives", "bold"), (" none can be looked at yet", "dim"))]
    rows: dict[str, dict[str, tuple[Judgement, str]]] = {}
    for one, word in so_far.judgements:
        rows.setdefault(one.objective, {})[one.window] = (one, word)
    ordered = sorted(rows, key=lambda name: min(URGENT.index(word) for _, word in rows[name].values()))
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    for _ in WINDOWS:
        table.add_column(width=10 if width < WIDE else 22, no_wrap=True, overflow="ellipsis")
    table.add_row(Text("objectives so far", style="bold"), *(Text(window, style="bold") for window in WINDOWS))
    left_out = max(0, len(ordered) - max(1, room))
    for name in ordered[: len(ordered) - left_out]:
        cells = [rows[name].get(window) for window in WINDOWS]
        table.add_row(Text(name), *(Text() if cell is None else _cell(*cell, width) for cell in cells))
    more = [_line((f"and {left_out} more", "dim"))] if left_out else []
    return [table, *more]


def _cell(one: Judgement, word: str, width: int) -> Text:
    figure = "" if one.figure is None or width < WIDE else f" {number(one.figure, one.unit)} {_unit(one.unit)}"
    return Text(f"{word}{figure.rstrip()}", style=STYLES[word])


def _unit(unit: str) -> str:
    return "" if unit == "ratio" else unit
