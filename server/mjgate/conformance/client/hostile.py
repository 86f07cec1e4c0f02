"""What servers, proxies and networks answer that no contract allows; good ones in odd forms.

`good` is a body that the contract allows; the sizes are in bytes.
"""

import gzip
import json
import zlib
from collections.abc import Iterator
from typing import Any

from mjgate.conformance.client.reply import JSON_TYPE, Headers, Reply, as_json, head

_HTML = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
_HTML_TYPE: Headers = (("Content-Type", "text/html"),)
_DEEP = 100_000
_LARGE = 1 << 20
_GZIP: Headers = (*JSON_TYPE, ("Content-Encoding", "gzip"))
_DEFLATE: Headers = (*JSON_TYPE, ("Content-Encoding", "deflate"))


def hostile(good: Any, elsewhere: str) -> list[Reply]:
    """All of them. `elsewhere` is an address that a redirect may name."""
    body = as_json(good)
    return [
        *_well_said(good, body),
        *_bodies(body),
        *_changed(good, body),
        *_encoded(body),
        *_statuses(body, elsewhere),
        *_headers(body),
        *_broken(body),
    ]


def _well_said(good: Any, body: bytes) -> Iterator[Reply]:
    """Good answers, in forms that HTTP and JSON allow."""
    early = b"HTTP/1.1 100 Continue\r\n\r\n" + head(103, (("Link", "</docs>"),))
    yield _ok("a reply after 1xx", body, raw=early + _framed(body))
    yield _ok("a reply in chunks", body, raw=head(200, _chunked()) + _chunks(body) + b"0\r\n\r\n")
    yield _ok("a reply without a length", body, raw=head(200, _closed()) + body, end="close")
    yield _ok("a reply in gzip", gzip.compress(body), _GZIP, decoded=body)
    yield _ok("a reply in deflate", zlib.compress(body), _DEFLATE, decoded=body)
    yield _ok("a reply with blanks around", b"\r\n\t " + body + b" \n")
    yield _ok("a reply in ASCII", json.dumps(good).encode())
    yield _ok("a large reply", as_json(_enlarged(good)))
    many = tuple((f"X-Header-{number}", "x" * 100) for number in range(90))
    yield _ok("a reply with many headers", body, (*JSON_TYPE, *many))


def _bodies(body: bytes) -> Iterator[Reply]:
    """Bodies that are not the contract's, at a status that promises it."""
    yield _odd("a page in HTML", _HTML, _HTML_TYPE)
    for name, content in (
        ("no body", b""),
        ("blanks alone", b" \r\n"),
        ("null", b"null"),
        ("an empty object", b"{}"),
        ("an empty list", b"[]"),
        ("a list of null", b"[null]"),
        ("a list of empty objects", b"[{}]"),
        ("a number", b"7"),
        ("true", b"true"),
        ("a text", b'"text"'),
        ("an unknown object", b'{"error": {"message": "no"}}'),
        ("a number of 5000 digits", b"7" * 5000),
        ("lists too deep", b"[" * _DEEP),
        ("lists too deep that end", b"[" * _DEEP + b"]" * _DEEP),
        ("objects too deep", b'{"a":' * _DEEP),
        ("an event stream", b"data: " + body + b"\n\n"),
        ("JSON with padding", b"callback(" + body + b")"),
    ):
        yield _odd(name, content)


