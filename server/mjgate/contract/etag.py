"""Entity tags, and what `If-None-Match` says of them (RFC 9110, 8.8.3 and 13.1.2)."""

import re
from dataclasses import dataclass

_QUOTED = re.compile('"([!#-~\x80-\xff]*)"')


@dataclass(frozen=True, slots=True)
class Known:
    """What a client has: tags without their quotes, or with `anything` whatever there is."""

    tags: frozenset[str]
    anything: bool = False

    def has(self, tag: str) -> bool:
        """Whether it has that one, weakly compared."""
        return self.anything or tag in self.tags


def weak(tag: str) -> str:
    """A tag as a header has it: the bodies that have it say the same, byte for byte or not."""
    return f'W/"{tag}"'


NOTHING = Known(frozenset())


def known(if_none_match: str) -> Known:
    """What the header says; what is no tag in it names nothing."""
    if not if_none_match:
        return NOTHING
    return Known(frozenset(_QUOTED.findall(if_none_match)), if_none_match.strip() == "*")
