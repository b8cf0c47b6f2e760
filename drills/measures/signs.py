"""What the control plane shows of itself that it did not show in calm: signs, each with the time from and to which.

The eyes are those of an operator (drills/probes/watch.py): the gateway's counters, the relays' /health, the master's
pages and its list of relays, WARN and ERROR lines. A sign is

- ``ready``: a relay or the master says that it is not ready, a relay that it is not registered, or fewer relays are
  assignable than ever in calm
- ``state``: the master lists a running relay in a state that it did not have in calm, or not at all, or has not heard
  of it for more than three heartbeats
- ``counter``: a counter of errors grew, between two looks, by more than twice the most it grew by in calm, and by three
- ``restart``: a counter or an uptime fell, or a relay has another id
- ``log``: a WARN or ERROR line, or another that the watchers anchor on and that is no good news, unlike any in calm
- ``unreachable``: somebody who asks from outside is refused, cut off, or told of an error
- ``no answer``: somebody who asks from outside is left waiting; nothing and nobody says anything

What is so in calm too, in one look of twenty or more, is no sign, except not being there at all.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from drills.record import Event, Record, Span

UNREACHABLE, NO_ANSWER = "unreachable", "no answer"
STALE_BEATS = 3
NORMAL_SHARE = 0.05
GROWS_BY, GROWS_TIMES = 3, 2.0
BLIND_NS = 5_000_000_000  # over a longer time without a look nothing is said of how fast a counter grew
LISTED = frozenset({"Active", "New"})  # a relay is New for a moment whenever it has registered (observed.md)
# what a relay counts while all is well; all its other counters are of something refused, dropped or not understood
TRAFFIC = frozenset({
    "packets_rx", "bytes_rx", "packets_forwarded", "bytes_forwarded", "lease_present_packets", "lease_renew_packets",
    "cleanup_expired_sessions", "cleanup_idle_sessions",
})  # fmt: skip
AUTH_ERRORS = ("rate_limited", "validation_errors", "auth_failures", "db_errors")
_BAD_NEWS = re.compile(r"\b(WARN|ERROR)\b|Admin updated relay|Sybil check failed|rejected|failed")
_PARTICULARS = re.compile(r"\S*\d\S*|'[^']*'")  # times, ids, addresses, numbers, names


@dataclass(frozen=True)
class Sign:
    """Something that differs from calm; ``to_ns`` is 0 where it was not seen to go."""

    kind: str
    where: str  # the service whose page or log it is on
    says: str
    from_ns: int
    to_ns: int


@dataclass(frozen=True)
class _Look:
    """What one look at one place showed: the words of each sign, by kind and key."""

    ns: int
    shows: dict[tuple[str, str], str]


@dataclass(frozen=True)
class Seen:
    """All signs of a record by when they began, and when somebody looked at each place."""

    signs: tuple[Sign, ...]
    looks: dict[str, tuple[int, ...]]

    def blind(self, span: Span) -> list[str]:
        """The places that nobody looked at in a stretch of time."""
        return [place for place, moments in self.looks.items() if not any(ns in span for ns in moments)]


def seen(record: Record) -> Seen:
    """Every sign in a record."""
    calm = record.windows.get("calm", Span(0, 0))
    places = dict(_places(record, calm))
    signs = [sign for place, looks in places.items() for sign in _stretches(place, looks, calm)]
    signs += _log_signs(record, calm)
    looked = {place: tuple(look.ns for look in looks) for place, looks in places.items()}
    return Seen(tuple(sorted(signs, key=lambda sign: sign.from_ns)), looked)


def _places(record: Record, calm: Span) -> Iterator[tuple[str, list[_Look]]]:
    """The looks at each place, in their order; the name up to a blank is the service."""
    yield "gateway", _counting(record.named("gateway.health", "gateway.unreachable"), calm, _gateway, _auth_counters)
    services = dict.fromkeys(str(event["service"]) for event in record.named("relay.known"))
    for service in services:
        mine = [event for event in record.named("relay.health", "relay.unreachable") if event["service"] == service]
        yield service, _counting(mine, calm, _relay, _relay_counters)
    yield "master list", _list_looks(record, [*services])
    yield "master page", _page_looks(record, calm)


# -- one place --------------------------------------------------------------------------------------------------------


def _stretches(place: str, looks: list[_Look], calm: Span) -> Iterator[Sign]:
    """From the first look that shows a sign to the first that does not."""
    in_calm = [look for look in looks if look.ns in calm]
    often = Counter(key for look in in_calm for key in look.shows)
    least = max(1.0, NORMAL_SHARE * len(in_calm))
    normal = {key for key, count in often.items() if count >= least and key[0] not in (UNREACHABLE, NO_ANSWER)}
    where = place.partition(" ")[0]
    since: dict[tuple[str, str], tuple[int, str]] = {}
    for look in looks:
        for key in [key for key in since if key not in look.shows]:
            from_ns, says = since.pop(key)
            yield Sign(key[0], where, says, from_ns, look.ns)
        for key, says in look.shows.items():
            if key not in normal:
                since.setdefault(key, (look.ns, says))
    for key, (from_ns, says) in since.items():
        yield Sign(key[0], where, says, from_ns, 0)


def _unanswered(event: Event) -> dict[tuple[str, str], str]:
    """What a watcher met that had no answer; time-outs say so in drills/wavry/http_client.py."""
    reason = str(event.get("reason", ""))
    kind = NO_ANSWER if "no answer" in reason else UNREACHABLE
    return {(kind, ""): reason.rpartition(": ")[2] or "no answer"}


def _gateway(event: Event) -> dict[tuple[str, str], str]:
    return {}


def _auth_counters(event: Event) -> dict[str, int]:
    return {name: int(count) for name, count in event.get("auth", {}).items()}


def _relay(event: Event) -> dict[tuple[str, str], str]:
    shows = {}
    if not event.get("ready", True):
        shows["ready", "ready"] = "not ready"
    if not event.get("registered_with_master", True):
        shows["ready", "registered"] = "not registered with the master"
    return shows


def _relay_counters(event: Event) -> dict[str, int]:
    return {name: int(count) for name, count in event.get("counters", {}).items()}


def _counting(events: list[Event], calm: Span, flags: object, counters: object) -> list[_Look]:
    """Looks at a page with flags and counters: which flags are bad, which counters of errors grew too fast."""
    assert callable(flags) and callable(counters)
    grown = list(_growths(events, counters))
    usual: Counter[str] = Counter()
    for event, growth, _ in grown:
        if event.ns in calm:
            for name, more in growth.items():
                usual[name] = max(usual[name], more)
    looks = []
    for event, growth, restarted in grown:
        shows: dict[tuple[str, str], str] = _unanswered(event) if event.name.endswith("unreachable") else flags(event)
        if restarted:
            shows["restart", ""] = "started anew"
        for name, more in growth.items():
            counted = name in AUTH_ERRORS if event.name.startswith("gateway") else name not in TRAFFIC
            if counted and more >= GROWS_BY and more > GROWS_TIMES * usual[name]:
                shows["counter", name] = f"{name} grew by {more} at once, by {usual[name]} at most in calm"
        looks.append(_Look(event.ns, shows))
    return looks


def _growths(events: list[Event], counters: object) -> Iterator[tuple[Event, dict[str, int], bool]]:
    """Each look with how much every counter grew since the one before it, and whether its process is a new one."""
    assert callable(counters)
    before: Event | None = None
    for event in events:
        if event.name.endswith("unreachable"):
            yield event, {}, False
            continue
        now, then = counters(event), counters(before) if before else {}
        restarted = before is not None and (
            event.get("relay_id") != before.get("relay_id") or any(now.get(name, 0) < then[name] for name in then)
        )
        known = before is not None and not restarted and event.ns - before.ns < BLIND_NS
        yield event, {name: count - then.get(name, 0) for name, count in now.items()} if known else {}, restarted
        before = event


# -- the master -------------------------------------------------------------------------------------------------------


def _list_looks(record: Record, services: list[str]) -> list[_Look]:
    """What the master's list says of the relays that run; an id whose relay was restarted speaks for nobody."""
    stale_ms = STALE_BEATS * float(record.provenance["heartbeat_s"]) * 1000
    now: dict[str, str] = {}
    looks = []
    for event in record.named("relay.known", "relay.health", "relays.seen", "master.unreachable"):
        if event.name in ("relay.known", "relay.health"):
            now[str(event["service"])] = str(event["relay_id"])
        elif event.name == "master.unreachable":
            looks.append(_Look(event.ns, _unanswered(event)))
        else:
            listed = {str(relay["relay_id"]): relay for relay in event["relays"]}
            shows: dict[tuple[str, str], str] = {}
            for service in services:
                shows |= _listed(service, listed.get(now.get(service, "")), stale_ms)
            looks.append(_Look(event.ns, shows))
    return looks


