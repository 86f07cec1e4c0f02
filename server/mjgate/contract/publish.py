"""Publishes the contract: as it is, as JSON, and as pages that need no network."""

import hashlib
import html
import mimetypes
import re
from collections.abc import Mapping
from pathlib import Path

import swagger_ui_bundle
from starlette.types import ASGIApp, Receive, Scope, Send

from mjgate.contract.document import Document
from mjgate.contract.send import send_bytes

_FILES = ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png")
_FIRST_OF_MARKUP = re.compile("[<>&\u2028\u2029]")
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="{folder}favicon-32x32.png">
<link rel="stylesheet" href="{folder}swagger-ui.css">
</head>
<body>
<div id="pages"></div>
<script src="{folder}swagger-ui-bundle.js"></script>
<script>
SwaggerUIBundle({{{contract}, dom_id: "#pages", deepLinking: true, validatorUrl: null}})
</script>
</body>
</html>
"""


class Page:
    """A fixed body with an ETag of its own."""

    def __init__(self, body: bytes, media_type: str) -> None:
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        self.body = body
        self._headers = [
            (b"content-type", media_type.encode()),
            (b"etag", etag.encode()),
            (b"cache-control", b"no-cache"),
        ]
        self._etag = etag.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if any(name == b"if-none-match" and self._has(v) for name, v in scope["headers"]):
            await send_bytes(send, 304, self._headers, b"")
            return
        await send_bytes(send, 200, self._headers, self.body)

    def _has(self, known: bytes) -> bool:
        return self._etag in known or known.strip() == b"*"


def contract_pages(document: Document) -> Mapping[str, ASGIApp]:
    """Paths to pages: the contract as YAML and JSON, and its reference."""
    page = _page(document, "/docs/", 'url: "/openapi.json"')
    pages: dict[str, ASGIApp] = {
        "/openapi.yaml": Page(document.source, "application/yaml"),
        "/openapi.json": Page(document.json(), "application/json"),
        "/docs": Page(page, "text/html; charset=utf-8"),
        "/docs/": Page(page, "text/html; charset=utf-8"),
    }
    for name, content in _files().items():
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        pages[f"/docs/{name}"] = Page(content, kind)
    return pages


def reference_files(document: Document) -> Mapping[str, bytes]:
    """The reference as files by name, to be opened from a folder, where no page fetches another."""
    spec = _FIRST_OF_MARKUP.sub(lambda found: f"\\u{ord(found[0]):04x}", document.json().decode())
    return {"index.html": _page(document, "", f"spec: {spec}"), **_files()}


def _page(document: Document, folder: str, contract: str) -> bytes:
    title = html.escape(document.spec["info"]["title"])
    return _PAGE.format(title=title, folder=folder, contract=contract).encode()


def _files() -> dict[str, bytes]:
    folder = Path(str(swagger_ui_bundle.swagger_ui_path))
    return {name: (folder / name).read_bytes() for name in _FILES}
