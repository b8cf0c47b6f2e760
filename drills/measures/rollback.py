"""What became of an upgrade that was rolled back: was the candidate worse, how long did it take, is all as before.

Nothing here knows a limit of the scenario but the candidate's thresholds, which stand in the record: written before the
run, by the order of its own events, or they count for nothing.
"""

from __future__ import annotations

from typing import Any

from drills.measures.candidate import (
    P95,
    Seen,
    Thresholds,
    Upgraded,
    logins_since_ns,
    past,
    past_beyond_luck,
    past_had_it_been_slower,
    past_names,
    quantile,
    since_ns,
    too_few,
)
from drills.measures.evidence import Evidence
from drills.objectives import Claim
from drills.record import Event, Record, Span

STOP_NS = 50_000_000  # our worker does something for up to so long now and then; more is a stop
SESSIONS_A_WORKER = 1_000_000  # the numbers of a worker's sessions (drills/load/session.py)


def _receipts(record: Record) -> list[Event]:
    """The receipts of upgrades, in the order in which they were rolled back."""
    return [event for event in record.named("fault.receipt") if event["fault"] == "upgrade"]


def _upgraded(record: Record) -> list[Upgraded]:
    """The candidates that were seen to run."""
    found = [event for event in record.named("fault.injected") if event["fault"] == "upgrade" and event["landed"]]
    return [Upgraded(event["kind"], event.ns, event.get("candidate_relay_id") or "") for event in found]


def _decided_ns(record: Record) -> int | None:
    """When the candidate was judged, or the first rollback began."""
    moments = [event.ns for event in record.named("candidate.judged")]
    moments += [event["mending_ns"] for event in _receipts(record) if event["mending_ns"]]
    return min(moments, default=None)


# -- the candidate ---------------------------------------------------------------------------------------------------


def thresholds_crossed(record: Record, span: Span, claim: Claim) -> Evidence:
    """How many of the thresholds a candidate crossed beyond luck, from its upgrade until it was judged.

    Set-ups are those of visits that were due meanwhile, logins those of visits due once all of it was upgraded,
    handshakes those at relays that ran the candidate.
    """
    limits, order = _thresholds(record)
    if limits is None:
        return Evidence(0, None, missing=order)
    upgraded, until_ns = _upgraded(record), _decided_ns(record)
    if not upgraded or until_ns is None:
        return Evidence(0, None, missing="no upgrade was seen to land, or the candidate was never judged")
    tried = Span(since_ns(upgraded), until_ns)
    seen = _seen(record, upgraded, tried)
    crossed = past_beyond_luck(seen, limits)
    figures = ", ".join(f"{name} {value:.3g}" for name, value in seen.figures().items() if value is not None)
    words = f"{figures}; {order}"

    def forgiving(ms: float) -> float:
        return float(len(past_beyond_luck(seen, limits, ms)))

    def hiding_some(ms: float, share: float, more: int) -> float:
        """All of the window's stops may have been in the part of it in which the candidate was tried."""
        unseen = min(1.0, share * (span.to_ns - span.from_ns) / max(1, tried.to_ns - tried.from_ns))
        return float(len(past_had_it_been_slower(seen, limits, ms, unseen, more)))

    if crossed and (before := _crossed_before(record, limits, crossed)):
        return Evidence(
            seen.setups, None, missing=f"{before} before the upgrade, too: that is not the candidate's doing"
        )
    if crossed:
        says = f"{' and '.join(crossed)} past its threshold; {words}"
        return Evidence(seen.setups, float(len(crossed)), hits=len(crossed), says=says, forgiving=forgiving)
    if unsure := past(seen, limits):
        return Evidence(seen.setups, None, missing=f"{'; '.join(unsure)}, which may be luck")
    if few := too_few(seen, limits):
        return Evidence(seen.setups, None, missing=few)
    return Evidence(seen.setups, 0.0, hits=0, says=words, hiding_some=hiding_some)


def _thresholds(record: Record) -> tuple[Thresholds | None, str]:
    """The thresholds, and the proof that they were there first; without it none, and why."""
    written = record.named("thresholds.written")
    if len(written) != 1:
        return None, f"the record has {len(written)} sets of thresholds, expected one"
    limits = Thresholds.of(written[0].fields)
    asked = [event["asked_ns"] for event in record.named("fault.injected", "fault.receipt")
             if event["fault"] == "upgrade"]  # fmt: skip
    if not asked:
        return None, "no upgrade was made"
    if written[0].ns >= min(asked):
        return None, "the thresholds were written after the upgrade had begun"
    judged = record.named("candidate.judged")
    if {event["digest"] for event in [*written, *judged]} != {limits.digest}:
        return None, "the candidate was judged by other thresholds than those written before the run"
    before_s = (min(asked) - written[0].ns) / 1e9
    return limits, f"thresholds {limits.digest} were written {before_s:.1f} s before the upgrade"


