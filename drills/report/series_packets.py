"""The packets' part of a run's series: latency, losses, silences and the generator's lateness, second by second.

Everything is one pass of numpy over all samples: a run has millions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drills.measures.media import presented
from drills.measures.packets import FRAME, INPUT, Packets, order_of

if TYPE_CHECKING:
    from drills.report.series import Axis

SILENCES_MS = (50, 100, 250, 1000)
UNSEEN_MS = 1000.0  # an input that no frame showed counts as one second, as in drills/measures/media.py
_RANGE = 10**10  # µs; no value comes near these three hours
QUANTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}


def packet_series(packets: Packets, axis: Axis) -> dict[str, list[Any]]:
    """Per second, by when a packet was due:

    ``present_ms_p50``, ``_p95``, ``_p99``, ``inputs_presented`` (how many inputs these rest on); ``packets_due``,
    ``packets_skipped`` (we were too late to send them), ``packets_lost``; ``silence_ms_max`` and
    ``silences_over_N_ms``, each silence in the second in which it began; ``lateness_ms_p99`` of our generator;
    ``rtt_ms_p50`` (the median way of an input and that of a frame together: how long a host thinks is not in it) and
    ``jitter_ms`` (how much the way of a packet differs from that of the one before it in its flow, on average: RFC 3550
    section 6.4.1 without its smoothing).
    """
    inside = (packets.intended_ns >= axis.from_ns) & (packets.intended_ns <= axis.to_ns)
    packets = packets.where(inside)
    return {
        **_presented(packets, axis), **_losses(packets, axis), **_silences(packets, axis), **_ways(packets, axis),
    }  # fmt: skip


def _second(ns: Any, axis: Axis) -> Any:
    return (ns - axis.from_ns) // 1_000_000_000


def _counts(seconds: Any, axis: Axis) -> list[int]:
    import numpy

    counted: list[int] = numpy.bincount(seconds, minlength=axis.seconds)[: axis.seconds].tolist()
    return counted


def _quantiles(seconds: Any, ms: Any, quantiles: list[float], axis: Axis) -> list[list[float | None]]:
    """For each quantile a list over the seconds, the next higher of the values as the verdict takes it."""
    import numpy

    # one sort of whole microseconds, each second's in a range of its own: several times faster than sorting by two keys
    microseconds = numpy.clip(numpy.rint(ms * 1000), 0, _RANGE - 1).astype(numpy.int64)
    ordered = numpy.sort(seconds * _RANGE + microseconds) % _RANGE
    counts = numpy.bincount(seconds, minlength=axis.seconds)[: axis.seconds]
    starts = numpy.cumsum(counts) - counts
    rows = []
    for quantile in quantiles:
        index = starts + numpy.ceil((counts - 1) * quantile - 1e-9).astype(numpy.int64)
        rows.append([int(ordered[i]) / 1000 if count else None for i, count in zip(index, counts, strict=True)])
    return rows


def _presented(packets: Packets, axis: Axis) -> dict[str, list[Any]]:
    import numpy

    due_ns, ms = presented(packets, axis.span)
    seconds = _second(due_ns, axis)
    ms = numpy.where(numpy.isinf(ms), UNSEEN_MS, ms)
    rows = _quantiles(seconds, ms, list(QUANTILES.values()), axis)
    named = {f"present_ms_{name}": row for name, row in zip(QUANTILES, rows, strict=True)}
    return {**named, "inputs_presented": _counts(seconds, axis)}


def _losses(packets: Packets, axis: Axis) -> dict[str, list[Any]]:
    seconds = _second(packets.intended_ns, axis)
    sent = packets.sent_ns > 0
    lost = sent & (packets.received_ns == 0)
    late_ms = (packets.sent_ns[sent] - packets.intended_ns[sent]) / 1e6
    return {
        "packets_due": _counts(seconds, axis),
        "packets_skipped": _counts(seconds[~sent], axis),
        "packets_lost": _counts(seconds[lost], axis),
        "lateness_ms_p99": _quantiles(seconds[sent], late_ms, [0.99], axis)[0],
    }


def _ways(packets: Packets, axis: Axis) -> dict[str, list[Any]]:
    """How long packets were on their way, there and back, and how unevenly."""
    arrived = packets.where(packets.received_ns > 0)
    seconds, ms = _second(arrived.intended_ns, axis), (arrived.received_ns - arrived.sent_ns) / 1e6
    there, back = (
        _quantiles(seconds[mine], ms[mine], [0.5], axis)[0]
        for mine in (arrived.direction == way for way in (INPUT, FRAME))
    )
    rtt = [round(one + other, 3) if one is not None and other is not None else None
           for one, other in zip(there, back, strict=True)]  # fmt: skip
    return {"rtt_ms_p50": rtt, "jitter_ms": _jitter(arrived, seconds, ms, axis)}


def _jitter(arrived: Packets, seconds: Any, ms: Any, axis: Axis) -> list[float | None]:
    import numpy

    _, flow = arrived.flows()
    order = order_of(flow, arrived.sequence.astype(numpy.int64))
    follows = numpy.diff(flow[order]) == 0
    differs = numpy.abs(numpy.diff(ms[order]))[follows]
    at = seconds[order][1:][follows]
    counts = numpy.bincount(at, minlength=axis.seconds)[: axis.seconds]
    sums = numpy.bincount(at, weights=differs, minlength=axis.seconds)[: axis.seconds]
    return [round(float(total / count), 3) if count else None for total, count in zip(sums, counts, strict=True)]


def _silences(packets: Packets, axis: Axis) -> dict[str, list[Any]]:
    """Every stretch without an arrival in one direction of one session, between its first and its last send."""
    import numpy

    began_ns, ms = _stretches(packets.where(packets.sent_ns > 0))
    inside = (began_ns >= axis.from_ns) & (began_ns <= axis.to_ns)
    seconds, ms = _second(began_ns[inside], axis), ms[inside]
    longest = numpy.full(axis.seconds, -1.0)
    numpy.maximum.at(longest, seconds, ms)
    found: dict[str, list[Any]] = {"silence_ms_max": [round(float(x), 3) if x >= 0 else None for x in longest]}
    for limit in SILENCES_MS:
        found[f"silences_over_{limit}_ms"] = _counts(seconds[ms > limit], axis)
    return found


def _stretches(sent: Packets) -> tuple[Any, Any]:
    """(when it began in ns, how long it was in ms) of each stretch, as drills/measures/media.py cuts them."""
    import numpy

    if len(sent) == 0:
        return numpy.zeros(0, dtype=numpy.int64), numpy.zeros(0)
    _, flow = numpy.unique(sent.session.astype(numpy.int64) * 2 + sent.direction, return_inverse=True)
    flows = int(flow.max()) + 1
    first = numpy.full(flows, numpy.iinfo(numpy.int64).max)
    last = numpy.zeros(flows, dtype=numpy.int64)
    numpy.minimum.at(first, flow, sent.sent_ns)
    numpy.maximum.at(last, flow, numpy.maximum(sent.sent_ns, sent.received_ns))
    arrived = sent.received_ns > 0
    flow_of = numpy.concatenate((flow[arrived], numpy.arange(flows), numpy.arange(flows)))
    moments = numpy.concatenate((sent.received_ns[arrived], first, last))
    order = numpy.lexsort((moments, flow_of))
    flow_of, moments = flow_of[order], moments[order]
    same = flow_of[1:] == flow_of[:-1]
    return moments[:-1][same], (numpy.diff(moments) / 1e6)[same]
