"""What is known of other servers stands on a page that cannot grow old."""

import json
from pathlib import Path

from mjgate.conformance.profiles import KINDS, NOT_SHOWN, PROFILES
from mjgate.conformance.profiles.table import as_text, json_text, markdown
from mjgate.conformance.rules import BY_NAME

PAGE = Path(__file__).parents[3] / "openapi" / "PROFILES.md"


def test_the_page_says_what_the_profiles_are() -> None:
    assert PAGE.read_text() == markdown(KINDS), (
        "mjgate conformance profiles --markdown > openapi/PROFILES.md"
    )


def test_every_kind_is_named_once() -> None:
    assert ["mjgate", "documented", "novicezk", "buttons", "new-api"] == [*PROFILES]
    for kind in KINDS:
        names = [*(each.name for each in kind.deviations), *(each.name for each in kind.hidden)]
        assert len(names) == len(set(names))
        assert NOT_SHOWN[kind.name] == kind.hidden


def test_every_rule_that_a_profile_names_is_one() -> None:
    named = {waiver.rule for profile in PROFILES.values() for waiver in profile.waivers}
    unasked = {rule for profile in PROFILES.values() for rule in profile.unasked}
    assert named | unasked <= BY_NAME.keys()


def test_mjgate_is_let_pass_nothing() -> None:
    profile = PROFILES["mjgate"]
    assert ((), frozenset(), frozenset()) == (profile.waivers, profile.unasked, profile.absent)


def test_programs_get_json() -> None:
    told = json.loads(json_text(KINDS))
    assert [*PROFILES] == [each["name"] for each in told]
    novicezk = told[2]
    assert {
        "name": "unknown-task-is-empty",
        "rules": ["content_type", "body_matches_schema", "bad_refused"],
        "reason": "A fetch of an unknown task is 200 without a body.",
        "source": "novicezk 2.6.3, measured",
    } in novicezk["deviations"]
    assert {"operation", "reason", "source"} == novicezk["absent"][0].keys()
    assert {"rule", "reason", "source"} == novicezk["unasked"][0].keys()
    assert {"name", "reason", "source"} == novicezk["not_shown"][0].keys()


def test_people_get_lines() -> None:
    told = as_text(KINDS)
    assert "mjgate: the whole contract; nothing is let pass\n" in told
    assert "let pass   unknown-task-is-empty" in told
    assert "not there  GET /v1/key" in told
