"""`mjgate price`."""

import json
import re

import pytest

from tests.commands.conftest import Commands

DOCUMENTED = """{
  "gpt-4-gizmo-*": 0.1,
  "mj_imagine": 0.1,
  "mj_variation": 0.1,
  "mj_reroll": 0.1,
  "mj_blend": 0.1,
  "mj_describe": 0.05,
  "mj_upscale": 0.05
}
"""
"""The price chapter of `seed/midjourney-proxy-api.md`, as it stands there."""


def test_the_documented_prices_are_in_force_and_shown_as_documented(commands: Commands) -> None:
    assert DOCUMENTED == commands.good("price", "show", "--json")
    header, _, *rows = commands.good("price", "show").splitlines()
    assert ["MODEL", "$"] == header.split()
    assert {name: str(cost) for name, cost in json.loads(DOCUMENTED).items()} == dict(
        row.split() for row in rows
    )


def test_the_documented_json_is_taken_as_it_stands(commands: Commands) -> None:
    said = commands.good("price", "set", commands.file("prices.json", DOCUMENTED))
    assert "No price changed.\nVersion 0 stays in force.\n" == said
    assert json.loads(DOCUMENTED) == json.loads(commands.good("price", "show", "--json"))


def test_what_show_prints_can_be_set(commands: Commands) -> None:
    changed = '{\n  "mj_imagine": 0.25,\n  "mj_video-*": 1,\n  "绘图": 0\n}\n'
    commands.good("price", "set", "-", input=changed)
    shown = commands.good("price", "show", "--json")
    assert json.loads(changed) == json.loads(shown)
    assert {"version": 1, "changes": [], "set": False} == commands.json(
        "price", "set", commands.file("prices.json", shown)
    )


def test_a_new_table_says_what_it_changes(commands: Commands) -> None:
    table = json.loads(DOCUMENTED) | {"mj_imagine": 0.2, "mj_video": 1}
    del table["mj_blend"]
    file = commands.file("prices.json", json.dumps(table))
    changes: list[dict[str, str | None]] = [
        {"name": "mj_imagine", "before": "0.1", "after": "0.2"},
        {"name": "mj_video", "before": None, "after": "1"},
        {"name": "mj_blend", "before": "0.1", "after": None},
    ]

    said = commands.good("price", "set", file).splitlines()

    assert ["MODEL", "BEFORE $", "AFTER $"] == re.split(r"  +", said[0].strip())
    assert [
        [change["name"], change["before"] or "-", change["after"] or "-"] for change in changes
    ] == [row.split() for row in said[2:-1]]
    assert "Version 1 is in force." == said[-1]

    back = commands.file("documented.json", DOCUMENTED)
    commands.good("price", "set", back)
    assert {"version": 3, "changes": changes, "set": True} == commands.json("price", "set", file)


def test_a_dry_run_says_what_would_change_and_changes_nothing(commands: Commands) -> None:
    file = commands.file("prices.json", '{"mj_imagine": 0.2}')
    said = commands.good("price", "set", file, "--dry-run").splitlines()
    assert ["mj_imagine", "0.1", "0.2"] == said[2].split()
    assert "Version 0 stays in force." == said[-1]
    assert not commands.json("price", "set", file, "--dry-run")["set"]
    assert DOCUMENTED == commands.good("price", "show", "--json")


def test_the_history_has_every_version_with_its_time_and_changes(commands: Commands) -> None:
    assert ["0", "documented"] == commands.good("price", "history").splitlines()[2].split()
    commands.good("price", "set", "-", input='{"mj_imagine": 0.2, "mj_video": 1}')
    commands.good("price", "set", "-", input='{"mj_imagine": 0.2, "mj_video": 2}')

    first, second, third = commands.json("price", "history")

    assert (0, None, []) == (first["version"], first["at"], first["changes"])
    assert (1, "0.2") == (second["version"], second["prices"]["mj_imagine"])
    assert (2, [{"name": "mj_video", "before": "1", "after": "2"}]) == (
        third["version"],
        third["changes"],
    )
    assert second["at"] < third["at"]
    last = commands.good("price", "history").splitlines()[-1]
    assert re.fullmatch(r"2 +\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ +mj_video +1 +2", last.strip()), last


