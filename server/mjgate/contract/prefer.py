"""What a client would rather have: the `Prefer` header (RFC 7240).

A preference that is malformed or unknown is overlooked; of one that is given twice the first
counts.
"""

import re

APPLIED = "Preference-Applied"
WAIT = "wait"
_MOST_TEXT = 1000
_MOST_DIGITS = 9
_PIECE = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*")+')
_PREFERENCE = re.compile(
    r"""[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)        # its name
    (?:[ \t]*=[ \t]*("?)([^"\s;,]*)\2)?            # and its value, quoted or not
    [ \t]*(?:;.*)?                                 # parameters, which `wait` has none of
    """,
    re.VERBOSE,
)


def wait_s(prefer: str, most: int) -> int:
    """The seconds that `wait` asks for, at most so many; 0 where it asks for none."""
    for piece in _PIECE.findall(prefer[:_MOST_TEXT]):
        found = _PREFERENCE.fullmatch(piece)
        if found and found[1].lower() == WAIT:
            return min(_seconds(found[3] or ""), most)
    return 0


def _seconds(text: str) -> int:
    return int(text[:_MOST_DIGITS]) if text.isascii() and text.isdigit() else 0
