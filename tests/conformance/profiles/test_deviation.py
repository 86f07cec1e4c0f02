"""A deviation becomes waivers: of its rules, and of the headers that it leaves out."""

from mjgate.conformance.exchange import Answer, Exchange, Request
from mjgate.conformance.profiles.deviation import Deviation, Kind, Omission

ODD = Exchange(Request("GET", "http://x/odd"), Answer(200))
EVEN = Exchange(Request("GET", "http://x/even"), Answer(200))


def deviation(**more: object) -> Deviation:
    known = {"name": "odd", "reason": "It is.", "source": "seen", "shows": lambda e: e == ODD}
    return Deviation(**{**known, **more})  # type: ignore[arg-type]


def test_a_rule_is_let_pass_where_the_exchange_shows_it() -> None:
    (waiver,) = deviation(rules=("bad_refused",)).waivers()
    assert ("odd", "bad_refused", "It is.", "seen") == (
        waiver.name,
        waiver.rule,
        waiver.reason,
        waiver.source,
    )
    assert waiver.applies(ODD, "any text")
    assert not waiver.applies(EVEN, "any text")


def test_words_narrow_what_is_let_pass() -> None:
    (waiver,) = deviation(rules=("x",), only={"x": "that"}).waivers()
    assert waiver.applies(ODD, "that one")
    assert not waiver.applies(ODD, "another")


def test_only_the_absence_of_its_headers_is_let_pass() -> None:
    kept = deviation(without=("etag",))
    assert ("headers_match", "error_shape") == kept.breaks
    for waiver in kept.waivers():
        assert waiver.applies(ODD, "200 has no etag")
        assert not waiver.applies(EVEN, "200 has no etag")
        assert not waiver.applies(ODD, "200 has no x-request-id")
        assert not waiver.applies(ODD, "etag does not fit its schema")


def test_a_kind_is_a_profile() -> None:
    kind = Kind(
        "odd",
        "an odd server",
        (deviation(rules=("a", "b")),),
        (Omission("key_holds", "no", "seen"),),
        (Omission("GET /v1/key", "no", "seen"),),
    )
    profile = kind.profile
    assert ("odd", "an odd server") == (profile.name, profile.title)
    assert ["a", "b"] == [waiver.rule for waiver in profile.waivers]
    assert (frozenset({"key_holds"}), frozenset({"GET /v1/key"})) == (
        profile.unasked,
        profile.absent,
    )
