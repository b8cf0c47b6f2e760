"""The view, in a process of its own at the lowest priority: it reads journals and draws, and can disturb nothing.

It is told what to do by lines of JSON on stdin, ``{"say": text}`` and ``{"watch": folder}``, and ends when they end:
whatever becomes of the runner, even by SIGKILL, the terminal is given back as it was.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from drills.report.outside import harmless
from drills.stage.priority import BEHIND, placed
from drills.view.drawn import Drawn
from drills.view.seen import Seen
from drills.view.so_far import SoFarThread

DRAW_EVERY_S = 0.8  # lines that are said in between are a redraw, too: fewer than two a second in all
STOPPED = "T"  # what /proc/PID/stat says of a process that Ctrl-Z has stopped


class View:
    """The runs that are watched, and the terminal."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.live = Live(console=console, auto_refresh=False, transient=True, redirect_stdout=False,
                         redirect_stderr=False, vertical_overflow="crop")  # fmt: skip
        self.runs: dict[Path, tuple[Seen, SoFarThread]] = {}

    def told(self, command: dict[str, Any]) -> None:
        """One line of the runner's."""
        if "say" in command:
            self.console.print(Text(harmless(command["say"])), soft_wrap=True)
        elif "watch" in command:
            folder = Path(command["watch"])
            self.runs[folder] = (Seen(folder / "journal.jsonl"), SoFarThread(folder))

    def draw(self) -> None:
        """Everything anew; a run that is over is not drawn any more."""
        for folder, (seen, so_far) in [*self.runs.items()]:
            with contextlib.suppress(KeyError, TypeError, AttributeError):  # an event of another version
                seen.catch_up()
            if seen.over:
                so_far.stop()
                del self.runs[folder]
        if self.runs and not self.live.is_started:
            self.live.start()
        elif not self.runs and self.live.is_started:
            self.live.stop()
        if self.live.is_started:
            runs = [(seen, so_far.newest) for seen, so_far in self.runs.values()]
            self.live.update(Drawn(runs, time.monotonic_ns()), refresh=True)


def _read(commands: queue.Queue[dict[str, Any] | None]) -> None:
    for line in sys.stdin:
        with contextlib.suppress(ValueError):
            commands.put(json.loads(line))
    commands.put(None)


def _runner_is_stopped() -> bool:
    try:
        stat = Path(f"/proc/{os.getppid()}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return stat.rpartition(") ")[2].startswith(STOPPED)


def main() -> int:
    """Draw until there are no more commands."""
    placed(os.getpid(), BEHIND)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(0))  # through the finally below
    commands: queue.Queue[dict[str, Any] | None] = queue.Queue()
    threading.Thread(target=_read, args=(commands,), daemon=True).start()
    view = View(Console())
    try:
        _loop(view, commands)
    except OSError:  # the terminal is gone
        return 0
    finally:
        with contextlib.suppress(OSError):
            view.live.stop()
    return 0


def _loop(view: View, commands: queue.Queue[dict[str, Any] | None]) -> None:
    due = time.monotonic()
    while True:
        try:
            command = commands.get(timeout=max(0.0, due - time.monotonic()))
        except queue.Empty:
            due = time.monotonic() + DRAW_EVERY_S
            if _runner_is_stopped():
                view.live.stop()
            else:
                view.draw()
            continue
        if command is None:
            return
        view.told(command)


if __name__ == "__main__":
    from drills.__main__ import keep_tracebacks

    keep_tracebacks()
    sys.exit(main())
