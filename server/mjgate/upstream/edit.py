"""Edits single keys of a JSON object and keeps every other byte of its values."""

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def edited(body: bytes, replaced: Mapping[str, Any], dropped: Collection[str] = ()) -> bytes:
    """`body`, a JSON object, with some keys replaced and some dropped.

    Of a key that stands twice the last one is kept, as parsers read it.
    """
    members: dict[str, Any] = _decode(body)
    for key in dropped:
        members.pop(key, None)
    return msgspec.json.encode({**members, **replaced})
