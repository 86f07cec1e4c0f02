"""Upstream ids never leave the house: what an upstream says of a task, in our ids."""

import re
from collections.abc import Mapping

from msgspec.structs import replace

from mjgate.domain.task import Sight
from mjgate.store.tasks import Followed


def ours(followed: Followed, sight: Sight) -> Sight:
    """The sight with our ids in its description."""
    text, parent = sight.description, followed.parent_upstream_id
    if not text or (followed.upstream_id not in text and not (parent and parent in text)):
        return sight
    names = {followed.upstream_id: str(followed.task.id)}
    if parent:
        names[parent] = str(followed.parent_id)
    return replace(sight, description=_renamed(text, names))


def _renamed(text: str, names: Mapping[str, str]) -> str:
    """Whole words only: a short id is also a part of other numbers."""
    words = "|".join(map(re.escape, names))
    return re.sub(rf"(?<![0-9A-Za-z])(?:{words})(?![0-9A-Za-z])", lambda m: names[m[0]], text)
