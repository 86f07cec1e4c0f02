"""Requests that break the contract, one row each, with the refusal that each deserves."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

BODIES: tuple[Any, ...] = (None, [], "x", 1, 1.5, True)
WRONG_IDS: tuple[Any, ...] = ("", "x" * 65, -1, 1.5, 2**53, True, None, [], {})
ACTIONS: tuple[Any, ...] = ("upscale", "ZOOM", "", "UPSCALE ", 1, None, ["UPSCALE"], {})
NO_LISTS: tuple[Any, ...] = ("1", 1, 1.5, True, {})
JSON = {"Content-Type": "application/json"}
IMAGINE, CHANGE, LIST = "/mj/submit/imagine", "/mj/submit/change", "/mj/task/list-by-condition"
TASK_REF = "must be a string of 1 to 64 characters or a whole number from 0 to 9007199254740991"
TEXTS: tuple[Any, ...] = (7, 1.5, True, [], {})
KINDS = {
    int: "a whole number",
    float: "a number with a fraction",
    bool: "true or false",
    list: "an array",
    dict: "an object",
    str: "a string",
    type(None): "null",
}


@dataclass(frozen=True)
class Bad:
    """A request, and where and why it is refused; `pointer` None is no place at all."""

    name: str
    path: str
    body: bytes
    pointer: str | None
    message: str
    status: int = 400
    slug: str = "invalid_request"
    headers: dict[str, str] = field(default_factory=lambda: JSON)


def imagine(**fields: Any) -> dict[str, Any]:
    return {"prompt": "a red fox", **fields}


def change(action: str, **fields: Any) -> dict[str, Any]:
    index = {} if action == "REROLL" else {"index": 1}
    return {"action": action, "taskId": "1320098173412546", **index, **fields}


def without(body: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key != name}


def row(name: str, path: str, value: Any, pointer: str | None, message: str) -> Bad:
    return Bad(name, path, json.dumps(value).encode(), pointer, message)


def raw(name: str, body: bytes, pointer: str | None, message: str) -> Bad:
    return Bad(name, IMAGINE, body, pointer, message)


def typed(
    name: str, path: str, body: dict[str, Any], key: str, wrong: tuple[Any, ...], wanted: str
) -> Iterator[Bad]:
    """The field `key` of `body` as each of `wrong`."""
    for value in wrong:
        kind = KINDS[type(value)]
        yield row(
            f"{name}.{key} is {kind}",
            path,
            {**body, key: value},
            f"/{key}",
            f"must be {wanted}, not {kind}",
        )


def bodies() -> Iterator[Bad]:
    for path, name in ((IMAGINE, "imagine"), (LIST, "list")):
        for value in BODIES:
            kind = KINDS[type(value)]
            yield row(f"{name} is {kind}", path, value, "", f"must be an object, not {kind}")
    for value in BODIES:
        kind = KINDS[type(value)]
        yield row(f"change is {kind}", CHANGE, value, "", f"must be an object, not {kind}")


def imagine_fields() -> Iterator[Bad]:
    yield row("no prompt", IMAGINE, {"state": "x"}, "/prompt", "is required")
    yield row("an empty object", IMAGINE, {}, "/prompt", "is required")
    yield row("an empty prompt", IMAGINE, {"prompt": ""}, "/prompt", "at least 1 char")
    for blank in (" ", "\t\r\n \v\f", "\u3000\u00a0"):
        yield row(f"blank {blank!r}", IMAGINE, {"prompt": blank}, "/prompt", "must not be blank")
    yield row("a long prompt", IMAGINE, imagine(prompt="x" * 65537), "/prompt", "at most 65536")
    yield from typed("imagine", IMAGINE, imagine(), "prompt", (*TEXTS, None), "a string")
    for key in ("base64", "state", "notifyHook"):
        yield from typed("imagine", IMAGINE, imagine(), key, TEXTS, "a string or null")
    yield from typed(
        "imagine", IMAGINE, imagine(), "base64Array", ("x", 7, 1.5, True, {}), "an array or null"
    )
    for value in (*TEXTS, None):
        kind = KINDS[type(value)]
        body = imagine(base64Array=["data:", value])
        message = f"must be a string, not {kind}"
        yield row(f"a picture is {kind}", IMAGINE, body, "/base64Array/1", message)


def shared_fields() -> Iterator[Bad]:
    long_hook = "https://example.org/" + "x" * 2048
    for path, body in ((IMAGINE, imagine()), *((CHANGE, change(a)) for a in ("UPSCALE", "REROLL"))):
        name = f"{path} {body.get('action', '')}"
        yield row(f"{name} long state", path, {**body, "state": "x" * 16385}, "/state", "16384")
        hooked = {**body, "notifyHook": long_hook}
        yield row(f"{name} long hook", path, hooked, "/notifyHook", "at most 2048")
    for hook in (
        "x",
        "/hook",
        "//example.org/hook",
        "example.org/hook",
        "ftp://example.org/hook",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://",
        "http:///hook",
        "https://user:secret@example.org/hook",
        "https://user@example.org/hook",
        "https://example.org:port/hook",
        "https://example.org:123456/hook",
        "https://exa mple.org/hook",
        "https://example.org/ho ok",
        "https://example.org/\r\nX: y",
        "https://[::1/hook",
        "https://bücher.example/",
        "https://example.org/ü",
        "https://example.org\\@evil.example/",
    ):
        yield row(
            f"hook {hook}",
            IMAGINE,
            imagine(notifyHook=hook),
            "/notifyHook",
            "must be blank, or an absolute http or https address without credentials",
        )


def change_fields() -> Iterator[Bad]:
    named = "UPSCALE, VARIATION or REROLL"
    yield row("no action", CHANGE, {"taskId": "1"}, "/action", f"is required; use {named}")
    for action in ACTIONS:
        body = {**change("UPSCALE"), "action": action}
        yield row(f"action {action}", CHANGE, body, "/action", f"must be {named}")
    for named in ("UPSCALE", "VARIATION"):
        yield from indexes(named)
    kind = "a whole number or null"
    yield from typed("REROLL", CHANGE, change("REROLL"), "index", ("x", 1.5, True, []), kind)
    late = change("REROLL", index=2**31)
    yield row("REROLL index 2**31", CHANGE, late, "/index", "at most 2147483647")
    for named in ("UPSCALE", "VARIATION", "REROLL"):
        yield from parents(named)


def indexes(action: str) -> Iterator[Bad]:
    body = change(action)
    yield row(f"{action} no index", CHANGE, without(body, "index"), "/index", "is required")
    yield row(f"{action} index 0", CHANGE, {**body, "index": 0}, "/index", "at least 1")
    yield row(f"{action} index -1", CHANGE, {**body, "index": -1}, "/index", "at least 1")
    yield row(f"{action} index 5", CHANGE, {**body, "index": 5}, "/index", "at most 4")
    odd: tuple[Any, ...] = ("3", 1.5, True, None, [1], {})
    yield from typed(action, CHANGE, body, "index", odd, "a whole number")


def parents(action: str) -> Iterator[Bad]:
    body = change(action)
    yield row(f"{action} no task", CHANGE, without(body, "taskId"), "/taskId", "is required")
    for key in ("state", "notifyHook"):
        yield from typed(action, CHANGE, body, key, TEXTS, "a string or null")
    for wrong_id in WRONG_IDS:
        wrong_body = {**body, "taskId": wrong_id}
        yield row(f"{action} task {wrong_id}", CHANGE, wrong_body, "/taskId", TASK_REF)


def list_fields() -> Iterator[Bad]:
    for ids in NO_LISTS:
        kind = KINDS[type(ids)]
        message = f"must be an array or null, not {kind}"
        yield row(f"ids is {kind}", LIST, {"ids": ids}, "/ids", message)
    for wrong_id in WRONG_IDS:
        yield row(f"an id is {wrong_id}", LIST, {"ids": ["1", wrong_id]}, "/ids/1", TASK_REF)
    yield row("many ids", LIST, {"ids": [1] * 10001}, "/ids", "must have at most 10000 items")
    late = {"ids": [1] * 9000 + [None]}
    yield row("a late id", LIST, late, "/ids/9000", "does not have the documented form")


def malformed() -> Iterator[Bad]:
    yield raw("an empty body", b"", "", "is empty; send a JSON object")
    yield raw("a blank body", b" \r\n", "", "is not JSON")
    for name, body in {
        "an open object": b'{"prompt": "x"',
        "a bare word": b"prompt",
        "a comma too many": b'{"prompt": "x",}',
        "single quotes": b"{'prompt': 'x'}",
        "a comment": b'{"prompt": "x"} // y',
        "trailing bytes": b'{"prompt": "x"}x',
        "two bodies": b'{"prompt": "x"}{"prompt": "y"}',
        "a trailing NUL": b'{"prompt": "x"}\0',
        "a raw control character": b'{"prompt": "a\nb"}',
        "a raw NUL": b'{"prompt": "a\0b"}',
        "a bad escape": rb'{"prompt": "\x41"}',
        "a leading zero": b'{"prompt": "x", "more": 01}',
        "a form as JSON": b"prompt=x&state=y",
        "a lone surrogate in what is no JSON": rb'{"prompt": "\ud800", more}',
        "a byte order mark": b'\xef\xbb\xbf{"prompt": "x"}',
        **{
            f"the number {number}": b'{"prompt": "x", "more": [' + number.encode() + b"]}"
            for number in ("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "9" * 5000, "0x10")
        },
    }.items():
        yield raw(name, body, "", "is not JSON: ")
    for name, body, byte in (
        ("a bad byte", b'{"prompt": "\xff"}', 12),
        ("a surrogate in UTF-8", b'{"prompt": "\xed\xa0\x80"}', 12),
        ("an overlong NUL", b'{"prompt": "\xc0\x80"}', 12),
        ("UTF-16", json.dumps(imagine()).encode("utf-16"), 0),
        ("gzip", b"\x1f\x8b\x08\x00", 1),
    ):
        yield raw(name, body, "", f"is not UTF-8: byte {byte}")
    deep = "is nested deeper than 128 levels"
    for levels in (129, 1000, 1030, 100_000):
        yield raw(f"{levels} deep", nested(levels), "", deep)
    yield raw("deep and huge", nested(1010, b"9" * 30), "", deep)
    yield raw("100,000 open arrays", b"[" * 100_000, "", deep)
    yield raw("129 objects", b'{"a":' * 129 + b"1" + b"}" * 129, "", deep)


def nested(levels: int, core: bytes = b"1") -> bytes:
    """An imagine `levels` deep, itself counted."""
    inner = b"[" * (levels - 1) + core + b"]" * (levels - 1)
    return b'{"prompt": "x", "more": ' + inner + b"}"


def refused_characters() -> Iterator[Bad]:
    for kind, escape, message in (
        ("U+0000", r"\u0000", "must not hold U+0000"),
        ("high surrogate", r"\ud800", "must not hold a lone surrogate"),
        ("low surrogate", r"\udfff", "must not hold a lone surrogate"),
    ):
        shown = escape
        for path, body in ((IMAGINE, imagine()), (CHANGE, change("UPSCALE")), (LIST, {})):
            for key in ("prompt", "state", "notifyHook", "base64", "taskId", "action", "more"):
                text = json.dumps({**body, key: "a@b"}).replace("@", escape)
                name = f"{kind} in {path} {key}"
                yield Bad(name, path, text.encode(), f"/{key}", message)
            text = json.dumps({**body, "a@": 1}).replace("@", escape)
            yield Bad(f"{kind} in a key of {path}", path, text.encode(), f"/a{shown}", message)
            text = json.dumps({**body, "a": [{"b/c~": {"@": ["@"]}}]}).replace("@", escape)
            place = f"/a/0/b~1c~0/{shown}"
            yield Bad(f"{kind} in a nested key of {path}", path, text.encode(), place, message)
        text = rf'{{"prompt": "x", "base64Array": ["x", "{escape}"]}}'
        yield raw(f"{kind} in a picture", text.encode(), "/base64Array/1", message)
        text = rf'{{"prompt": "x", "more": {{"a": ["x", "\\{escape}"]}}}}'
        yield raw(f"{kind} after a backslash", text.encode(), "/more/a/1", message)
    yield Bad("U+0000 in an id", LIST, rb'{"ids": ["1", "\u0000"]}', "/ids/1", "U+0000")
    twice = rb'{"prompt": "x", "more": {"a": "\u0000", "a": "y"}}'
    yield raw("U+0000 where a key stands twice", twice, "", "must not hold U+0000")
    long_key = b'{"prompt": "x", "' + b"k" * 5000 + rb'\u0000": 1}'
    yield raw("U+0000 in a long key", long_key, "/" + "k" * 999, "must not hold U+0000")


def huge_numbers() -> Iterator[Bad]:
    message = "must be a whole number of at most 64 bits"
    for number in (2**63, -(2**63) - 1, 2**64, 2**64 - 1, 10**25, -(10**25), 10**300):
        for path, body in ((IMAGINE, imagine()), (CHANGE, change("UPSCALE")), (LIST, {})):
            value = {**body, "more": {"a": [0, number]}}
            yield row(f"{number} in {path}", path, value, "/more/a/1", message)
    yield row("a huge index", CHANGE, change("UPSCALE", index=2**63), "/index", message)
    yield row("a huge task", CHANGE, change("REROLL", taskId=2**64), "/taskId", message)
    yield row("a huge id", LIST, {"ids": [1, 2**63]}, "/ids/1", message)


def media_types() -> Iterator[Bad]:
    good = json.dumps(imagine()).encode()
    for name, given, body in (
        ("no Content-Type", None, good),
        ("a form", "application/x-www-form-urlencoded", b"prompt=x"),
        ("multipart", "multipart/form-data; boundary=x", b"--x--"),
        ("text", "text/plain", good),
        ("JSON in latin-1", "application/json; charset=latin-1", good),
        ("JSON in UTF-16", 'application/json; charset="utf-16"', good),
        ("problem JSON", "application/problem+json", good),
        ("two types", "application/json, text/plain", good),
        ("anything", "*/*", good),
        ("a blank type", " ", good),
    ):
        headers = {} if given is None else {"Content-Type": given}
        shown = (given or "").strip() or "nothing"
        message = f"must be sent as application/json in UTF-8; Content-Type says {shown}"
        yield Bad(name, IMAGINE, body, None, message, 415, "not_json", headers)
    for path in (CHANGE, LIST):
        style = {"Content-Type": "text/css"}
        yield Bad("a style", path, b"x", None, "text/css", 415, "not_json", style)


ROWS = [
    *bodies(),
    *imagine_fields(),
    *shared_fields(),
    *change_fields(),
    *list_fields(),
    *malformed(),
    *refused_characters(),
    *huge_numbers(),
    *media_types(),
]
