from dataclasses import replace

import pytest

from tests.bench.gateway import Rows
from tests.bench.process import BenchError

ON = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
ROWS = Rows(
    tasks=640,
    holds=640,
    phases={"ended": 640},
    flushes=10,
    settings={**ON, "wal_sync_method": "fdatasync"},
)


def test_rows_are_true_when_each_submit_has_a_task_and_a_hold() -> None:
    ROWS.check_true(640)


@pytest.mark.parametrize(
    "rows", [replace(ROWS, tasks=639), replace(ROWS, holds=641), replace(ROWS, tasks=0, holds=0)]
)
def test_a_missing_row_is_named(rows: Rows) -> None:
    with pytest.raises(BenchError, match="took 640 submits"):
        rows.check_true(640)


@pytest.mark.parametrize("name", list(ON))
def test_a_setting_that_is_off_is_not_durable(name: str) -> None:
    off = replace(ROWS, settings={**ROWS.settings, name: "off"})
    with pytest.raises(BenchError, match=f"'{name}': 'off'"):
        off.check_durable(64)


def test_a_flush_serves_at_most_what_was_under_way_at_once() -> None:
    ROWS.check_durable(64)
    with pytest.raises(BenchError, match="only 10 WAL flushes"):
        ROWS.check_durable(63)