def _listed(service: str, relay: dict[str, object] | None, stale_ms: float) -> dict[tuple[str, str], str]:
    if relay is None:
        return {("state", f"{service} absent"): f"{service} is not listed"}
    shows = {}
    state, age_ms = str(relay["state"]), float(str(relay.get("age_ms", 0.0)))
    if state not in LISTED:
        shows["state", f"{service} {state}"] = f"{service} is {state}"
    if age_ms > stale_ms:
        shows["state", f"{service} stale"] = f"{service} was last heard {age_ms / 1000:.1f} s ago"
    return shows


def _page_looks(record: Record, calm: Span) -> list[_Look]:
    """The master's /health and /ready."""
    events = record.named("master.seen", "master.silent")
    fewest = min((event["relays_assignable"] for event in events if event.name != "master.silent" and event.ns in calm),
                 default=0)  # fmt: skip
    looks, uptime_s = [], 0.0
    for event in events:
        if event.name == "master.silent":
            looks.append(_Look(event.ns, _unanswered(event)))
            continue
        shows: dict[tuple[str, str], str] = {}
        if not event["ready"]:
            shows["ready", "ready"] = "not ready"
        if event["relays_assignable"] < fewest:
            shows["ready", "assignable"] = f"{event['relays_assignable']} relays assignable, {fewest} in calm"
        if float(event["uptime_s"]) < uptime_s:
            shows["restart", ""] = "started anew"
        uptime_s = float(event["uptime_s"])
        looks.append(_Look(event.ns, shows))
    return looks


# -- logs -------------------------------------------------------------------------------------------------------------


def _log_signs(record: Record, calm: Span) -> Iterator[Sign]:
    lines = [event for event in record.named("log") if _BAD_NEWS.search(str(event["line"]))]
    usual = {(event["service"], _form(event)) for event in lines if event.ns in calm}
    for event in lines:
        if (event["service"], _form(event)) not in usual:
            yield Sign("log", str(event["service"]), _words(event), event.ns, event.ns)


def _words(event: Event) -> str:
    """A line without its time stamp: from its level on."""
    line = str(event["line"])
    level = re.search(r"\b(TRACE|DEBUG|INFO|WARN|ERROR)\b", line)
    return line[level.start() :][:160] if level else line[:160]


def _form(event: Event) -> str:
    """A line without what differs from time to time."""
    return _PARTICULARS.sub("#", _words(event))