def _changed(good: Any, body: bytes) -> Iterator[Reply]:
    """A good body, spoilt."""
    yield _odd("a body cut in the middle", body[: len(body) // 2])
    yield _odd("a body without its last byte", body[:-1])
    yield _odd("a body with a word after it", body + b" ok")
    yield _odd("two bodies", body + body)
    yield _odd("a body that is not UTF-8", _put(good, b'"\xff\xfe"'))
    yield _odd("a body in UTF-16", body.decode().encode("utf-16"))
    yield _odd("a body with a byte order mark", b"\xef\xbb\xbf" + body)
    yield _odd("a body with surrogates in UTF-8", _put(good, b'"\xed\xa0\x80"'))
    yield _odd("a body with a lone surrogate", _put(good, b'"\\ud800"'))
    yield _odd("a body with U+0000", _put(good, b'"\\u0000"'))
    yield _odd("a body with NaN", _put(good, b"NaN"))
    yield _odd("a body with Infinity", _put(good, b"-Infinity"))
    yield _odd("a body with a number that no float holds", _put(good, b"1e999"))
    yield _odd("a body with a number of 5000 digits", _put(good, b"7" * 5000))
    yield _odd("a body with 500 levels", _put(good, b"[" * 500 + b"]" * 500))
    yield _odd("a body too deep", _put(good, b"[" * _DEEP + b"]" * _DEEP))
    yield _odd("a body with an unknown key twice", _put(good, b'1, "odd": 2'))
    yield _odd("a body with a key twice", _put(good, b"1, " + _first_key(good) + b": null"))
    yield _odd("a body with lists for objects", as_json(_swapped(good, dict, [])))
    yield _odd("a body with texts for objects", as_json(_swapped(good, dict, "")))
    yield _odd("a body with objects for lists", as_json(_swapped(good, list, {})))
    yield _odd("a body with a key twice deep within", _put(good, b'[{"a": 1, "a": 2}]'))


def _encoded(body: bytes) -> Iterator[Reply]:
    """Bodies that are not what their headers say."""
    packed = gzip.compress(body)
    yield _odd("a body of another type", body, _HTML_TYPE)
    yield _odd("a body of a charset that is none", body, (("Content-Type", "text/x; charset=no"),))
    yield _odd("a body without a type", body, ())
    yield _odd("a gzip that is none", body, _GZIP)
    yield _odd("a page in HTML that says gzip", _HTML, _GZIP, status=502)
    yield _odd("a deflate that is none", _HTML, _DEFLATE)
    yield _odd("a gzip of nothing", b"", _GZIP)
    yield _odd("an unknown encoding", body, (*JSON_TYPE, ("Content-Encoding", "x-odd")))
    broken = packed[: len(packed) // 2]
    yield _broken_as("a gzip that is cut", broken, _GZIP)
    yield _broken_as("a gzip with a wrong sum", packed[:-8] + b"\0" * 8, _GZIP)


def _statuses(body: bytes, elsewhere: str) -> Iterator[Reply]:
    for status in (204, 205, 299, 418, 420, 451, 599, 999):
        yield _odd(f"a status {status}", b"" if status == 204 else body, status=status)
    for status in (400, 401, 403, 404, 500, 503):
        yield _odd(f"a page in HTML at {status}", _HTML, _HTML_TYPE, status=status)
        yield _odd(f"no body at {status}", b"", status=status)
    yield _odd("words at 429", b"slow down", (("Retry-After", "0"),), status=429)
    yield _odd("a page of a proxy", _HTML, _HTML_TYPE, status=502)
    yield _odd("no body at 504", b"", status=504)
    yield _odd("an error of a framework", b'{"error": "Not Found"}', status=404)
    yield _odd("a good body at an error", body, status=500)
    yield _odd("a 304 unasked", b"", status=304)
    for status in (301, 302, 303, 307, 308):
        yield _odd(f"a redirect {status}", _HTML, (("Location", elsewhere),), status=status)
    yield _odd("a redirect to nowhere", b"", status=302)
    yield _broken_as("a redirect to no address", b"", (("Location", "http://[/"),), status=302)


def _headers(body: bytes) -> Iterator[Reply]:
    for name, value in (
        ("ETag", 'W/"\u00e9"'),
        ("ETag", ""),
        ("Retry-After", "soon"),
        ("X-Request-Id", "\u00ff\u00fe"),
        ("Set-Cookie", "a=b; Expires=never; Domain=.; Max-Age=x"),
        ("Set-Cookie", "=;;;"),
        ("Content-Language", ",,,"),
    ):
        yield _ok(f"an odd {name}", body, (*JSON_TYPE, (name, value)))


def _broken(body: bytes) -> Iterator[Reply]:
    """What is no whole answer."""
    start = head(200, (*JSON_TYPE, ("Content-Length", str(len(body) + 10))))
    for name, raw in (
        ("no answer", b""),
        ("half a status line", b"HTTP/1.1 2"),
        ("half a header", b"HTTP/1.1 200 OK\r\nContent-Ty"),
        ("a connection that ends before the body", start),
        ("a connection that ends in the body", start + body),
        ("a connection that ends in a chunk", head(200, _chunked()) + b"ffff\r\n" + body),
        ("a chunk of no size", head(200, _chunked()) + b"size\r\n" + body + b"\r\n0\r\n\r\n"),
        ("chunks without an end", head(200, _chunked()) + _chunks(body)),
        ("no HTTP", b"SSH-2.0-OpenSSH_9.6\r\n"),
        ("an HTTP that is none", b"HTTP/9.9 200 OK\r\n\r\n"),
        ("a status that is none", b"HTTP/1.1 ok\r\n\r\n"),
        ("a length that is none", head(200, (("Content-Length", "-1"),)) + body),
        ("two lengths", head(200, (("Content-Length", "1"), ("Content-Length", "2"))) + body),
        ("a header that is none", b"HTTP/1.1 200 OK\r\nno header\r\n\r\n" + body),
        ("a header without an end", b"HTTP/1.1 200 OK\r\nX: " + b"x" * _LARGE),
        ("1xx alone", b"HTTP/1.1 100 Continue\r\n\r\n" * 20),
        ("a switch of protocols", head(101, (("Upgrade", "websocket"),)) + b"\x81\x00"),
    ):
        yield Reply(name, "broken", 200, raw=raw, end="close")
    yield Reply("a connection that is reset", "broken", 200, raw=start + body[:5], end="reset")


def _ok(name: str, payload: bytes, headers: Headers = JSON_TYPE, **more: Any) -> Reply:
    return Reply(name, "valid", 200, headers, payload, **more)


def _odd(name: str, payload: bytes, headers: Headers = JSON_TYPE, status: int = 200) -> Reply:
    return Reply(name, "odd", status, headers, payload)


def _broken_as(name: str, payload: bytes, headers: Headers, status: int = 200) -> Reply:
    """An answer that came whole, of which HTTP libraries say that it did not."""
    return Reply(name, "broken", status, headers, payload, end="close")


def _framed(body: bytes) -> bytes:
    return head(200, (*JSON_TYPE, ("Content-Length", str(len(body))))) + body


def _chunked() -> Headers:
    return (*JSON_TYPE, ("Transfer-Encoding", "chunked"))


def _closed() -> Headers:
    return (*JSON_TYPE, ("Connection", "close"))


def _chunks(body: bytes) -> bytes:
    parts = [body[at : at + 7] for at in range(0, len(body), 7)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)


def _put(good: Any, odd: bytes) -> bytes:
    """A good body with one unknown key more, whose value is the text given."""
    if isinstance(good, list):
        return b"[" + (_put(good[0], odd) if good else odd) + b"]"
    rest = as_json(good)[1:]
    return b'{"odd":' + odd + (b"}" if rest == b"}" else b"," + rest)


def _swapped(good: Any, kind: type, other: Any) -> Any:
    """A good value whose fields of a kind are another thing."""
    if isinstance(good, list):
        return [_swapped(item, kind, other) for item in good]
    return {name: other if isinstance(value, kind) else value for name, value in good.items()}


def _first_key(good: Any) -> bytes:
    holder = good[0] if isinstance(good, list) else good
    return as_json(next(iter(holder)))


def _enlarged(good: Any) -> Any:
    """A value as large as `_LARGE`, which the contract allows as it does the small one."""
    if isinstance(good, list):
        return good * (1 + _LARGE // len(as_json(good)))
    return {**good, "newer": "x" * _LARGE}
