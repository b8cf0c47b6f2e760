"""For all tests: Ctrl-C means what it means, also where whoever started pytest had it ignored (a job in background)."""

from __future__ import annotations

import signal

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
