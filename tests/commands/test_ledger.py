"""`mjgate ledger`."""

import re

import orjson
import pytest

from tests.commands.conftest import Commands

TASK = """
insert into tasks (id, token_id, channel_id, action, model, price, price_version, phase, status,
  marker, submit_ms, send_deadline, deadline)
values ({0}, 1, 1, 'IMAGINE', 'mj_imagine', 100000, 0, 'unknown', 'NOT_START', '', 1,
  '2026-05-01 10:00Z', {1});
insert into ledger (token_id, task_id, kind, held_delta, spent_delta)
values (1, {0}, 'hold', 100000, 0);
update tokens set held = held + 100000, in_flight = in_flight + 1
"""
PLAIN = "1 tokens, 0 tasks, 0 entries: every rule holds.\n"


@pytest.fixture
def alice(commands: Commands) -> Commands:
    commands.good("token", "create", "alice", "--budget", "2.00")
    return commands


def sent(commands: Commands, number: int, deadline: str = "'2026-05-01 11:00Z'") -> None:
    """A task of alice whose outcome is unknown."""
    for statement in TASK.format(number, deadline).split(";"):
        commands.rows(statement)


def cells(line: str) -> list[str]:
    return re.split(r"  +", line.strip())


def test_a_ledger_that_is_proved_says_so(alice: Commands) -> None:
    assert PLAIN == alice.good("ledger", "audit")
    assert PLAIN == alice.good("ledger", "audit", "--token", "alice")
    assert {
        "ok": True,
        "tokens": 1,
        "tasks": 0,
        "entries": 0,
        "breaches": [],
        "notes": [],
        "unknown": [],
        "unknown_total": 0,
    } == alice.json("ledger", "audit")


def test_a_rule_that_does_not_hold_is_named_with_its_rows(alice: Commands) -> None:
    alice.rows("update tokens set spent = 1, in_flight = 2")

    result = alice("ledger", "audit")

    assert (1, "") == (result.exit_code, result.stderr)
    lines = result.stdout.splitlines()
    assert "balance: not always held and spent of a token are the sums of" in lines[0]
    assert ["WRONG", "TOKEN", "TASK", "ENTRY", "EXPECTED", "FOUND"] == cells(lines[2])
    assert [
        "the balance is not the sum",
        "alice",
        "0 held, 0 spent",
        "0 held, 0.000001 spent",
    ] == cells(lines[4])
    assert "flight: not always the tasks in flight" in lines[6]
    assert "1 tokens, 0 tasks, 0 entries: 2 rules do not hold." == lines[-1]


def test_a_rule_that_does_not_hold_as_json(alice: Commands) -> None:
    sent(alice, 17)
    alice.rows("update ledger set held_delta = 1")
    alice.rows("update tokens set held = 1")

    result = alice("ledger", "audit", "--json")

    assert 1 == result.exit_code
    said = orjson.loads(result.stdout)
    assert not said["ok"]
    assert [
        {
            "rule": "amount",
            "holds": "an entry moves what its kind moves: the price of its task, or what an "
            "operator says",
            "total": 1,
            "rows": [
                {
                    "wrong": "the hold moves another amount",
                    "token": "alice",
                    "token_id": 1,
                    "task": "17",
                    "entry": 1,
                    "expected": "0.1 held, 0 spent",
                    "found": "0.000001 held, 0 spent",
                }
            ],
        }
    ] == said["breaches"]


def test_rows_that_are_not_named_are_counted(alice: Commands) -> None:
    alice.rows(
        "insert into ledger (token_id, kind, held_delta, spent_delta, task_id) "
        "select 1, 'adjust', 0, 0, n from generate_series(1, 1203) n"
    )
    result = alice("ledger", "audit")
    assert 1 == result.exit_code
    assert "\nand 1,103 more\n" in result.stdout


def test_unknown_tasks_are_listed_for_the_operator(alice: Commands) -> None:
    sent(alice, 17)
    sent(alice, 18, "null")
    said = alice.good("ledger", "audit").splitlines()
    assert ["TASK", "TOKEN", "CHANNEL", "SINCE", "DEADLINE"] == cells(said[2])
    assert [
        ["17", "alice", "2026-05-01 10:00:00Z", "2026-05-01 11:00:00Z"],
        ["18", "alice", "2026-05-01 10:00:00Z"],
    ] == [cells(line) for line in said[4:6]]
    as_json = alice.json("ledger", "audit")
    assert (2, "17", "alice", None) == (
        as_json["unknown_total"],
        *(as_json["unknown"][0][name] for name in ("task", "token", "channel")),
    )
    assert [None] == [each["deadline"] for each in as_json["unknown"][1:]]


