"""Pictures that their address describes."""

import io

import pytest
from PIL import Image, ImageChops, ImageStat

from mjgate.sandbox.pictures import Picture, draw, read, sheet

SHEET = sheet("a red fox in snow --ar 16:9", "1")


def opened(picture: Picture) -> Image.Image:
    return Image.open(io.BytesIO(draw(picture, "png"))).convert("RGB")


def unlikeness(one: Image.Image, other: Image.Image) -> float:
    return sum(ImageStat.Stat(ImageChops.difference(one, other)).mean)


def test_a_name_describes_its_picture() -> None:
    crop = SHEET.crop(2)
    assert (crop, "png") == read(crop.name("png"))
    assert (SHEET, "webp") == read(SHEET.name("webp"))


@pytest.mark.parametrize("name", ["", "x.png", "../../etc/passwd", f"{'0' * 16}-5-a.png"])
def test_other_names_describe_nothing(name: str) -> None:
    assert read(name) is None


@pytest.mark.parametrize("prompt", ["", "猫猫", "../..", "a" * 500, "a\x00b", "a\ud800b"])
def test_every_prompt_has_a_name(prompt: str) -> None:
    picture = sheet(prompt, "1")
    assert (picture, "png") == read(picture.name("png"))


def test_a_sheet_is_drawn_in_its_format() -> None:
    for kind in ("png", "webp"):
        image = Image.open(io.BytesIO(draw(SHEET, kind)))
        assert (kind.upper(), (512, 512)) == (image.format, image.size)


def test_an_upscale_shows_its_quadrant() -> None:
    whole = opened(SHEET)
    for number, box in enumerate([(0, 0), (256, 0), (0, 256), (256, 256)], 1):
        quadrant = whole.crop((*box, box[0] + 256, box[1] + 200))
        upscale = opened(SHEET.crop(number)).resize((256, 256)).crop((0, 0, 256, 200))
        assert unlikeness(quadrant, upscale) < 10


def test_quadrants_differ() -> None:
    assert unlikeness(opened(SHEET.crop(1)), opened(SHEET.crop(2))) > 10


def test_an_index_out_of_range_wraps_around() -> None:
    assert SHEET.crop(1) == SHEET.crop(9)
    assert SHEET.crop(4) == SHEET.crop(0)


def test_a_variation_is_another_picture_of_the_same_title() -> None:
    variant = SHEET.variant("VARIATION 1")
    assert SHEET.title == variant.title
    assert SHEET.seed != variant.seed
    assert variant == SHEET.variant("VARIATION 1")


def test_other_prompts_have_other_pictures() -> None:
    assert sheet("a cat", "").seed != sheet("a dog", "").seed
