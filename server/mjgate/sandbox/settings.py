"""What one sandbox is told at its start."""

from dataclasses import dataclass
from typing import Literal, get_args

DialectName = Literal["novicezk", "buttons", "new-api"]
DIALECTS: tuple[DialectName, ...] = get_args(DialectName)

BANNED = ("nude", "naked", "nsfw", "porn", "gore", "bloodbath", "decapitate", "hentai")


@dataclass(frozen=True)
class Settings:
    """The sandbox's nature. The queue sizes recorded of novicezk are 3 and 10."""

    dialect: DialectName = "novicezk"
    speed: float = 1.0
    """How much faster than life: at 1 a picture takes about 8 seconds."""
    secret: str | None = None
    core_size: int = 8
    """Tasks that run at once."""
    queue_size: int = 100
    """Tasks that may wait for one that runs."""
    public_url: str | None = None
    """Origin of picture addresses; by default the Host that the submit was sent to."""
    banned: tuple[str, ...] = BANNED
    kept: int = 20_000
    """Tasks remembered; beyond it the oldest are dropped."""
    heard: int = 2_000
    """Requests remembered for `GET /sandbox/requests`."""

    def __post_init__(self) -> None:
        if self.dialect not in DIALECTS:
            raise ValueError(f"dialect '{self.dialect}' is none of {', '.join(DIALECTS)}")
        if not (self.speed > 0 and self.core_size > 0 and self.queue_size >= 0):
            raise ValueError("speed and core_size must be above 0, queue_size not below it")
