"""`mjgate token`."""

import hashlib
import re
from datetime import UTC, datetime

import pytest

from tests.commands.conftest import Commands

KEY = re.compile(r"mj-[\w-]{32}")


def test_a_new_token_is_shown_once_and_kept_as_its_hash(commands: Commands) -> None:
    said = commands.good("token", "create", "alice", "--budget", "2.00")
    key, blank, words = said.splitlines()
    assert KEY.fullmatch(key)
    assert ("", "The token of 'alice'. It is shown only now.") == (blank, words)
    assert [("alice", hashlib.sha256(key.encode()).digest(), 2_000_000)] == commands.rows(
        "select label, key_hash, budget from tokens"
    )
    assert key not in commands.good("token", "list")


def test_a_new_token_as_json_has_the_key_and_what_a_list_has(commands: Commands) -> None:
    made = commands.json("token", "create", "alice", "--budget", "2.50")
    key = made.pop("token")
    assert KEY.fullmatch(key)
    assert [made] == commands.json("token", "list")
    hint, created = made.pop("hint"), made.pop("created_ms")
    assert f"{key[:5]}…{key[-4:]}" == hint
    assert abs(datetime.now(UTC).timestamp() * 1000 - created) < 60_000
    assert {
        "label": "alice",
        "budget": "2.5",
        "spent": "0",
        "held": "0",
        "revoked": False,
    } == made


def test_the_list_is_a_table_that_shows_budgets_and_ends(commands: Commands) -> None:
    assert "No tokens. Make one with: mjgate token create LABEL\n" == commands.good("token", "list")
    assert [] == commands.json("token", "list")
    commands.good("token", "create", "alice", "--budget", "0.000001")
    commands.good("token", "create", "张 伟")
    commands.good("token", "revoke", "张 伟")

    header, _, *rows = commands.good("token", "list").splitlines()

    assert ["LABEL", "TOKEN", "BUDGET $", "SPENT $", "HELD $", "SINCE", "STATE"] == re.split(
        r"  +", header.strip()
    )
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    cells = [re.split(r"  +", row.strip()) for row in rows]
    assert ["alice", "0.000001", "0", "0", today, "good"] == [cells[0][0], *cells[0][2:]]
    assert ["张 伟", "none", "0", "0", today, "revoked"] == [cells[1][0], *cells[1][2:]]


@pytest.mark.parametrize("as_json", [False, True])
def test_a_revoked_label_is_free_again(commands: Commands, as_json: bool) -> None:
    commands.good("token", "create", "alice")
    if as_json:
        assert {"label": "alice", "revoked": True} == commands.json("token", "revoke", "alice")
    else:
        assert "Revoked 'alice'.\n" == commands.good("token", "revoke", "alice")
    assert [True] == [token["revoked"] for token in commands.json("token", "list")]

    commands.good("token", "create", "alice")
    assert [True, False] == [token["revoked"] for token in commands.json("token", "list")]


def test_a_double_label_is_named(commands: Commands) -> None:
    commands.good("token", "create", "alice")
    assert ("there is a token 'alice' already; revoke it or take another label") == commands.fault(
        "token", "create", "alice"
    )


def test_an_unknown_label_is_named(commands: Commands) -> None:
    assert "there is no token 'bob'; see: mjgate token list" == commands.fault(
        "token", "revoke", "bob"
    )


@pytest.mark.parametrize("label", ["", "   ", "a\nb", "\x1b[31m", "x" * 101])
def test_a_label_that_is_none_is_refused(commands: Commands, label: str) -> None:
    fault = commands.fault("token", "create", label)
    assert f"a label is 1 to 100 printable characters, not {label!r}" == fault


@pytest.mark.parametrize("label", ["", "x" * 1000])
def test_no_label_that_cannot_be_there_is_found(commands: Commands, label: str) -> None:
    assert f"there is no token {label!r}; see: mjgate token list" == commands.fault(
        "token", "revoke", label
    )


@pytest.mark.parametrize(
    ("budget", "fault"),
    [
        ("-1", "-1 is negative"),
        ("0.0000001", "0.0000001 has more than six decimals"),
        ("much", "'much' is not a number"),
        ("", "'' is not a number"),
        ("NaN", "NaN is not a number"),
        ("inf", "inf is not a number"),
        ("1e400", "1e400 is more than a billion dollars"),
        ("1000000000.01", "1000000000.01 is more than a billion dollars"),
    ],
)
def test_a_budget_that_is_none_is_refused(commands: Commands, budget: str, fault: str) -> None:
    assert fault == commands.fault("token", "create", "alice", "--budget", budget)
    assert [] == commands.json("token", "list")


def test_a_budget_may_be_nothing_or_a_billion(commands: Commands) -> None:
    assert "0" == commands.json("token", "create", "a", "--budget", "0")["budget"]
    most = commands.json("token", "create", "b", "--budget", "1000000000")
    assert "1000000000" == most["budget"]
    assert commands.json("token", "create", "c")["budget"] is None
