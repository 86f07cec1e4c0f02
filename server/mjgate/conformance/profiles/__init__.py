"""The kinds of servers that are known, and what a run holds each of them to.

A waiver lets one deviation pass, known from the server itself: its predicate is about the whole
exchange, so that a server which does anything else otherwise still fails.
"""

from collections.abc import Mapping
from typing import Final

from mjgate.conformance.profile import Profile
from mjgate.conformance.profiles import buttons, documented, newapi, novicezk
from mjgate.conformance.profiles.deviation import Hidden, Kind

MJGATE: Final = Kind("mjgate", "the whole contract; nothing is let pass")
KINDS: Final[tuple[Kind, ...]] = (
    MJGATE,
    documented.KIND,
    novicezk.KIND,
    buttons.KIND,
    newapi.KIND,
)
PROFILES: Final[Mapping[str, Profile]] = {kind.name: kind.profile for kind in KINDS}
NOT_SHOWN: Final[Mapping[str, tuple[Hidden, ...]]] = {kind.name: kind.hidden for kind in KINDS}
"""What is known to be otherwise and cannot be seen in a run."""
