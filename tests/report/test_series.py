"""Claims about series.json: what it says of a run that went through, and of one that did not."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy
import pytest
from made_record import SECOND, MadeRecord, drained, ns

from drills.measures.media import presented_ms, silences_by_session
from drills.measures.packets import Packets
from drills.report.files import SeriesFile
from drills.report.series import Axis, series_of, write_series
from drills.report.series_packets import packet_series


@pytest.fixture
def series(tmp_path: Path) -> dict[str, Any]:
    return json.loads(write_series(drained(tmp_path / "run").record(), tmp_path / "run").read_text())  # type: ignore[no-any-return]


def test_a_series_is_what_the_report_reads(series: dict[str, Any]) -> None:
    read = SeriesFile.model_validate(series)
    assert (read.seconds, read.started_at, read.claim) == (10, "2026-11-03T14:00:00.000Z", "A relay can be drained.")


def test_nothing_unfinished_is_left_beside_it(tmp_path: Path) -> None:
    write_series(drained(tmp_path / "run").record(), tmp_path / "run")
    assert not list((tmp_path / "run").glob("*.unfinished"))


def test_windows_have_their_spans(series: dict[str, Any]) -> None:
    assert series["windows"]["fault"] == {"from_s": 3.0, "to_s": 7.0, "closed": True}


def test_latency_is_that_of_the_inputs_due_in_the_second(series: dict[str, Any]) -> None:
    """An input due at x is shown by the frame due 5 ms later that arrives after 1 ms."""
    rows = series["per_second"]
    assert rows["present_ms_p50"][1] == pytest.approx(6.0)
    assert rows["present_ms_p50"][0] is None
    assert rows["inputs_presented"][1] == 50


def test_latency_of_the_whole_run_agrees_with_the_verdicts_measure(tmp_path: Path) -> None:
    record = drained(tmp_path / "run").record()
    per_second = series_of(record)["per_second"]
    span = record.windows["fault"]
    fault = numpy.sort(presented_ms(record.packets, span))
    assert max(per_second["present_ms_p99"][3:7]) <= fault[-1] + 0.001
    assert sum(per_second["inputs_presented"][3:7]) == len(fault)


def test_losses_stand_in_the_second_in_which_they_were_due(series: dict[str, Any]) -> None:
    rows = series["per_second"]
    assert rows["packets_due"][1:9] == [100] * 8
    assert rows["packets_lost"][2] == 1
    assert rows["packets_lost"][4] == 15
    assert sum(rows["packets_lost"]) == 16


def test_a_silence_stands_in_the_second_in_which_it_began(tmp_path: Path) -> None:
    record = drained(tmp_path / "run").record()
    rows = series_of(record)["per_second"]
    assert rows["silence_ms_max"][3] == pytest.approx(320.0)
    assert [rows[f"silences_over_{limit}_ms"][3] for limit in (50, 100, 250, 1000)] == [1, 1, 1, 0]
    longest = silences_by_session(record, Axis.of(record.events).span)
    assert max(x for x in rows["silence_ms_max"] if x) == pytest.approx(longest[1])


def test_live_sessions_are_counted_once_however_often_they_end(series: dict[str, Any]) -> None:
    assert series["per_second"]["sessions_live"] == [1] * 9 + [0]


def test_setups_and_handshakes_are_counted_by_when_they_were_asked_for(series: dict[str, Any]) -> None:
    rows = series["per_second"]
    assert (rows["setups_ok"][0], rows["setups_failed"][2]) == (1, 1)
    assert (rows["handshakes_ok"][1], rows["handshakes_failed"][4]) == (1, 1)


def test_relay_states_are_as_the_master_lists_them(series: dict[str, Any]) -> None:
    assert series["per_second"]["relay_states"]["Draining"] == [0, 0, 0, 1, 1, 1, 1, 0, 0, 0]
    assert [(row["relay"], row["relay_id"], row["state"]) for row in series["relays"]] == [
        ("relay_a", "a1", "Active"), ("relay_b", "b1", "Active"), ("relay_a", "a1", "Draining"),
        ("relay_a", "a2", "Active"),
    ]  # fmt: skip


def test_a_counter_that_fell_belongs_to_a_new_process(series: dict[str, Any]) -> None:
    assert series["per_second"]["gateway_auth"] == {"login_success": [0, 3, 3, 3, 3, 5, 1, 1, 1, 1]}


def test_the_generators_stand_still_is_seen_where_it_began(series: dict[str, Any]) -> None:
    assert series["per_second"]["generator_gap_ms_max"][4] == pytest.approx(30.0)


def test_a_fault_has_what_was_asked_and_measured(series: dict[str, Any]) -> None:
    (fault,) = series["faults"]
    assert (fault["from_s"], fault["to_s"], fault["mended"], fault["measured_off"]) == (3.1, 6.5, True, "gone")


def test_a_fault_without_a_receipt_was_not_seen_to_be_mended(tmp_path: Path) -> None:
    made = MadeRecord(tmp_path / "run")
    made.event(0, "run.started")
    made.event(1, "fault.injected", fault="drain", subject="relay_a", asked="x", landed=True, measured_on="on",
               mended=False, measured_off="nothing was measured", asked_ns=ns(0.9), from_ns=ns(1), to_ns=0)  # fmt: skip
    (fault,) = series_of(made.record())["faults"]
    assert (fault["to_s"], fault["mended"]) == (None, False)


def test_an_interrupted_run_has_a_series_of_the_same_shape(tmp_path: Path) -> None:
    made = MadeRecord(tmp_path / "run")
    made.event(0, "run.started")
    made.event(1, "window.opened", window="calm")
    made.event(2.5, "run.interrupted", signal="SIGINT")
    read = SeriesFile.model_validate(series_of(made.record()))
    assert read.seconds == 3
    assert not read.windows["calm"].closed
    assert read.row("present_ms_p95") == [None, None, None]
    assert [event.text for event in read.events] == ["interrupted by SIGINT"]


def test_what_recover_writes_later_is_no_part_of_the_run(tmp_path: Path) -> None:
    """`drills recover` may come days later, or after a reboot that set the monotonic clock back."""
    made = MadeRecord(tmp_path / "run")
    made.event(10, "run.started")
    made.event(12, "window.opened", window="calm")
    for at_s in (0, 59):
        made.event(at_s, "run.recovered", processes=0, undone=[])
    series = series_of(made.record())
    assert (series["seconds"], series["started_at"]) == (3, "2026-11-03T14:00:10.000Z")
    assert series["windows"]["calm"] == {"from_s": 2.0, "to_s": 2.0, "closed": False}


@pytest.mark.slow
def test_a_million_samples_take_less_than_three_seconds() -> None:
    packets, axis = _million()
    began = time.process_time()  # not the wall clock: a neighbour's work is none of ours
    rows = packet_series(packets, axis)
    assert time.process_time() - began < 3.0
    assert sum(rows["packets_due"]) == 1_000_000


def _million() -> tuple[Packets, Axis]:
    """500 sessions of 17 s at 60 packets a second each way, spread over 200 s, arriving in disorder."""
    rng = numpy.random.default_rng(1)
    rows = 1_000_000
    session, direction = numpy.arange(rows) // 2000, (numpy.arange(rows) // 1000) % 2
    sequence = numpy.arange(rows) % 1000
    due = ns(0) + (session % 180) * SECOND + sequence * (SECOND // 60)
    sent = due + rng.integers(0, 2_000_000, rows)
    received = numpy.where(rng.random(rows) < 0.001, 0, sent + rng.integers(500_000, 30_000_000, rows))
    columns = {
        "session": session.astype(numpy.int32), "direction": direction.astype(numpy.int8), "sequence": sequence,
        "intended_ns": due, "sent_ns": sent, "received_ns": received,
        "shows": numpy.where(direction == 1, numpy.maximum(sequence - 1, 0), -1), "copies": (received > 0) * 1,
    }  # fmt: skip
    order = numpy.argsort(due, kind="stable")
    packets = Packets({name: column[order] for name, column in columns.items()}, 1, ())
    return packets, Axis(ns(0), ns(200), "2026-11-03T14:00:00.000Z")
