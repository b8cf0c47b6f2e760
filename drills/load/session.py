"""The life of one session: set-up, media, renewals, what a good client does when it is lost, and its end.

Every step is an event in the journal; nothing is judged here. A session ends as planned, or because its client had
to give up. ``told`` means the drill asked it to leave its relay; that is counted apart from losing it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

import gevent

from drills.load.direct import DirectPath
from drills.load.pair import FIRST_MEDIA_S, LINGER_S, Handshake, Pair, SetupFailed, TokenUse
from drills.load.pump import End, Media, Pump
from drills.record import Journal

SILENCE_S = 2.0  # hearing nothing for this long, a good client asks with a RENEW (contract-master-relay §4.9)
WATCH_S = 0.05
RETRY_S = 0.5
RELEASES_MAX = 4  # unplanned new leases for one session before it gives up
TOLD_MAX = 3  # how often a session that is told to leave a relay tries to land elsewhere
# The direct path has no relay to ask: half a second without a packet, of 30 or 60 a second, and it is given up. Twice
# that would be a cut (DROP_SILENCE_MS in drills/measures/sessions.py).
DIRECT_SILENCE_S = 0.5
SETUP_S = 5.0  # a set-up slower than this is given up (handshake abort in operations-facts §2.2)


@dataclass
class Live:
    """The sessions of one worker and what they share."""

    pump: Pump
    journal: Journal
    worker: int
    told_to_leave: set[str] = field(default_factory=set)  # relay ids
    sessions: dict[int, Session] = field(default_factory=dict)
    setting_up: dict[int, Session] = field(default_factory=dict)
    next_index: int = 0
    on_measured: Callable[[str, float, str | None], None] = lambda name, ms, problem: None

    def new_index(self) -> int:
        """A number for a session that no other worker gives."""
        self.next_index += 1
        return self.worker * 1_000_000 + self.next_index


class Session:
    """One session of a pair, from being asked for until its end."""

    def __init__(self, live: Live, pair: Pair, kind: str, intended_ns: int) -> None:
        self.live, self.pair, self.kind = live, pair, kind
        self.index = live.new_index()
        self.intended_ns = intended_ns
        self.media: Media | None = None
        self.cause = "setup"  # why leases are taken: setup, told, silence or reject
        self.login_ms: float | None = None  # how long its login took, where it had one
        self.unserved = ""  # why the lease before was given up, while no other one has taken its place
        self.unserved_ns = 0  # since when it has none that serves it
        self.path = "relay"  # or direct
        pair.on_handshake, pair.on_renewal, pair.on_token = (
            self._write_handshake,
            self._write_renewal,
            self._write_token,
        )

    # -- set-up -----------------------------------------------------------------------------------------------------

    def set_up(self, *, log_in: bool) -> bool:
        """From login (for a visit) to the first packet each way; False where a step failed, which is written down."""
        began = time.monotonic_ns()
        self.live.setting_up[self.index] = self
        self.live.journal.write("session.asked", session=self.index, kind=self.kind, pair=self.pair.name,
                                intended_ns=self.intended_ns)  # fmt: skip
        step, reason = "", ""
        try:
            self._steps(log_in)
            late_s = (time.monotonic_ns() - self.intended_ns) / 1e9
            if late_s > SETUP_S:
                raise SetupFailed("time", f"up after {late_s:.1f} s, {SETUP_S:g} s are allowed")
        except SetupFailed as error:
            step, reason = error.step, error.reason
            self._close_media()
        finally:
            self.live.setting_up.pop(self.index, None)
        self._write_setup(began, step, reason, log_in)
        return not step

    def _write_setup(self, began: int, step: str, reason: str, log_in: bool) -> None:
        ended = time.monotonic_ns()
        lease = self.pair.lease
        self.live.journal.write(
            "session.setup", session=self.index, kind=self.kind, pair=self.pair.name, intended_ns=self.intended_ns,
            began_ns=began, ended_ns=ended, ok=not step, step=step, reason=reason, log_in=log_in,
            login_ms=self.login_ms, relay_id=lease.relay_id if lease and not step else None,
            path=self.path if not step else "",
        )  # fmt: skip
        self.live.on_measured("set-up", (ended - began) / 1e6, f"{step}: {reason}" if step else None)

    def write_unfinished(self) -> None:
        """The run ends while this set-up hangs: an attempt without an outcome must not vanish from the record."""
        self._write_setup(self.intended_ns, "unfinished", "the run ended before it came up or failed", False)

    def _steps(self, log_in: bool) -> None:
        pair, settings = self.pair, self.pair.settings
        pair.lease = None
        if log_in:
            began = time.monotonic_ns()
            pair.log_in(pair.client)
            self.login_ms = round((time.monotonic_ns() - began) / 1e6, 1)
        for end in (pair.client, pair.host):
            pair.bind(end)
        pair.signal()
        self.media = pair.open_media(self.live.pump, self.index)
        if not self._direct():
            pair.join_master()
            self._lease()
        self.live.pump.start(self.media, settings.inputs_per_s, settings.frames_per_s)
        self._first_media()

    def _direct(self) -> bool:
        """Whether the ends now reach each other without a relay; tried first where there is such a path (design §4)."""
        self.path = "relay"
        if not self.pair.settings.direct or not self.media:
            return False
        began = time.monotonic_ns()
        tried = DirectPath(self.pair, self.live.pump, self.media).tried()
        self.live.journal.write("path.tried", session=self.index, began_ns=began, ended_ns=time.monotonic_ns(),
                                ok=tried == "", reason=tried)  # fmt: skip
        if not tried:
            self.path = "direct"
        return not tried

    def _lease(self) -> None:
        assert self.media
        before, pointed_ns = self.pair.lease, 0
        try:
            pointed_ns = self.pair.take_lease(self.live.pump, self.media)
        finally:
            lease = self.pair.lease
            if lease is not None and lease is not before:
                self.live.journal.write(
                    "lease.given", session=self.index, relay_id=lease.relay_id, cause=self.cause,
                    asked_ns=lease.asked_ns, given_ns=lease.given_ns, pointed_ns=pointed_ns,
                )  # fmt: skip

    def _first_media(self) -> None:
        assert self.media
        until = time.monotonic() + FIRST_MEDIA_S
        while not self.media.heard_both_ways():
            if time.monotonic() > until:
                raise SetupFailed("media", f"no packet each way within {FIRST_MEDIA_S:g} s")
            gevent.sleep(0.005)

    def _write_handshake(self, handshake: Handshake) -> None:
        self.live.journal.write("handshake", session=self.index, cause=self.cause, **asdict(handshake))

    def _write_renewal(self, renewal: Handshake) -> None:
        self.live.journal.write("renewal", session=self.index, **asdict(renewal))

    def _write_token(self, use: TokenUse) -> None:
        self.live.journal.write("token.used", session=self.index, **asdict(use))

    # -- media ------------------------------------------------------------------------------------------------------

    def last(self, length_s: float) -> None:
        """Keep the session for its planned length, then end it."""
        self.live.sessions[self.index] = self
        planned_ns = time.monotonic_ns() + int(length_s * 1e9)
        renew_at = time.monotonic() + self.pair.settings.renew_every_s
        problem = ""
        taken = {"told": 0, "unplanned": 0}
        try:
            while (now := time.monotonic_ns()) < planned_ns and not problem:
                gevent.sleep(min(WATCH_S, (planned_ns - now) / 1e9))
                if self.path == "direct":
                    problem = self._watched_direct()
                    continue
                cause = self._still_unserved() or self._trouble(told_may_move=taken["told"] < TOLD_MAX)
                if not cause and time.monotonic() > renew_at:
                    renew_at = time.monotonic() + self.pair.settings.renew_every_s
                    cause = self._renewed()
                if cause:
                    given = self._new_lease(cause)
                    taken["told" if cause == "told" else "unplanned"] += given
                    problem = "too many new leases" if taken["unplanned"] > RELEASES_MAX else ""
        finally:
            self._end(planned=not problem, problem=problem, planned_ns=planned_ns)

    def _watched_direct(self) -> str:
        """Go on by a relay where the direct path has fallen silent; why that could not be, empty where all is well.

        It tries for as long as a set-up may take: a session that neither path serves is over.
        """
        assert self.media
        heard_ns = self._heard_both_ns()
        if time.monotonic_ns() - heard_ns < DIRECT_SILENCE_S * 1e9:
            return ""
        self.cause, began, problem = "fallback", time.monotonic_ns(), "no time was left"
        while problem and time.monotonic_ns() - began < SETUP_S * 1e9:
            try:
                self.pair.join_master()
                self._lease()
                problem = self._served_since(time.monotonic_ns())
            except SetupFailed as error:
                problem = str(error)
            if problem:
                gevent.sleep(RETRY_S)
        self.path = self.path if problem else "relay"
        self.live.journal.write("path.fell_back", session=self.index, heard_ns=heard_ns, began_ns=began,
                                served_ns=time.monotonic_ns(), ok=not problem, reason=problem)  # fmt: skip
        return problem

    def _served_since(self, since_ns: int) -> str:
        """Why an end has heard nothing since then, though it was waited for; empty where both have."""
        until = time.monotonic() + FIRST_MEDIA_S
        while self._heard_both_ns() <= since_ns:
            if time.monotonic() > until:
                return f"media: no packet each way within {FIRST_MEDIA_S:g} s"
            gevent.sleep(0.005)
        return ""

    def _heard_both_ns(self) -> int:
        assert self.media
        return min(self.media.client.last_received_ns, self.media.host.last_received_ns)

    def _trouble(self, *, told_may_move: bool) -> str:
        """Why this session needs a new lease now: told, silence or reject; empty while all is well."""
        assert self.media and self.pair.lease
        if told_may_move and self.pair.lease.relay_id in self.live.told_to_leave:
            return "told"
        now = time.monotonic_ns()
        silent = [end for end in (self.media.client, self.media.host) if now - end.last_received_ns >= SILENCE_S * 1e9]
        if not silent:  # an end that hears its peer has nothing to ask
            return ""
        heard = min(end.last_received_ns for end in silent)
        answers = {self._asked(end) for end in silent}
        self.live.journal.write("session.silent", session=self.index, silent_ms=(now - heard) / 1e6,
                                renew=sorted(answers))  # fmt: skip
        if answers == {"ack"}:  # the relay knows us; give the media one more spell of silence before leaving it
            for end in silent:
                end.last_received_ns = time.monotonic_ns()
            return ""
        return "reject" if "reject" in answers else "silence"

    def _asked(self, end: End) -> str:
        """What a relay says to an end that hears nothing; to one at a new address, after its lease was presented again.

        A NAT may have given it one, and a relay knows an end by its address (contract-master-relay §4.7, §4.9).
        """
        answer = self.pair.renew(self.live.pump, end)
        if not self.pair.stranger:
            return answer
        again = self.pair.present_again(self.live.pump, end)
        self.live.journal.write("session.presented_again", session=self.index, ok=again)
        return "ack" if again else answer

    def _still_unserved(self) -> str:
        """Why it needed the lease that it could not get; empty where it got one, or has heard something since."""
        assert self.media
        if (
            self.unserved
            and min(self.media.client.last_received_ns, self.media.host.last_received_ns) > self.unserved_ns
        ):
            self.unserved = ""  # the lease that it had given up serves it after all
        return self.unserved

    def _renewed(self) -> str:
        assert self.media
        outcome = self.pair.renew(self.live.pump, self.media.host)
        return "" if outcome == "ack" else outcome

    def _new_lease(self, cause: str) -> bool:
        """Ask for, present and use another lease; whether one was given, be it of any use or not.

        Without success a good client tries again, not at once: where the relay that it has left no longer serves it,
        it does not ask that relay again, nor the one that has just not answered a PRESENT (contract-master-relay §4.9).
        """
        self.cause = cause
        before = self.pair.lease
        left = before.relay_id if before else None
        began = time.monotonic_ns()
        problem = ""
        try:
            self.pair.join_master()
            self._lease()
        except SetupFailed as error:
            problem = str(error)
        lease = self.pair.lease
        self.live.journal.write(
            "session.released", session=self.index, cause=cause, left=left, began_ns=began,
            relay_id=lease.relay_id if lease and not problem else None, ok=not problem, reason=problem,
        )  # fmt: skip
        given = lease is not before
        self.unserved = cause if problem and cause != "told" else ""
        if problem:
            self.unserved_ns = time.monotonic_ns()
            self.pair.lease = before  # whatever its media still do, they do it by way of that one
            gevent.sleep(RETRY_S)
        return given

    def _end(self, *, planned: bool, problem: str, planned_ns: int) -> None:
        assert self.media
        self.media.flowing = False
        stopped = time.monotonic_ns()
        self.live.sessions.pop(self.index, None)
        gevent.sleep(LINGER_S + self.pair.settings.path_s)
        self.live.journal.write(
            "session.ended", session=self.index, kind=self.kind, planned=planned, reason=problem,
            planned_ns=planned_ns, stopped_ns=stopped, sent_inputs=self.media.client.sequence,
            sent_frames=self.media.host.sequence,
        )  # fmt: skip
        self._close_media()

    def _close_media(self) -> None:
        if self.media:
            self.media.flowing = False
            self.live.pump.remove(self.media.client)
            self.live.pump.remove(self.media.host)
            self.media = None
        self.pair.leave_master()
