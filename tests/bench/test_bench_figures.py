"""What the benchmarks of pump and verdict make of their figures, and whether the made record is a sound one."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from drills.bench import made_run, pump, verdict
from drills.bench.__main__ import noise
from drills.bench.machine import Meanwhile, Ticks, between
from drills.bench.made_run import MadeRun
from drills.bench.processes import Cost
from drills.bench.pump_settings import Flow, Measured
from drills.bench.rows import Outcome
from drills.bench.verdict import Judged
from drills.load.settings import LoadSettings
from drills.record import Record

MANY = Measured(
    sessions=200, packets=240_000, per_s=24_000.0, late_ms_p50=0.4, late_ms_p99=1.2, late_ms_p999=3.0, late_ms_max=9.0,
    read_ms_p99=1.5, skipped=0, lost=0, own_drops=0, cpu_share=0.5, cpu_us_a_packet=21.0, waited_ms_a_s=1.0,
    stolen_ms_a_s=2.0, alone_ms_p99=0.2,
)  # fmt: skip
FEW = replace(MANY, sessions=50, packets=60_000, per_s=6_000.0, cpu_share=0.2, cpu_us_a_packet=30.0)


def outcomes(rows: list[pump.Row]) -> list[Outcome]:
    """Of each row."""
    return [row.outcome for row in rows]


def test_a_generator_on_time_is_within_its_limits() -> None:
    """Lateness and losses for both, CPU and the ratio for many."""
    assert outcomes(pump.rows(FEW, MANY)) == [Outcome.OK] * 4 + [Outcome.SHOWN, Outcome.OK]


@pytest.mark.parametrize("worse", [{"late_ms_p99": 2.1}, {"skipped": 1}, {"lost": 1}, {"own_drops": 1},
                                   {"cpu_us_a_packet": 46.0}])  # fmt: skip
def test_a_generator_that_is_late_loses_or_costs_more_among_many_is_over(worse: dict[str, float]) -> None:
    """Each by itself."""
    assert outcomes(pump.rows(FEW, replace(MANY, **worse))).count(Outcome.OVER) == 1  # type: ignore[arg-type]


def test_the_generators_process_takes_what_the_benchmark_tells_it() -> None:
    """Its settings are those of a load worker; the two must not drift apart."""
    flow = Flow(200, 10.0, 1, "/nowhere")
    names = {"ends_first", "ends_addresses", "inputs_per_s", "frames_per_s", "run_folder"}
    assert names <= set(LoadSettings.__dataclass_fields__)
    assert Flow(**asdict(flow)) == flow


def judged(samples: int, wall_s: float, cpu_s: float, rss_mb: float) -> Judged:
    """A record whose judgement takes a second without its samples."""
    return Judged(samples, Cost(0, wall_s, cpu_s, rss_mb), Cost(2, 1.0, 1.0, 120.0))


def test_a_verdict_that_grows_in_step_is_within_its_limits() -> None:
    """Ten times the samples cost ten times as much, beyond what the command takes anyway."""
    few, many = judged(100_000, 1.2, 1.2, 150), judged(1_000_000, 3.0, 3.0, 400)
    rows = verdict.rows(few, many)
    assert outcomes(rows) == [Outcome.OK] * 3
    assert rows[-1].ratio == pytest.approx(1.0)


@pytest.mark.parametrize(("wall_s", "cpu_s", "rss_mb"), [(5.5, 3.0, 400), (3.0, 3.0, 501), (3.0, 4.5, 400)])
def test_a_verdict_that_is_slow_large_or_grows_faster_is_over(wall_s: float, cpu_s: float, rss_mb: float) -> None:
    """Five seconds, 500 MB, half as much again a sample."""
    few = judged(100_000, 1.2, 1.2, 150)
    assert outcomes(verdict.rows(few, judged(1_000_000, wall_s, cpu_s, rss_mb))).count(Outcome.OVER) == 1


def test_the_made_record_has_as_many_samples_as_asked_for() -> None:
    """Give or take the packets of a part of a second."""
    for samples in (10_000, 1_000_000):
        sessions = MadeRun(samples).sessions
        due = sum(2 * int((one.to_s - one.from_s) * made_run.PER_S) for one in sessions)
        assert due == pytest.approx(samples, rel=0.25 if samples < 100_000 else 0.02)
        assert len({one.number for one in sessions}) == len(sessions)


def test_the_made_record_can_be_read_as_any(tmp_path: Path) -> None:
    """Written by the product's writers, in the order of its clock."""
    made_run.write_run(tmp_path / "run", 2_000)
    record = Record.read(tmp_path / "run")
    rows = sum(event["rows"] for event in record.named("generator.finished"))
    assert len(record.packets) == rows > 1_000
    assert [*record.windows] == ["calm", "fault", "recovery"]
    assert record.unreadable_lines == 0


def test_what_others_do_is_what_is_left_of_the_machines_work() -> None:
    """Beside what this process and its children did."""
    before, after = Ticks(100.0, 50.0, 1.0, 0.0), Ticks(120.0, 60.0, 2.0, 6.0)
    meanwhile = between(before, after)
    assert (meanwhile.busy_share, meanwhile.others_share, meanwhile.steal_share) == (0.5, 0.2, 0.05)
    assert not meanwhile.quiet


def test_figures_taken_beside_other_work_say_so() -> None:
    """A busy machine is no verdict on the product."""
    quiet = {"quiet": True, "busy_share_before": 0.01, "load_average": [0.1]}
    busy = {"quiet": False, "busy_share_before": 0.6, "load_average": [2.5]}
    assert noise(quiet, {"pump": Meanwhile(0.5, 0.01, 0.0)}) == []
    assert len(noise(quiet, {"pump": Meanwhile(0.9, 0.4, 0.0)})) == 2
    assert "60% busy, load average 2.5" in noise(busy, {})[0]
