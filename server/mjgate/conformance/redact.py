"""Takes the tokens of a run out of what it leaves behind, where a server has shown them.

A token never stands in a request that is kept. An answer that shows one breaks a rule, and would
then be in every report.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from urllib.parse import quote

from mjgate.conformance.exchange import Answer, Exchange, Request
from mjgate.conformance.verdict import Failure, Verdict

MARK = "***"
LEAST = 4
"""Signs of a token that is taken out; a shorter one would take half of every text with it."""


def redacted(verdict: Verdict, secrets: Iterable[str]) -> Verdict:
    """The verdict with a mark in place of each secret, however it was written."""
    hide = _Hide(secrets)
    return replace(
        verdict,
        failures=tuple(map(hide.failure, verdict.failures)),
        notes=tuple(map(hide.text, verdict.notes)),
    )


class _Hide:
    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets if len(secret) >= LEAST for form in _forms(secret)}
        self._forms = sorted(forms, key=lambda form: (-len(form), form))

    def failure(self, failure: Failure) -> Failure:
        exchanges = tuple(map(self._exchange, failure.exchanges))
        text, detail = self.text(failure.text), self.text(failure.detail)
        return replace(failure, text=text, detail=detail, exchanges=exchanges)

    def text(self, text: str) -> str:
        for form in self._forms:
            text = text.replace(form, MARK)
        return text

    def _exchange(self, exchange: Exchange) -> Exchange:
        answer = exchange.answer and self._answer(exchange.answer)
        return replace(exchange, request=self._request(exchange.request), answer=answer)

    def _request(self, request: Request) -> Request:
        body = None if request.body is None else self._bytes(request.body)
        headers = self._headers(request.headers)
        return replace(request, url=self.text(request.url), headers=headers, body=body)

    def _answer(self, answer: Answer) -> Answer:
        return replace(answer, headers=self._headers(answer.headers), body=self._bytes(answer.body))

    def _headers(self, headers: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        return tuple((self.text(name), self.text(value)) for name, value in headers)

    def _bytes(self, body: bytes) -> bytes:
        for form in self._forms:
            body = body.replace(form.encode(), MARK.encode())
        return body


def _forms(secret: str) -> Iterator[str]:
    """As it is, as in an address, as in JSON."""
    yield secret
    yield quote(secret, safe="")
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