@pytest.mark.parametrize(
    ("name", "cost"),
    [
        ("gpt-4-gizmo-g-abc", "0.1"),
        ("gpt-4-gizmo-", "0.1"),
        ("gpt-4-gizmo-*", "0.1"),
        ("mj_imagine", "0.1"),
        ("mj_upscale", "0.05"),
    ],
)
def test_a_quote_is_the_price_alone(commands: Commands, name: str, cost: str) -> None:
    assert f"{cost}\n" == commands.good("price", "quote", name)
    assert {"name": name, "price": cost, "version": 0} == commands.json("price", "quote", name)


@pytest.mark.parametrize("name", ["gpt-4-gizmo", "mj_video", "MJ_IMAGINE", ""])
def test_a_name_without_a_price_is_refused(commands: Commands, name: str) -> None:
    assert f"no price fits {name!r}: its submits are refused" == commands.fault(
        "price", "quote", name
    )


def test_the_longest_pattern_wins_and_an_exact_name_before_it(commands: Commands) -> None:
    table = '{"*": 1, "mj_*": 2, "mj_*_x": 3, "mj_i_x": 4}'
    commands.good("price", "set", "-", input=table)
    quotes = {
        name: commands.json("price", "quote", name)["price"]
        for name in ("a", "mj_a", "mj_a_x", "mj_i_x")
    }
    assert {"a": "1", "mj_a": "2", "mj_a_x": "3", "mj_i_x": "4"} == quotes


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ('{"mj_imagine": -0.1}', "mj_imagine: -0.1 is negative"),
        ('{"mj_imagine": 0.1234567}', "mj_imagine: 0.1234567 has more than six decimals"),
        ('{"mj_imagine": "0.1"}', "mj_imagine: '0.1' is not a number of dollars"),
        ('{"mj_imagine": true}', "mj_imagine: True is not a number of dollars"),
        ('{"mj_imagine": null}', "mj_imagine: None is not a number of dollars"),
        ('{"mj_imagine": [0.1]}', "mj_imagine: [Decimal('0.1')] is not a number of dollars"),
        ('{"mj_imagine": NaN}', "mj_imagine: nan is not a number of dollars"),
        ('{"mj_imagine": -Infinity}', "mj_imagine: -inf is not a number of dollars"),
        ('{"mj_imagine": 1e400}', "mj_imagine: 1E+400 is more than a billion dollars"),
        ('{"mj_imagine": 1e99999999999999999999}', "<stdin> holds a number beyond all bounds"),
        ('{"": 0.1}', "name 1 of the table is empty"),
        ('{"a": 1, "  ": 0.1}', "name 2 of the table is empty"),
        ('{" mj_imagine": 0.1}', "' mj_imagine' has blanks around it or U+0000 in it"),
        ('{"a\\u0000b": 0.1}', "'a\\x00b' has blanks around it or U+0000 in it"),
        ('{"a": 1, "b": 1, "a": 1}', "'a' stands twice in the table"),
        ("{}", "the table is empty: every submit would be refused"),
        ("[]", 'a price table is a JSON object such as {"mj_imagine": 0.1}'),
        ("0.1", 'a price table is a JSON object such as {"mj_imagine": 0.1}'),
        ("{", "<stdin> is not JSON: "),
        ("", "<stdin> is not JSON: "),
        ("\ufeff{}", "<stdin> is not JSON: "),
        ('{"a": ' + "9" * 5000 + "}", "<stdin> is not JSON: "),
        ("[" * 100_000, "<stdin> is not JSON: "),
        (b'{"\xff": 0.1}', "<stdin> is not JSON: "),
        ('{"\\ud800": 0.1}', "'\\ud800' is no text"),
    ],
    ids=range(25),
)
def test_a_table_that_is_none_is_refused(
    commands: Commands, table: str | bytes, fault: str
) -> None:
    said = commands.fault("price", "set", "-", input=table)
    assert said.startswith(fault) if fault.endswith(": ") else fault == said
    assert DOCUMENTED == commands.good("price", "show", "--json")


def test_a_file_that_is_not_there_is_named(commands: Commands) -> None:
    assert "no.json" in commands.misuse("price", "set", "no.json")
