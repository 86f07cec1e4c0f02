from dataclasses import replace

from tests.bench.load import Run
from tests.bench.machine import Machine
from tests.bench.measure import Sample, joined
from tests.bench.report import as_json, judge, spread, table, verdicts_text

SMALL = Machine(
    cores=2, processor="x", python="3", load_average=0.0, filesystem="ext4", sync_ms=0.3
)
LARGE = replace(SMALL, cores=4)


def sample(variant: str, requests: int, round: int = 0, **cpu: float) -> Sample:
    run = Run(requests=requests, seconds=1.0, p50=1.0, p99=2.0, cpu=0.1)
    return Sample(
        variant=variant,
        connections=64,
        round=round,
        run=run,
        cpu=cpu,
        whole_cpu={name: 2 * used for name, used in cpu.items()},
        whole_requests=requests,
        elsewhere=0.0,
        quiet=True,
    )


BARE = sample("bare", 4000, bare=0.4)
STOCK = sample("stock", 1000, stock=0.8)
OURS = sample("ours", 3000, gateway=0.45, postgres=0.15)


def test_turns_of_a_round_are_one_measurement() -> None:
    slow = replace(BARE, run=replace(BARE.run, p50=3.0, p99=9.0), quiet=False)
    both = joined([BARE, slow])
    assert (8000, 2.0, 2.0, 9.0) == (
        both.run.requests,
        both.run.seconds,
        both.run.p50,
        both.run.p99,
    )
    assert (0.8, 1.6) == (both.cpu["bare"], both.whole_cpu["bare"])
    assert BARE.per_request("bare") == both.per_request("bare")
    assert not both.quiet


def test_ratios_are_made_of_requests_and_of_cpu_with_and_without_the_database() -> None:
    verdict, _ = judge([BARE, STOCK, OURS], SMALL)
    assert verdict.by_rate.median == 0.75
    assert round(verdict.by_cpu.median, 6) == 0.5
    assert round(verdict.by_gateway.median, 3) == 0.667


def test_the_gateways_cpu_decides_where_cores_are_few() -> None:
    crowded = sample("ours", 1000, gateway=0.15, postgres=0.05)
    slow = sample("ours", 3000, gateway=0.75, postgres=0.05)
    assert [verdict.met for verdict in judge([BARE, STOCK, crowded], SMALL)] == [True, True]
    assert [verdict.met for verdict in judge([BARE, STOCK, slow], SMALL)] == [False, True]


def test_requests_decide_where_each_program_has_a_core() -> None:
    assert [verdict.met for verdict in judge([BARE, STOCK, OURS], LARGE)] == [True, True]


def test_a_slow_gateway_misses_its_goals() -> None:
    slow = sample("ours", 1000, gateway=0.9, postgres=0.1)
    assert [verdict.met for verdict in judge([BARE, STOCK, slow], LARGE)] == [False, False]


def test_ratios_are_made_within_a_round() -> None:
    first = [sample("bare", 4000, 0, bare=0.4), sample("ours", 2000, 0, gateway=0.4)]
    second = [sample("bare", 2000, 1, bare=0.4), sample("ours", 1600, 1, gateway=0.4)]
    (verdict,) = judge([*first, *second], LARGE)
    assert (verdict.by_rate.low, verdict.by_rate.high) == (0.5, 0.8)


def test_cpu_of_processes_that_have_no_part_is_not_counted() -> None:
    beside = replace(BARE, cpu={"bare": 0.4, "gateway": 9.0, "postgres": 9.0})
    assert judge([BARE, OURS], SMALL) == judge([beside, OURS], SMALL)


def test_nothing_is_judged_that_was_not_measured() -> None:
    assert judge([BARE, STOCK], SMALL) == []
    assert "nothing to compare" in verdicts_text([], SMALL)


def test_the_table_shows_median_and_range() -> None:
    shown = table([sample("bare", requests, bare=0.1) for requests in (1000, 3000, 2000)])
    assert "2,000 [1,000-3,000]" in shown


def test_the_table_says_how_far_the_generator_was_from_its_limit() -> None:
    shown = table([sample("direct", 40000, stub=0.4), BARE])
    assert "ceiling, stub and wrk alone: 40,000 req/s; of it bare 10 %" in shown


def test_the_json_holds_each_sample_and_each_verdict() -> None:
    samples = [BARE, STOCK, OURS]
    figures = as_json(samples, judge(samples, SMALL), SMALL)
    sizes = [len(figures[part]) for part in ("samples", "summary", "verdicts")]
    assert sizes == [3, 3, 2]


def test_a_spread_has_its_median_between_its_ends() -> None:
    assert spread([9, 1, 2]).show() == "2 [1-9]"
