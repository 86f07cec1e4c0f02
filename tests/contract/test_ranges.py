"""Which part of an answer a `Range` asks for."""

import pytest

from mjgate.contract.ranges import Part, part_of
from mjgate.errors import OutOfRange


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=0-9", 0, 9),
        ("bytes=3-5", 3, 5),
        ("bytes=3-", 3, 9),
        ("bytes=3-100", 3, 9),
        ("bytes=-4", 6, 9),
        ("bytes=-100", 0, 9),
        ("Bytes= 3 - 5", 3, 5),
    ],
)
def test_one_range_is_a_part(asked: str, first: int, last: int) -> None:
    part = part_of(asked, 10)

    assert Part(first, last, 10) == part
    assert last - first + 1 == part.count
    assert f"bytes {first}-{last}/10" == str(part)


@pytest.mark.parametrize(
    "asked",
    ["", "bytes", "bytes=", "bytes=-", "bytes=5-3", "bytes=0-1,3-4", "lines=0-1", "bytes=a-b",
     "bytes=0x1-2", "bytes=" + "9" * 19 + "-", "bytes=١-٢"],
)  # fmt: skip
def test_what_is_no_range_asks_for_all(asked: str) -> None:
    assert part_of(asked, 10) is None


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=999999999999-"])
def test_a_range_without_a_byte_is_refused_with_the_size(asked: str) -> None:
    with pytest.raises(OutOfRange) as refusal:
        part_of(asked, 10)

    assert {"Content-Range": "bytes */10"} == refusal.value.headers