def _crossed_before(record: Record, limits: Thresholds, crossed: list[str]) -> str:
    """Which of these thresholds the known-good release did not keep to either, in calm; empty where it did."""
    calm = record.windows.get("calm")
    if calm is None:
        return "nobody knows what the figures were"
    visits = [event for event in record.named("session.setup")
              if event["kind"] == "visit" and event["intended_ns"] in calm]  # fmt: skip
    handshakes = [event for event in record.named("handshake") if event["sent_ns"] in calm]
    also = past_names(_counted(visits, handshakes), limits)
    return " and ".join(f"{name} was past its threshold" for name in crossed if name in also)


def _seen(record: Record, upgraded: list[Upgraded], span: Span) -> Seen:
    relay_ids = {one.relay_id for one in upgraded if one.relay_id}
    visits = [event for event in record.named("session.setup")
              if event["kind"] == "visit" and event["intended_ns"] in span]  # fmt: skip
    handshakes = [event for event in record.named("handshake")
                  if event.get("relay_id") in relay_ids and event["sent_ns"] < span.to_ns]  # fmt: skip
    return _counted(visits, handshakes, logins_since_ns(upgraded))


def _counted(visits: list[Event], handshakes: list[Event], logins_from_ns: int = 0) -> Seen:
    logins = [float(event["login_ms"]) for event in visits
              if event.get("login_ms") is not None and event["intended_ns"] >= logins_from_ns]  # fmt: skip
    return Seen(
        len(visits), sum(event["ok"] for event in visits), len(handshakes),
        sum(event["outcome"] != "ack" for event in handshakes), tuple(logins),
    )  # fmt: skip


# -- the rollback ----------------------------------------------------------------------------------------------------


def seconds_to_roll_back(record: Record, span: Span, claim: Claim) -> Evidence:
    """From the decision until every release is written down, the accounts have logged in, and a session came up."""
    began_ns = _decided_ns(record)
    running = record.named("releases.running")
    if began_ns is None or not running:
        stopped = next(
            (event["reason"] for event in record.named("story.stopped")), "nobody looked what ran afterwards"
        )
        return Evidence(0, None, missing="no upgrade was rolled back" if began_ns is None else stopped)
    proven_ns = max(event.ns for event in [running[-1], *record.named("drill_account.logged_in")])
    words = "; ".join(f"{event['subject']}: {_parts(event)}" for event in _receipts(record))
    came_up = [
        event for event in record.named("session.setup") if event["ok"] and event["intended_ns"] > running[-1].ns
    ]
    if not came_up:
        end_ns = record.events[-1].ns
        return Evidence(1, (end_ns - began_ns) / 1e9, says=f"no session came up any more; {words}", past=True)
    end_ns = max(proven_ns, min(event["ended_ns"] for event in came_up))
    return Evidence(1, (end_ns - began_ns) / 1e9, says=words)


def _parts(receipt: Event) -> str:
    """The stopwatch of one service: each part of its way back, in s."""
    parts: dict[str, Any] = {**(receipt.get("seconds_back") or {}), **(receipt.get("seconds_restored") or {})}
    parts["ready_s"] = receipt.get("ready_s")
    return ", ".join(f"{name.removesuffix('_s').replace('_', ' ')} {value:.1f} s"
                     for name, value in parts.items() if value is not None)  # fmt: skip


def services_left_behind(record: Record, span: Span, claim: Claim) -> Evidence:
    """Services that after the rollback ran something else than before the upgrade, by what really ran."""
    running = record.named("releases.running")
    known_good = {event["service"]: event["version"] for event in record.named("service.ready") if event.get("version")}
    if not running or not _receipts(record):
        return Evidence(0, None, missing="nothing was rolled back, or nobody looked what ran afterwards")
    now = running[-1]["versions"]
    if unknown := sorted(now.keys() - known_good.keys()):
        return Evidence(len(now), None, missing=f"nobody wrote down what {', '.join(unknown)} ran before")
    if unread := sorted(name for name, version in now.items() if version.startswith("unknown")):
        return Evidence(len(now), None, missing=f"it could not be read what {', '.join(unread)} runs")
    other = {name: version for name, version in now.items() if version != known_good[name]}
    says = "; ".join(f"{name} runs {version}, not {known_good[name]}" for name, version in other.items())
    return Evidence(len(now), float(len(other)), hits=len(other), says=says or "all as before the upgrade")


