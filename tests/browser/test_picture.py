"""The picture of a report that the documentation shows can be drawn again, and is small."""

from pathlib import Path

from PIL import Image

from tests.browser.picture import MOST_BYTES, PICTURE, draw


async def test_the_picture_can_be_drawn_again(tmp_path: Path) -> None:
    path = tmp_path / "drawn.png"
    await draw(path)
    with Image.open(path) as drawn, Image.open(PICTURE) as kept:
        assert ("PNG", kept.size) == (drawn.format, drawn.size)


def test_the_picture_is_small() -> None:
    assert 10_000 < PICTURE.stat().st_size < MOST_BYTES
