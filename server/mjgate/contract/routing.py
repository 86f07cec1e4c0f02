"""Finds the operation of a request: a dict for fixed paths, segments for the others."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from connexion.middleware.abstract import ROUTING_CONTEXT
from connexion.middleware.routing import RoutingMiddleware
from connexion.spec import Specification
from starlette.types import ASGIApp, Receive, Scope, Send

from mjgate.contract.operation import METHODS, Operation
from mjgate.contract.send import send_bytes
from mjgate.errors import MethodNotAllowed, NotFound

OPERATION = "mjgate.operation"
_PAGE_METHODS = ("GET", "HEAD")


class Routing(RoutingMiddleware):
    """Connexion's routing with each operation compiled; a trailing slash is ignored.

    `pages` are paths outside the contract, served as they are to GET and HEAD; those with a
    segment in braces are served to whatever stands there, as `path_params`. What is `below` a
    first segment that no operation has is served to any method, by what knows the rest.
    """

    def __init__(
        self,
        app: ASGIApp,
        operations: Sequence[Operation],
        pages: Mapping[str, ASGIApp],
        below: Mapping[str, ASGIApp],
    ) -> None:
        self.app = app
        self._pages = pages
        self._open_pages = [(tuple(p.split("/")), page) for p, page in pages.items() if "{" in p]
        self._below = below
        self._fixed: dict[str, dict[str, Operation]] = {}
        self._open: list[tuple[tuple[str, ...], dict[str, Operation]]] = []
        for operation in operations:
            self._place(operation)

    def add_api(self, specification: Specification, *_: Any, **kwargs: Any) -> Any:
        """Connexion hands over what was compiled already."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = scope["path"]
        page = self._pages.get(path)
        if page is not None:
            await _serve_page(page, scope, receive, send)
            return
        methods = self._methods(scope, path.removesuffix("/"))
        if methods is None:
            await self._elsewhere(scope, path)(scope, receive, send)
            return
        operation = methods.get(scope["method"])
        if operation is None:
            await other_method(scope, send, methods)
            return
        scope[OPERATION] = operation
        scope.setdefault("extensions", {})[ROUTING_CONTEXT] = {
            "api_base_path": "",
            "operation_id": operation.id,
        }
        await self.app(scope, receive, send)

    def _place(self, operation: Operation) -> None:
        if "{" not in operation.path:
            self._fixed.setdefault(operation.path, {})[operation.method] = operation
            return
        segments = operation.segments
        methods = next((m for s, m in self._open if s == segments), None)
        if methods is None:
            methods = {}
            self._open.append((segments, methods))
        methods[operation.method] = operation

    def _methods(self, scope: Scope, path: str) -> dict[str, Operation] | None:
        fixed = self._fixed.get(path)
        if fixed is not None:
            return fixed
        parts = path.split("/")
        for segments, methods in self._open:
            found = _match(segments, parts)
            if found is not None:
                scope["path_params"] = found
                return methods
        return None

    def _elsewhere(self, scope: Scope, path: str) -> ASGIApp:
        parts = path.split("/")
        for segments, page in self._open_pages:
            found = _match(segments, parts)
            if found is not None:
                scope["path_params"] = found
                return partial(_serve_page, page)
        app = self._below.get(parts[1]) if len(parts) > 2 else None
        if app is None:
            raise no_such_path()
        return app


def no_such_path() -> NotFound:
    return NotFound("There is no such path. The paths are in /openapi.yaml.")


def _match(segments: tuple[str, ...], parts: list[str]) -> dict[str, str] | None:
    if len(segments) != len(parts):
        return None
    found: dict[str, str] = {}
    for segment, part in zip(segments, parts, strict=True):
        if segment.startswith("{"):
            if not part:
                return None
            found[segment[1:-1]] = part
        elif segment != part:
            return None
    return found


async def _serve_page(page: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["method"] in _PAGE_METHODS:
        await page(scope, receive, send)
    else:
        await other_method(scope, send, _PAGE_METHODS)


async def other_method(scope: Scope, send: Send, methods: Iterable[str]) -> None:
    allowed = ", ".join(sorted({*methods, "OPTIONS"}))
    if scope["method"] == "OPTIONS":
        await send_bytes(send, 204, [(b"allow", allowed.encode())], b"")
        return
    method = scope["method"] if scope["method"].lower() in METHODS else "This method"
    raise MethodNotAllowed(
        f"{method} is not allowed here; use {allowed}.", headers={"Allow": allowed}
    )
