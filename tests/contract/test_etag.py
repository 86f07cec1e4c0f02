"""Entity tags, compared as HTTP has it."""

import pytest

from mjgate.contract.etag import known, weak


@pytest.mark.parametrize(
    ("header", "tag", "has"),
    [
        ('"7"', "7", True),
        ('W/"7"', "7", True),
        ('"7"', "8", False),
        ('"6", W/"7",\t"8"', "7", True),
        ('"6","8"', "7", False),
        ('"a, b"', "a, b", False),
        ('"6", , "7"', "7", True),
        ("*", "7", True),
        (" * ", "7", True),
        ("7", "7", False),
        ('"*"', "7", False),
        ('"7', "7", False),
        ('w/"7"', "7", True),
        ('""', "", True),
        ("", "", False),
        ('"\xe9"', "\xe9", True),
    ],
)
def test_a_client_has_the_tags_that_it_names(header: str, tag: str, has: bool) -> None:
    assert has is known(header).has(tag)


def test_a_tag_that_was_sent_is_known_when_it_comes_back() -> None:
    assert 'W/"7"' == weak("7")
    assert known(weak("7")).has("7")


def test_only_a_star_stands_for_anything() -> None:
    assert known("*").anything
    assert not known('"*"').anything
