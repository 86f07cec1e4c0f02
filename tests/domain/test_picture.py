"""What pictures may be, where they come from, and how long a link lives."""

from typing import Any

import pytest

from mjgate.domain.picture import (
    MOST_PICTURES,
    MOST_SOURCE,
    WINDOW_S,
    Copy,
    Picture,
    distinct,
    expiry_s,
    file_name,
    is_admitted,
    is_source,
    media_type_of,
    origin_of,
    shown_name,
    url_of,
)

DAY_S = 86_400


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(24), "image/png"),
        (b"\xff\xd8\xff\xe0" + bytes(28), "image/jpeg"),
        (b"GIF87a" + bytes(26), "image/gif"),
        (b"GIF89a" + bytes(26), "image/gif"),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 " + bytes(16), "image/webp"),
        (b"\x00\x00\x00\x20ftypavif" + bytes(20), "image/avif"),
        (b"\x00\x00\x00\x20ftypisom" + bytes(20), "video/mp4"),
        (b"\x1a\x45\xdf\xa3" + bytes(28), "video/webm"),
        (b"", None),
        (b"\x89PNG", None),
        (b"RIFF\x10\x00\x00\x00WAVEfmt ", None),
        (b"\x00\x00\x00\x20ftypheic" + bytes(20), None),
        (b"<svg xmlns='http://www.w3.org/2000/svg'>", None),
        (b"<!doctype html><html>", None),
        (b'{"error": "http_get_image_failed"}', None),
    ],
)
def test_content_is_told_by_its_first_bytes(head: bytes, media_type: str | None) -> None:
    assert media_type == media_type_of(head)


@pytest.mark.parametrize(
    ("said", "admitted"),
    [
        ("image/png", True),
        ("IMAGE/PNG; charset=binary", True),
        ("image/jpg", True),
        ("video/mp4", True),
        ("application/octet-stream", True),
        ("", True),
        ("image/svg+xml", False),
        ("text/html; charset=utf-8", False),
        ("application/json", False),
    ],
)
def test_only_pictures_and_what_might_be_one_are_admitted(said: str, admitted: bool) -> None:
    assert admitted == is_admitted(said)


@pytest.mark.parametrize(
    ("address", "good"),
    [
        ("http://a/b.png", True),
        ("HTTPS://a/b.png", True),
        (None, False),
        ("", False),
        ("x", False),
        ("ftp://a/b.png", False),
        ("data:image/png;base64,AAAA", False),
        ("javascript:alert(1)", False),
        ("http://a/" + "b" * MOST_SOURCE, False),
    ],
)
def test_a_source_is_an_http_address(address: str | None, good: bool) -> None:
    assert good == is_source(address)


@pytest.mark.parametrize(
    ("address", "sent"),
    [
        ("http://a/b%2Fc?d=%20", "http://a/b%2Fc?d=%20"),
        ("http://a/图", "http://a/%E5%9B%BE"),
        ("http://a/b c", "http://a/b%20c"),
        ("http://a/\r\nX-Evil: 1", "http://a/X-Evil:%201"),
    ],
)
def test_an_address_goes_out_as_it_was_given_but_never_as_a_header(address: str, sent: str) -> None:
    assert sent == str(url_of(address))


def test_who_serves_a_picture_is_its_origin() -> None:
    assert "https://a.example:8443" == origin_of("https://a.example:8443/b.png?c#d")
    assert "" == origin_of("http://[::1/b.png")


def test_names_are_of_the_task_and_its_kind() -> None:
    assert "17-2-3" == file_name(17, 2, 3)
    assert "17.png" == shown_name(17, 0, "image/png")
    assert "17-2.webm" == shown_name(17, 2, "video/webm")


@pytest.mark.parametrize("now_s", [0, 1, DAY_S - 1, DAY_S, 1_800_000_000])
@pytest.mark.parametrize("life_s", [60, 3600, DAY_S, 7 * DAY_S])
def test_a_link_lives_its_life_and_a_window_at_most(now_s: int, life_s: int) -> None:
    expires_s = expiry_s(now_s, life_s)

    assert now_s + life_s <= expires_s < now_s + life_s + min(WINDOW_S, life_s)


def test_the_same_link_is_made_for_a_day() -> None:
    start_s = 20_000 * DAY_S + 1
    made = {expiry_s(start_s + hour * 3600, 7 * DAY_S) for hour in range(24)}

    assert {20_008 * DAY_S} == made


@pytest.mark.parametrize(
    ("first", "others", "kept"),
    [
        ("http://a", [], []),
        ("http://a", ["http://a"], []),
        ("http://a", ["http://a", "http://b"], ["http://a", "http://b"]),
        ("http://a", ["http://b"], ["http://b"]),
        (None, ["http://b"], ["http://b"]),
        ("http://a", ["x", "http://a"], []),
        ("http://a", ["http://b"] * 40, ["http://b"] * MOST_PICTURES),
    ],
)
def test_several_pictures_are_kept_where_they_are_more_than_the_first(
    first: str | None, others: list[str], kept: list[str]
) -> None:
    assert kept == distinct(first, others)


@pytest.mark.parametrize(
    ("state", "due", "coming"),
    [
        ("waiting", True, True),
        ("waiting", False, False),
        ("copying", False, True),
        ("kept", True, False),
        ("failed", True, False),
        ("dropped", True, False),
        (None, False, False),
    ],
)
def test_a_picture_is_waited_for_while_somebody_copies_it_or_may(
    state: Any, due: bool, coming: bool
) -> None:
    assert coming == Picture("http://a", state, 1, due, Copy("image/png", 1, b"")).coming