def test_a_budget_that_was_lowered_is_a_note(alice: Commands) -> None:
    sent(alice, 17)
    alice.rows("update tokens set budget = 1")
    note = "Note: the budget of 'alice' was set to 0.000001 after it had used 0.1.\n"
    assert note in alice.good("ledger", "audit")
    assert [{"token": "alice", "budget": "0.000001", "used": "0.1"}] == alice.json(
        "ledger", "audit"
    )["notes"]


def test_the_newest_entries_are_listed_first(alice: Commands) -> None:
    assert "No entries.\n" == alice.good("ledger", "list")
    sent(alice, 17)
    alice.good("ledger", "adjust", "alice", "0.5", "--reason", "drawn by hand")

    said = alice.good("ledger", "list").splitlines()

    headers = ["ENTRY", "AT", "TOKEN", "TASK", "KIND", "HELD $", "SPENT $", "REASON"]
    assert headers == cells(said[0])
    rows = [cells(line) for line in said[2:]]
    assert ["2", "alice", "adjust", "0", "0.5", "drawn by hand"] == [rows[0][0], *rows[0][2:]]
    assert ["1", "alice", "17", "hold", "0.1", "0"] == [rows[1][0], *rows[1][2:]]


def test_entries_are_listed_by_token_task_and_number(alice: Commands) -> None:
    for number in (17, 18):
        sent(alice, number)
    alice.good("token", "create", "bob")
    alice.good("ledger", "adjust", "bob", "1", "--reason", "a fee")

    def listed(*words: str) -> list[int]:
        return [each["entry"] for each in alice.json("ledger", "list", *words)]

    assert [3, 2, 1] == listed()
    assert [3, 2] == listed("--limit", "2")
    assert [2, 1] == listed("--token", "alice")
    assert [1] == listed("--task", "17")
    assert [] == listed("--task", "17", "--token", "bob")
    assert [] == listed("--token", "nobody")
    [hold] = alice.json("ledger", "list", "--task", "18")
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT.*", hold.pop("at"))
    assert {
        "entry": 2,
        "token": "alice",
        "task": "18",
        "kind": "hold",
        "held": "0.1",
        "spent": "0",
        "period": "0001-01-01",
        "reason": None,
    } == hold


def test_an_adjustment_is_an_entry_and_a_sum(alice: Commands) -> None:
    said = alice.good("ledger", "adjust", "alice", "0.50", "--reason", "drawn by hand")
    assert "'alice' has spent 0.5 dollars in this period.\n" == said
    assert {"label": "alice", "adjusted": "-0.2", "spent": "0.3"} == alice.json(
        "ledger", "adjust", "alice", "-0.2", "--reason", "was a mistake"
    )
    assert [(0, 500_000, "drawn by hand"), (0, -200_000, "was a mistake")] == alice.rows(
        "select held_delta, spent_delta, reason from ledger where kind = 'adjust' order by id"
    )
    assert alice.json("ledger", "audit")["ok"]


def test_no_more_is_taken_back_than_was_spent(alice: Commands) -> None:
    alice.good("ledger", "adjust", "alice", "0.5", "--reason", "a fee")
    assert (
        "'alice' has spent 0.5 dollars in this period; 0.500001 cannot be taken back"
        == alice.fault("ledger", "adjust", "alice", "-0.500001", "--reason", "all")
    )
    assert "'alice' has spent 0 dollars in this period.\n" == alice.good(
        "ledger", "adjust", "alice", "-0.5", "--reason", "all"
    )
    assert [(2,)] == alice.rows("select count(*) from ledger")


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("bob", "1", "--reason", "x"), "there is no token 'bob'; see: mjgate token list"),
        (("alice", "much", "--reason", "x"), "'much' is not a number"),
        (("alice", "--1", "--reason", "x"), "-1 is negative"),
        (("alice", "0.0000001", "--reason", "x"), "0.0000001 has more than six decimals"),
        (("alice", "-0", "--reason", "x"), "0 dollars correct nothing"),
        (
            ("alice", "1", "--reason", " "),
            "a reason is 1 to 200 printable characters, not ' '",
        ),
        (
            ("alice", "1", "--reason", "a\nb"),
            "a reason is 1 to 200 printable characters, not 'a\\nb'",
        ),
    ],
)
def test_an_adjustment_that_is_none_is_refused(
    alice: Commands, words: tuple[str, ...], fault: str
) -> None:
    assert fault == alice.fault("ledger", "adjust", *words)
    assert [] == alice.rows("select from ledger")


def test_an_adjustment_has_a_reason(alice: Commands) -> None:
    assert "Missing option '--reason'" in alice.misuse("ledger", "adjust", "alice", "1")


def test_a_label_that_nobody_had_is_named(alice: Commands) -> None:
    assert "there is no token 'bob'; see: mjgate token list" == alice.fault(
        "ledger", "audit", "--token", "bob"
    )
