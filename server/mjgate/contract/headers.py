"""The headers of a request, looked up many times and built once."""

from starlette.types import Scope

HEADERS = "mjgate.headers"


def headers(scope: Scope) -> dict[bytes, bytes]:
    """Lower-case names to values; of a header that stands twice the first."""
    found: dict[bytes, bytes] | None = scope.get(HEADERS)
    if found is None:
        found = scope[HEADERS] = dict(reversed(scope["headers"]))
    return found
