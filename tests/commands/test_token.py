"""`mjgate token`."""

import hashlib
import re
from datetime import UTC, datetime

import pytest

from tests.commands.conftest import Commands

NO_NETWORK = "is not an address or a network such as 10.0.0.0/8"
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
        "period": None,
        "resets_ms": None,
        "spent": "0",
        "held": "0",
        "remaining": "2.5",
        "in_flight": 0,
        "most_in_flight": None,
        "rate_per_minute": None,
        "models": None,
        "expires_ms": None,
        "addresses": None,
        "notify_hook": None,
        "revoked": False,
    } == made


def test_the_list_is_a_table_that_shows_budgets_and_ends(commands: Commands) -> None:
    assert "No tokens. Make one with: mjgate token create LABEL\n" == commands.good("token", "list")
    assert [] == commands.json("token", "list")
    commands.good("token", "create", "alice", "--budget", "0.000001")
    commands.good("token", "create", "张 伟")
    commands.good("token", "revoke", "张 伟")

    header, _, *rows = commands.good("token", "list").splitlines()

    assert [
        *("LABEL", "TOKEN", "BUDGET $", "PERIOD", "RESETS", "SPENT $", "HELD $", "LEFT $"),
        *("IN FLIGHT", "A MINUTE", "MODELS", "EXPIRES", "ADDRESSES", "SINCE", "STATE"),
    ] == re.split(r"  +", header.strip())
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    cells = [re.split(r"  +", row.strip()) for row in rows]
    none = ["0/none", "none", "any", "any", today]
    assert ["alice", "0.000001", "0", "0", "0.000001", *none, "good"] == [
        cells[0][0],
        *cells[0][2:],
    ]
    assert ["张 伟", "none", "0", "0", *none, "revoked"] == [cells[1][0], *cells[1][2:]]


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


LIMITS = [
    *("--budget", "2.00", "--period", "monthly", "--rpm", "60", "--in-flight", "3"),
    *("--models", "mj_imagine,mj_up*", "--models", "swap_face", "--expires", "2099-01-01"),
    *("--allow-ip", "10.0.0.0/8", "--allow-ip", "192.0.2.7, 2001:db8::/32,::ffff:198.51.100.0/120"),
]
SHOWN = {
    "budget": "2",
    "period": "monthly",
    "most_in_flight": 3,
    "rate_per_minute": 60,
    "models": ["mj_imagine", "mj_up*", "swap_face"],
    "expires_ms": 4070908800000,
    "addresses": ["10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32", "198.51.100.0/24"],
}


def test_a_token_is_made_with_limits_and_the_list_shows_them(commands: Commands) -> None:
    made = commands.json("token", "create", "alice", *LIMITS)

    assert SHOWN == {name: made[name] for name in SHOWN}
    resets = datetime.fromtimestamp(made["resets_ms"] / 1000, UTC)
    assert (1, 0, 0) == (resets.day, resets.hour, resets.minute)
    assert resets > datetime.now(UTC)
    row = commands.good("token", "list").splitlines()[2]
    shown = ("monthly", resets.strftime("%Y-%m-%d"), "0/3", "60", "mj_imagine,mj_up*,swap_face")
    assert all(word in row for word in (*shown, "2099-01-01", "10.0.0.0/8,192.0.2.7/32", "good"))


def test_limits_are_set_one_by_one_and_taken_off_with_none(commands: Commands) -> None:
    commands.good("token", "create", "alice")
    assert "Set 'alice'.\n" == commands.good("token", "set", "alice", *LIMITS)
    [full] = commands.json("token", "list")
    assert SHOWN == {name: full[name] for name in SHOWN}

    other = commands.json("token", "set", "alice", "--rpm", "7")
    assert {**SHOWN, "rate_per_minute": 7} == {name: other[name] for name in SHOWN}

    options = ("budget", "period", "rpm", "in-flight", "models", "expires", "allow-ip")
    none = [word for option in options for word in (f"--{option}", "none")]
    bare = commands.json("token", "set", "alice", *none)
    assert dict.fromkeys(SHOWN) == {name: bare[name] for name in SHOWN}
    assert bare["resets_ms"] is None


def test_an_expired_token_is_listed_as_such(commands: Commands) -> None:
    commands.good("token", "create", "alice", "--expires", "2020-01-01T12:00:00+02:00")

    [token] = commands.json("token", "list")
    assert 1577872800000 == token["expires_ms"]
    assert commands.good("token", "list").rstrip().endswith("expired")


@pytest.mark.parametrize(
    ("option", "word", "fault"),
    [
        ("--rpm", "0", "'0' is not a whole number from 1 to 60000"),
        ("--rpm", "60001", "'60001' is not a whole number from 1 to 60000"),
        ("--rpm", "1.5", "'1.5' is not a whole number from 1 to 60000"),
        ("--rpm", "9" * 5000, f"'{'9' * 5000}' is not a whole number from 1 to 60000"),
        ("--in-flight", "-1", "'-1' is not a whole number from 1 to 1000000"),
        ("--in-flight", "²", "'²' is not a whole number from 1 to 1000000"),
        ("--models", "mj_imagine,", "'mj_imagine,' names nothing in a place"),
        ("--models", " ", "' ' names nothing in a place"),
        ("--models", "a\tb", "'a\\tb' is not the name of a model"),
        ("--expires", "soon", "'soon' is not a day such as 2027-01-01"),
        (
            "--expires",
            "9999-12-31T23:59:59-12:00",
            "'9999-12-31T23:59:59-12:00' is not a day such as 2027-01-01",
        ),
        ("--expires", "1999-12-31", "'1999-12-31' is not in the years 2000 to 9998"),
        ("--models", "none,mj_imagine", "'none,mj_imagine': none stands alone"),
        ("--expires", "2027-13-01", "'2027-13-01' is not a day such as 2027-01-01"),
        ("--allow-ip", "home", f"'home' {NO_NETWORK}"),
        ("--allow-ip", "10.0.0.1/8", f"'10.0.0.1/8' {NO_NETWORK}"),
        ("--allow-ip", "", "'' names nothing in a place"),
    ],
)
def test_a_limit_that_is_none_is_refused(
    commands: Commands, option: str, word: str, fault: str
) -> None:
    assert fault == commands.fault("token", "create", "alice", option, word)
    assert [] == commands.json("token", "list")


def test_a_period_that_is_none_is_refused(commands: Commands) -> None:
    said = commands.misuse("token", "create", "alice", "--period", "yearly")
    assert "'yearly' is not one of 'daily', 'weekly', 'monthly', 'none'" in said


def test_nothing_to_set_and_nobody_to_set_it_for_are_said(commands: Commands) -> None:
    commands.good("token", "create", "alice")

    assert "nothing to set; see: mjgate token set --help" == commands.fault("token", "set", "alice")
    assert "there is no token 'bob'; see: mjgate token list" == commands.fault(
        "token", "set", "bob", "--rpm", "1"
    )
