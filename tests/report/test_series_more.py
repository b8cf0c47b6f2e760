"""Claims about what series.json says of services, sessions, ways and logs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from made_record import MadeRecord, drained, ns

from drills.report.excerpts import LINES_MAX, excerpts
from drills.report.series import series_of
from drills.verdict import Judgement, Outcome, Verdict

STARTED = "2026-11-03T14:00:{:06.3f}Z"


def rows(made: MadeRecord) -> dict[str, Any]:
    """The per-second rows of a record."""
    return dict(series_of(made.record())["per_second"])


def verdict(objective: str = "packets_lost_ratio", window: str = "fault") -> Verdict:
    """One in which a promise is broken."""
    row = Judgement(objective, window, Outcome.BROKEN, 1.0, 0.0, "ratio", 9, 1, "why", "reason")
    return Verdict("relay_drain", "x", "reference", "processes", "stage", Outcome.BROKEN, (row,))


def logged(folder: Path, service: str, *lines: str) -> None:
    """What a service has printed."""
    (folder / "logs").mkdir(exist_ok=True)
    (folder / "logs" / f"{service}.log").write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_a_round_trip_is_an_inputs_way_and_a_frames(tmp_path: Path) -> None:
    found = rows(drained(tmp_path / "run"))
    assert found["rtt_ms_p50"][1] == pytest.approx(2.0)
    assert found["rtt_ms_p50"][0] is None


def test_jitter_is_how_much_one_packets_way_differs_from_the_next(tmp_path: Path) -> None:
    made = MadeRecord(tmp_path / "run")
    made.event(0, "run.started")
    for number in range(100):
        made.packet(1, 0, number, 0.1 + number * 0.005, after_ms=1.0 + 2.0 * (number % 2))
    made.event(1, "run.ended")
    assert rows(made)["jitter_ms"][0] == pytest.approx(2.0)
    assert rows(drained(tmp_path / "even"))["jitter_ms"][2] == pytest.approx(0.0)


def test_requests_are_spread_over_the_time_between_two_looks(tmp_path: Path) -> None:
    made = MadeRecord(tmp_path / "run")
    made.event(0, "run.started")
    for at_s, count in ((0.5, 0), (2.5, 200), (3.5, 30)):  # the last look is at a new process
        made.event(at_s, "relay.health", service="relay_a", counters={"packets_rx": count})
    made.event(1.2, "lease.given", asked_ns=ns(1.2))
    made.event(1.4, "lease.none", asked_ns=ns(1.4))
    made.event(4, "run.ended")
    found = rows(made)["requests"]
    assert found["relay_a"] == [50.0, 100.0, 65.0, 15.0, None]
    assert found["master"] == [0, 2, 0, 0, 0]


def test_rejections_are_told_by_reason_and_refusals_by_counter(tmp_path: Path) -> None:
    made = drained(tmp_path / "run")
    made.event(4.4, "renewal", outcome="silence", reason="", sent_ns=ns(4.4))
    for at_s, count in ((3.2, 2), (4.2, 7)):
        made.event(at_s, "relay.health", service="relay_a", counters={"unknown_peer_packets": count, "packets_rx": 9})
    found = rows(made)
    assert {reason: row[4] for reason, row in found["lease_rejections"].items()} == {"wrong relay": 1, "silence": 1}
    assert found["relay_refusals"] == {"unknown_peer_packets": [0, 0, 0, 2, 5, 0, 0, 0, 0, 0]}


def test_cpu_is_a_share_of_a_core(tmp_path: Path) -> None:
    assert rows(drained(tmp_path / "run"))["cpu_share"]["relay_a"][5] == pytest.approx(5 / 100, abs=0.05)


def test_every_session_has_its_life_and_its_long_silences(tmp_path: Path) -> None:
    series = series_of(drained(tmp_path / "run").record())
    assert series["sessions"] == {"session": [1], "kind": [""], "from_s": [0.9], "to_s": [9.1]}
    ((place, from_s, ms),) = series["silences"]
    assert (place, ms) == (0, pytest.approx(320.0))
    assert 3.9 < from_s < 4.1


def test_only_the_longest_silences_are_kept_where_there_are_too_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drills.report.series_sessions.SILENCES_MAX", 0)
    series = series_of(drained(tmp_path / "run").record())
    assert (series["silences"], series["silences_left_out"]) == ([], 1)


def test_all_services_lines_around_what_broke_stand_on_one_clock(tmp_path: Path) -> None:
    made = drained(tmp_path / "run")
    record = made.record()
    logged(tmp_path / "run", "relay_a", f"{STARTED.format(4.6)}  WARN wavry_relay: later", "  and a second line")
    logged(tmp_path / "run", "master", f"\x1b[2m{STARTED.format(4.2)}\x1b[0m \x1b[32m INFO\x1b[0m earlier",
           f"{STARTED.format(9.0)} INFO far away")  # fmt: skip
    logged(tmp_path / "run", "locust_worker-0", f"{STARTED.format(4.5)} ours")
    (found,) = excerpts(record, series_of(record), verdict())
    assert found["about"] == "packets_lost_ratio in fault"
    assert [(line["service"], line["at_s"], line["text"]) for line in found["lines"]] == [
        ("master", 4.2, "INFO earlier"), ("relay_a", 4.6, "WARN wavry_relay: later"),
        ("relay_a", 4.6, "and a second line"),
    ]  # fmt: skip


def test_of_too_many_lines_the_loud_ones_are_kept_and_secrets_never(tmp_path: Path) -> None:
    record = drained(tmp_path / "run").record()
    words = [f"{one}{other}" for one in "abcdefghij" for other in "klmnopqrst"]
    quiet = [f"{STARTED.format(4.5)} INFO {word}" for word in words]
    token = "v4.public." + "A" * 40
    logged(tmp_path / "run", "gateway", *quiet, f"{STARTED.format(5.9)} ERROR bad token {token}")
    (found,) = excerpts(record, series_of(record), verdict())
    assert (len(found["lines"]), found["left_out"]) == (LINES_MAX, 101 - LINES_MAX)
    assert found["lines"][-1]["text"] == "ERROR bad token [secret]"


def test_lines_that_say_the_same_are_one_and_our_own_proxy_comes_last(tmp_path: Path) -> None:
    record = drained(tmp_path / "run").record()
    logged(tmp_path / "run", "toxiproxy", *(f'{{"level":"warn","time":"{STARTED.format(4.0)}"}}' for _ in range(99)))
    logged(
        tmp_path / "run", "gateway", *(f"{STARTED.format(4.3)} INFO client {number} is gone" for number in range(50))
    )
    (found,) = excerpts(record, series_of(record), verdict())
    assert [line["text"] for line in found["lines"] if line["service"] == "gateway"] == [
        "INFO client 0 is gone (and 49 alike)"
    ]
    assert (len(found["lines"]), found["left_out"]) == (2, 0)


def test_without_logs_or_without_anything_broken_there_are_none(tmp_path: Path) -> None:
    record = drained(tmp_path / "run").record()
    (found,) = excerpts(record, series_of(record), verdict("relay_back_s"))
    assert (found["at_s"], found["lines"]) == (3.1, [])  # the fault's own beginning
    assert series_of(record)["excerpts"] == []
