"""Takes the tokens of a run out of what it leaves behind, where a server has shown them.

A token never stands in a request that is kept. An answer that shows one breaks a rule, and would
then be in every report.
"""

import html
import re
from collections.abc import Iterable
from dataclasses import replace

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
        kept = sorted({each for each in secrets if len(each) >= LEAST}, key=len, reverse=True)
        pattern = "|".join("".join(map(_written, secret)) for secret in kept) or "(?!)"
        self._in_text = re.compile(pattern)
        self._in_bytes = re.compile(pattern.encode())

    def failure(self, failure: Failure) -> Failure:
        exchanges = tuple(map(self._exchange, failure.exchanges))
        text, detail = self.text(failure.text), self.text(failure.detail)
        return replace(failure, text=text, detail=detail, exchanges=exchanges)

    def text(self, text: str) -> str:
        return self._in_text.sub(MARK, text)

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
        return self._in_bytes.sub(MARK.encode(), body)


def _written(sign: str) -> str:
    """A pattern of all ways to write a sign: plain, as in JSON, in an address, in a page."""
    halves = sign.encode("utf-16-be").hex(" ", 2).split()
    forms = (
        re.escape(sign),
        rf"\\{re.escape(sign)}",
        "(?i:" + "".join(rf"\\u{half}" for half in halves) + ")",
        "(?i:" + "".join(f"%{byte:02x}" for byte in sign.encode()) + ")",
        f"(?i:&#0*{ord(sign)};|&#x0*{ord(sign):x};)",
        re.escape(html.escape(sign)),
    )
    return f"(?:{'|'.join(forms)})"