def restores(record: Record, span: Span, claim: Claim) -> Evidence:
    """How often the known-good release refused the data that the candidate had left, so that a copy was put back."""
    mended = [event for event in _receipts(record) if event["landed"] and event["mended"]]
    restored = [event for event in _receipts(record) if event.get("restored")]
    if not mended and not restored:
        return Evidence(0, None, missing="no service was seen to be upgraded and rolled back")
    says = "; ".join(f"{event['subject']}: {event.get('refused', '')}" for event in restored)
    return Evidence(max(len(mended), len(restored)), float(len(restored)), hits=len(restored), says=says)


def accounts_lost(record: Record, span: Span, claim: Claim) -> Evidence:
    """Accounts that the rolled-back gateway does not let in: of one made before the upgrade and one made during it."""
    upgrades = [event for event in _receipts(record) if event["kind"] == "gateway" and event["landed"]]
    if not upgrades:
        return Evidence(0, None, missing="no gateway was upgraded and rolled back")
    upgrade = upgrades[-1]
    made = {event["account"]: event for event in record.named("drill_account.made") if event["ok"]}
    tried = [event for event in record.named("drill_account.logged_in") if event["asked_ns"] >= upgrade["to_ns"]]
    before = {name for name, event in made.items() if event.ns < upgrade["asked_ns"]}
    during = {name for name, event in made.items() if upgrade["from_ns"] <= event["asked_ns"] < upgrade["mending_ns"]}
    answered = {event["account"]: event for event in tried if event["outcome"] in ("ok", "refused")}
    lost = {
        name: event for name, event in answered.items() if event["outcome"] == "refused" and name in before | during
    }
    if lost:
        says = "; ".join(f"made {'before' if name in before else 'during'} the upgrade: {event['reason']}"
                         for name, event in lost.items())  # fmt: skip
        return Evidence(len(answered), float(len(lost)), hits=len(lost), says=says)
    for when, names in (("before", before), ("during", during)):
        if not names & answered.keys():
            return Evidence(len(answered), None, missing=f"no account made {when} the upgrade was tried and answered")
    return Evidence(len(answered), 0.0, hits=0, says="made before the upgrade and during it: all log in")


def beyond_the_band(record: Record, span: Span, claim: Claim) -> Evidence:
    """How much longer each visit's set-up took than the p95 of calm; 0 for all that took no longer.

    What our own worker stood still in calm is taken off there: a band that it has widened would hold anybody.
    """
    import numpy

    calm = record.windows.get("calm")
    before = _setup_ms(record, calm, STOP_NS) if calm else []
    band_ms = quantile(tuple(before), P95)
    after = _setup_ms(record, span)
    if band_ms is None or len(before) < len(after) / 2:
        return Evidence(len(after), None, missing=f"only {len(before)} set-ups before the upgrade to compare with")
    values = numpy.maximum(numpy.array(after) - band_ms, 0.0)
    figure = float(numpy.quantile(values, claim.quantile or 0.5, method="higher")) if after else None
    now_ms = quantile(tuple(after), P95)
    says = f"p95 of a set-up {band_ms:.0f} ms before the upgrade, {now_ms:.0f} ms after the rollback" if after else ""
    return Evidence(len(after), figure, values=values, says=says)


def _setup_ms(record: Record, span: Span, less_stops_ns: int = 0) -> list[float]:
    """How long set-ups of visits took that were due in a window and came up; the others are failures, not slow ones.

    With ``less_stops_ns`` without what their worker stood still meanwhile, for at least so long at a time.
    """
    stops = [gap for gap in record.named("generator.gap") if 0 < less_stops_ns <= gap["to_ns"] - gap["from_ns"]]
    return [(event["ended_ns"] - event["intended_ns"] - _stood_ns(event, stops)) / 1e6
            for event in record.named("session.setup")
            if event["kind"] == "visit" and event["ok"] and event["intended_ns"] in span]  # fmt: skip


def _stood_ns(setup: Event, stops: list[Event]) -> int:
    mine = [gap for gap in stops if gap["worker"] == setup["session"] // SESSIONS_A_WORKER]
    return sum(max(0, min(gap["to_ns"], setup["ended_ns"]) - max(gap["from_ns"], setup["intended_ns"]))
               for gap in mine)  # fmt: skip
