"""Pictures that their own address describes, so that it opens after any restart."""

import colorsys
import hashlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Literal

from PIL import Image, ImageDraw, ImageFilter, ImageFont

Kind = Literal["png", "webp"]

SIZE = 512
TILE = SIZE // 2
_NAME = re.compile(r"([0-9a-f]{16})-([0-4])-(\w{0,60})\.(png|webp)", re.ASCII)


@dataclass(frozen=True)
class Picture:
    """A sheet of four scenes (quadrant 0) or one of its scenes (1 to 4)."""

    seed: str
    """16 hexadecimal digits."""
    quadrant: int
    title: str
    """The prompt as it may stand in a file name, at most 47 characters."""

    def name(self, kind: Kind) -> str:
        return f"{self.seed}-{self.quadrant}-{self.title}.{kind}"

    def crop(self, quadrant: int) -> "Picture":
        """Scene 1 to 4 of this sheet; other numbers wrap around."""
        return Picture(self.seed, (quadrant - 1) % 4 + 1, self.title)

    def variant(self, salt: str) -> "Picture":
        """Another sheet on the same subject, the same for the same salt."""
        return Picture(_seed(f"{self.seed} {self.quadrant} {salt}"), 0, self.title)


def sheet(prompt: str, salt: str) -> Picture:
    title = re.sub(r"[^0-9A-Za-z]+", "_", prompt).strip("_")[:47]
    return Picture(_seed(f"{prompt} {salt}"), 0, title)


def read(name: str) -> tuple[Picture, Kind] | None:
    """The picture that `Picture.name` named, or None."""
    found = _NAME.fullmatch(name)
    if not found:
        return None
    seed, quadrant, title, kind = found.groups()
    return Picture(seed, int(quadrant), title), "png" if kind == "png" else "webp"


@lru_cache(maxsize=64)
def draw(picture: Picture, kind: Kind) -> bytes:
    """The picture as a PNG, or blurred as a preview in WebP."""
    image = _sheet(picture) if picture.quadrant == 0 else _scene(picture, picture.quadrant, SIZE)
    _caption(image, picture.title.replace("_", " "))
    out = io.BytesIO()
    if kind == "webp":
        image.filter(ImageFilter.GaussianBlur(9)).save(out, "WEBP", quality=60, method=0)
    else:
        image.save(out, "PNG", compress_level=1)
    return out.getvalue()


def _seed(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]


def _sheet(picture: Picture) -> Image.Image:
    image = Image.new("RGB", (SIZE, SIZE))
    for quadrant in range(1, 5):
        corner = ((quadrant - 1) % 2 * TILE, (quadrant - 1) // 2 * TILE)
        image.paste(_scene(picture, quadrant, TILE), corner)
    return image


def _scene(picture: Picture, quadrant: int, size: int) -> Image.Image:
    """A sun over hills; every quadrant of a sheet has its own, in one palette."""
    hue = Random(picture.seed).random()  # noqa: S311
    dice = Random(f"{picture.seed}/{quadrant}")  # noqa: S311
    image = _sky(_colour(hue, 0.55, 0.95), _colour(hue + 0.12, 0.7, 0.45), size)
    pen = ImageDraw.Draw(image, "RGBA")
    _sun(pen, dice, hue, size)
    for layer in range(4):
        colour = _colour(hue + 0.08 * layer, 0.6, 0.6 - 0.13 * layer)
        pen.polygon(list(_ridge(dice, 0.5 + 0.13 * layer, size)), fill=(*colour, 235))
    return image


def _sky(top: tuple[int, int, int], bottom: tuple[int, int, int], size: int) -> Image.Image:
    column = Image.new("RGB", (1, 2))
    column.putpixel((0, 0), top)
    column.putpixel((0, 1), bottom)
    return column.resize((size, size), Image.Resampling.BILINEAR)


def _sun(pen: ImageDraw.ImageDraw, dice: Random, hue: float, size: int) -> None:
    x, y, radius = (dice.uniform(0.2, 0.8), dice.uniform(0.15, 0.4), dice.uniform(0.06, 0.14))
    for glow in range(5, 0, -1):
        reach = radius * (0.7 + 0.3 * glow)
        box = [(x - reach) * size, (y - reach) * size, (x + reach) * size, (y + reach) * size]
        pen.ellipse(box, fill=(*_colour(hue + 0.5, 0.35, 1.0), 255 if glow == 1 else 40))


def _ridge(dice: Random, height: float, size: int) -> Iterator[tuple[float, float]]:
    yield (0.0, float(size))
    for step in range(9):
        yield (step / 8 * size, (height + dice.uniform(-0.09, 0.09)) * size)
    yield (float(size), float(size))


def _colour(hue: float, saturation: float, value: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, saturation, value)
    return int(red * 255), int(green * 255), int(blue * 255)


@lru_cache(maxsize=1)
def _font() -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(16)


def _caption(image: Image.Image, text: str) -> None:
    pen = ImageDraw.Draw(image)
    pen.text((10, SIZE - 28), text, (255, 255, 255), _font(), stroke_width=1, stroke_fill=(0, 0, 0))
