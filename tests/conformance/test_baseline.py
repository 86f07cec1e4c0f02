"""What a team knows of a server, and until when it is excused."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from mjgate.conformance.baseline import Entry, apply, extended, read_baseline, written
from mjgate.conformance.findings import TOO_MANY
from mjgate.conformance.verdict import CannotRun, Known
from tests.conformance.report.verdicts import FAILED, IMAGINE, PASSED, failure, verdict

TODAY = date(2026, 11, 27)
ENTRY = Entry("status_documented", IMAGINE, "ticket 77", TODAY)
GOOD = """\
version: 1
known:
  - rule: status_documented
    operation: POST /mj/submit/imagine
    text: 418 *
    reason: ticket 77
    expires: 2026-11-27
  - {rule: a, operation: '', reason: 备注, expires: '2027-01-31'}
"""


def stored(folder: Path, content: str | bytes) -> Path:
    path = folder / "known.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_file_is_read(tmp_path: Path) -> None:
    assert (
        replace(ENTRY, text="418 *"),
        Entry("a", "", "备注", date(2027, 1, 31)),
    ) == read_baseline(stored(tmp_path, GOOD))


def test_json_is_read_as_well(tmp_path: Path) -> None:
    entry = '{"rule": "a", "operation": "b", "text": "c", "expires": "2027-01-31", '
    entry += '"reason": "\\ud83e\\udd8a"}'
    found = read_baseline(stored(tmp_path, f'{{"version": 1,\n\t"known": [{entry}]}}'))
    assert (Entry("a", "b", "🦊", date(2027, 1, 31), "c"),) == found


@pytest.mark.parametrize(
    ("name", "near"),
    [("statusDocumented", "; near it are status_documented"), ("*", "")],
)
def test_what_is_no_rule_is_not_excused(tmp_path: Path, name: str, near: str) -> None:
    path = stored(tmp_path, GOOD.replace("status_documented", f"'{name}'"))
    with pytest.raises(CannotRun) as why:
        read_baseline(path, ("a", "status_documented"))
    assert f"{path}, line 3: there is no rule `{name}`{near}" == str(why.value)
    assert read_baseline(path)


WRONG = [
    ("", ": the file must be a mapping"),
    ("- 1", ", line 1: the file must be a mapping"),
    ("known: []", ", line 1: `version` must be 1"),
    ("known: []\nversion: 2", ", line 2: `version` must be 1"),
    ("version: 1", ", line 1: `known` must be a list"),
    ("version: 1\nknown: {}", ", line 2: `known` must be a list"),
    ("version: 1\nknwon: []", ", line 2: there is no `knwon`; `known` lists the failures"),
    ("version: 1\nversion: 1\nknown: []", ", line 2: `version` is there twice"),
    ("version: 1\n[a]: 1\nknown: []", ", line 2: the file has a key that is no word"),
    ("version: 1\nknown:\n- a", ", line 3: an entry must be a mapping"),
    (
        GOOD.replace("expires: 2026", "expire: 2026"),
        ", line 7: an entry has no `expire`, but rule, operation, reason, expires, text",
    ),
    (GOOD.replace("    reason: ticket 77\n", ""), ", line 3: this entry has no `reason`"),
    (GOOD.replace("ticket 77", "' '"), ", line 6: `reason` must be a text"),
    (GOOD.replace("ticket 77", "77"), ", line 6: `reason` must be a text"),
    (GOOD.replace("ticket 77", "[77]"), ", line 6: `reason` must be a text"),
    (
        GOOD.replace("2026-11-27", "tomorrow"),
        ", line 7: `expires` must be a day, such as 2027-01-31",
    ),
    (
        GOOD.replace("2026-11-27", "2026-13-27"),
        ", line 7: `expires` must be a day, such as 2027-01-31",
    ),
    (
        GOOD.replace("2026-11-27", "2026-11-27 10:00:00"),
        ", line 7: `expires` must be a day, such as 2027-01-31",
    ),
    (GOOD + "  - [", ", line 9 is no YAML: "),
    (GOOD.replace("ticket 77", "!!python/name:os.system ''"), ", line 6 is no YAML: "),
    (b"\xff\xfe\x00", " is no YAML: "),
    (b"known: \xff", " is no YAML: "),
    ("version: 1\nknown: " + "[" * 5000, " is no YAML: "),
    (GOOD.replace("ticket 77", "2026-13-40"), " is no YAML: month must be in 1..12"),
]


@pytest.mark.parametrize(("content", "why"), WRONG)
def test_what_is_wrong_in_a_file_is_said_in_one_line_with_its_place(
    tmp_path: Path, content: str | bytes, why: str
) -> None:
    path = stored(tmp_path, content)
    with pytest.raises(CannotRun) as raised:
        read_baseline(path)
    said = str(raised.value)
    assert said.startswith(f"{path}{why}")
    assert "\n" not in said


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CannotRun, match=r"none\.yaml cannot be read: No such file or directory"):
        read_baseline(tmp_path / "none.yaml")


def test_a_known_failure_is_not_counted_on_its_last_day() -> None:
    found = apply([ENTRY], verdict(failures=(failure(),)), TODAY)
    assert (Known(failure(), "ticket 77", TODAY),) == found.known
    assert ((), 0, 0) == (found.failures, found.exit_code, found.wrong)
    assert verdict().notes == found.notes


def test_after_its_last_day_it_counts_again_and_says_so() -> None:
    found = apply([ENTRY], verdict(failures=(failure(),)), date(2026, 11, 28))
    assert ((failure(),), (), 1) == (found.failures, found.known, found.exit_code)
    assert (
        "no longer excused, since 2026-11-27 is over: status_documented at "
        "POST /mj/submit/imagine: * (ticket 77)" == found.notes[-1]
    )


def test_an_entry_that_lives_excuses_what_another_no_longer_does() -> None:
    older = replace(ENTRY, expires=date(2020, 1, 1))
    found = apply([older, ENTRY], verdict(failures=(failure(),)), TODAY)
    assert ((), 1) == (found.failures, len(found.known))


def test_what_no_entry_is_about_stays_a_failure() -> None:
    found = apply([ENTRY], FAILED, TODAY)
    assert ["state_kept"] == [each.rule for each in found.failures]
    assert (*FAILED.known[:1], "ticket 77", "ticket 77") == (
        found.known[0],
        *(each.reason for each in found.known[1:]),
    )


def test_an_entry_that_meets_nothing_is_noted_once() -> None:
    found = apply([replace(ENTRY, operation=""), replace(ENTRY, operation="")], PASSED, TODAY)
    assert (
        *PASSED.notes,
        "in the baseline, and not seen in this run: status_documented at no operation: *",
    ) == found.notes


@pytest.mark.parametrize(
    ("pattern", "text", "meets"),
    [
        ("*", "", True),
        ("a", "a", True),
        ("a", "ab", False),
        ("a*", "ab\nc", True),
        ("*b*", "abc", True),
        ("a**c", "abc", True),
        ("a.c", "abc", False),
        ("[a] (b)?", "[a] (b)?", True),
        ("* is *", "* is *", True),
    ],
)
def test_in_a_text_a_star_alone_stands_for_something_else(
    pattern: str, text: str, meets: bool
) -> None:
    assert meets is replace(ENTRY, text=pattern).excuses(failure(text))


def test_what_is_written_is_read_as_it_was(tmp_path: Path) -> None:
    entries = (
        ENTRY,
        Entry("a", "", "备注: \x1b \u2028", date(2027, 1, 31), "*'\"\n: # {}" + "x" * 500),
    )
    assert entries == read_baseline(stored(tmp_path, written(entries)))
    assert () == read_baseline(stored(tmp_path, written([])))


def test_what_stands_for_failures_that_were_not_kept_is_not_known() -> None:
    named = {"rule": "a", "operation": "b", "text": TOO_MANY}
    assert () == extended([], [named], "all of it", TODAY)


def test_a_failure_takes_the_place_of_its_older_entry() -> None:
    named = {"rule": ENTRY.rule, "operation": IMAGINE, "text": "*"}
    other = replace(ENTRY, rule="other")
    found = extended([ENTRY, other], [named, named], "new", date(2027, 1, 1))
    assert (other, Entry(ENTRY.rule, IMAGINE, "new", date(2027, 1, 1))) == found


def test_entries_made_of_failures_excuse_them() -> None:
    named = [
        {"rule": each.rule, "operation": each.operation, "text": each.text}
        for each in FAILED.failures
    ]
    found = apply(extended([], named, "all of it", TODAY), FAILED, TODAY)
    assert ((), 0) == (found.failures, found.exit_code)
