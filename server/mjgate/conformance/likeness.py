"""Whether what answers is a server of this API at all, right or wrong, or something else."""

from typing import Final

from mjgate.conformance.contract_view import FETCH, KEY, LIST, USAGE
from mjgate.conformance.exchange import Exchange
from mjgate.conformance.rules import Sight

_ELSEWHERE: Final = frozenset({404, 405, 410, 501, *range(300, 400)})
"""What a server says of an address that it does not have, and of one that it leads away from."""


def is_of_api(sight: Sight) -> bool:
    """Whether an answer has the form of this API, as every server of it has some.

    A 404 is none, whatever its form: a gateway says it of each path below a wrong address.
    """
    status, path = sight.answer.status, sight.path
    if status in _ELSEWHERE or not path:
        return False
    if status >= 400:
        return isinstance(sight.at("code"), int) and isinstance(sight.at("description"), str)
    if path == LIST:
        return isinstance(sight.body, list)
    if path == FETCH:
        return sight.at("id") is not None and sight.at("status") is not None
    if path in (KEY, USAGE):
        documented = sight.documented
        schema = documented.schema if documented else None
        return schema is not None and not sight.contract.faults(schema, sight.body)
    return isinstance(sight.at("code"), int) and sight.at("description") is not None


def is_foreign(exchange: Exchange) -> bool:
    """Whether an answer that is none of this API is plainly that of something else."""
    answer = exchange.answer
    if answer is None:
        return False
    page = (answer.header("content-type") or "").lower().startswith("text/html")
    return answer.status in _ELSEWHERE or answer.status < 300 or (page and answer.status < 500)


def described(exchange: Exchange) -> str:
    """What came, for who has mistaken the address."""
    assert exchange.answer is not None
    kind = (exchange.answer.header("content-type") or "").partition(";")[0].strip()
    form = f" as {kind}" if kind else ""
    return f"{exchange.request.method} {exchange.request.path} got {exchange.answer.status}{form}"
