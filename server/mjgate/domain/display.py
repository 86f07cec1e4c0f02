"""What others wrote, made fit to be shown."""

from unicodedata import category

_COMMANDING = frozenset({"Cc", "Cf", "Cs"})
"""Unicode's controls, formats (they turn the direction of what follows) and lone surrogates."""


def harmless(text: str) -> str:
    """What others wrote, without the signs by which it would command a terminal."""
    plain = text.replace("\r\n", "\n")
    if plain.isprintable():
        return plain
    return "".join(
        sign if sign in "\n\t" or category(sign) not in _COMMANDING else "\ufffd" for sign in plain
    )
