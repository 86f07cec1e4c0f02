"""Publishes the contract: as it is, as JSON, and as pages that need no network."""

import hashlib
import html
import mimetypes
from collections.abc import Mapping
from pathlib import Path

import swagger_ui_bundle
from starlette.types import ASGIApp, Receive, Scope, Send

from mjgate.contract.document import Document
from mjgate.contract.send import send_bytes

_FILES = ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png")
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="/docs/favicon-32x32.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="pages"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script>
SwaggerUIBundle({{url: "/openapi.json", dom_id: "#pages", deepLinking: true, validatorUrl: null}})
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
    page = _PAGE.format(title=html.escape(document.spec["info"]["title"])).encode()
    pages: dict[str, ASGIApp] = {
        "/openapi.yaml": Page(document.source, "application/yaml"),
        "/openapi.json": Page(document.json(), "application/json"),
        "/docs": Page(page, "text/html; charset=utf-8"),
        "/docs/": Page(page, "text/html; charset=utf-8"),
    }
    folder = Path(str(swagger_ui_bundle.swagger_ui_path))
    for name in _FILES:
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        pages[f"/docs/{name}"] = Page((folder / name).read_bytes(), kind)
    return pages
