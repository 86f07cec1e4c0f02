"""The sandbox as a Flask application: one dialect's routes, and controls beside them."""

from collections.abc import Callable, Sequence
from functools import partial
from threading import Lock
from typing import Any

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from mjgate.sandbox import faults, pictures
from mjgate.sandbox.buttons import Buttons
from mjgate.sandbox.dialect import Dialect, Operation, RefusedError, Route, bare
from mjgate.sandbox.faults import Ask, UnknownFaultError, Word
from mjgate.sandbox.hooks import Notifier
from mjgate.sandbox.journal import Journal
from mjgate.sandbox.life import Stage
from mjgate.sandbox.newapi import NewApi
from mjgate.sandbox.novicezk import Novicezk
from mjgate.sandbox.settings import DialectName, Settings
from mjgate.sandbox.studio import Order, Studio, Task

SPOKEN: dict[DialectName, type[Dialect]] = {
    "novicezk": Novicezk,
    "buttons": Buttons,
    "new-api": NewApi,
}
CONTROLS = "/sandbox"


def create_sandbox(settings: Settings) -> Flask:
    """An upstream that keeps its tasks in memory and speaks `settings.dialect`.

    Beside the upstream's own paths it serves `GET` and `DELETE /sandbox/requests`,
    `POST /sandbox/forget`, `GET /sandbox/queue`, `GET` and `DELETE /sandbox/faults` and
    `PUT /sandbox/faults/<operation>`.
    """
    app = Flask("mjgate.sandbox", static_folder=None)
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    sandbox = Sandbox(settings)
    app.extensions["sandbox"] = sandbox
    for route in sandbox.dialect.routes:
        _route(app, sandbox, route)
    _draw(app, sandbox)
    _control(app, sandbox)
    app.before_request(sandbox.receive)
    app.after_request(sandbox.dialect.finish)
    app.register_error_handler(HTTPException, sandbox.refuse)
    app.register_error_handler(RefusedError, lambda error: error.response)
    app.register_error_handler(UnknownFaultError, _unknown_fault)
    return app


class Sandbox:
    """What the views share."""

    def __init__(self, settings: Settings) -> None:
        self.studio = Studio(settings)
        self.dialect = SPOKEN[settings.dialect](settings, self.studio)
        self.journal = Journal(settings.heard)
        self.switches = Switches()
        spoken = self.dialect
        self._notifier = Notifier(self._told, spoken.notify_headers, spoken.notify_repeats)

    def receive(self) -> None:
        if not request.path.startswith(CONTROLS):
            self.journal.hear(request)
            self.dialect.admit()

    def refuse(self, error: HTTPException) -> Response:
        """Words a fault of routing in the dialect."""
        if isinstance(error, MethodNotAllowed):
            allowed = sorted(set(error.valid_methods or ()) - {"HEAD"})
            return self.dialect.method_not_allowed(allowed)
        if error.code in (None, 404):
            return self.dialect.not_found()
        return self.dialect.error(error.code)

    def submit(self, operation: Operation, read: Callable[[], Order]) -> Response:
        """Reads an order and does what it, and its faults, ask."""
        order = read()
        scope = faults.SUBMIT if order.parent is None else "change"
        return self._answer(operation, order.prompt, scope, partial(self._enter, order))

    def fetch(self, task_id: str) -> Response:
        task = self.studio.find(task_id)
        if task is None:
            return self._answer("fetch", None, "fetch", lambda _: self.dialect.absent())
        return self._answer(
            "fetch", task.order.prompt, "fetch", lambda _: self.dialect.json(self.dialect.now(task))
        )

    def list_by_condition(self) -> Response:
        found = [task for task in map(self.studio.find, self.dialect.ids()) if task]
        return self._list("list-by-condition", found)

    def newest(self) -> Response:
        return self._list("list", self.studio.newest(self.dialect.listed))

    def picture(self, name: str, fault: str = "") -> Response:
        found = pictures.read(name)
        if found is None:
            return self.dialect.not_found()
        text = f"sandbox:picture:{fault.removesuffix('=')}" if fault else None
        return self._answer("picture", text, "picture", lambda _: _drawn(*found))

    def close(self) -> None:
        self._notifier.close()

    def _list(self, operation: Operation, tasks: Sequence[Task]) -> Response:
        prompts = " ".join(task.order.prompt for task in tasks if "sandbox:" in task.order.prompt)
        return self._answer(
            operation, prompts, "list", lambda _: self.dialect.json([*map(self.dialect.now, tasks)])
        )

    def _answer(
        self, operation: str, text: str | None, scope: str, do: Callable[[str | None], Response]
    ) -> Response:
        """`do` gets None, or the id that is to be used a second time."""
        asked = [*self.switches.take(operation), *faults.words(text, scope)]
        if not asked:
            return do(None)
        newest = next((task.id for task in self.studio.newest(1)), faults.UNKNOWN_ID)
        ask = Ask(self.dialect, partial(do, None), partial(do, newest), newest)
        return faults.reply(asked, ask)

    def _enter(self, order: Order, task_id: str | None) -> Response:
        placed = self.studio.submit(order, task_id)
        if placed is None:
            return self.dialect.full()
        self.journal.accept(order.operation, order.prompt)
        if self.dialect.notifies:
            self._notifier.watch(placed.task)
        return self.dialect.placed(placed)

    def _told(self, task: Task, stage: Stage) -> bytes | None:
        if not self.studio.remembers(task):
            return None
        return self.dialect.encode(self.dialect.task(task, stage))


class Switches:
    """Faults switched on for an operation, for so many answers or until switched off."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._set: dict[str, tuple[list[Word], int | None]] = {}

    def put(self, operation: str, fault: str, times: int | None) -> None:
        asked = faults.switched(operation, fault)
        with self._lock:
            self._set[operation] = (asked, times)

    def take(self, operation: str) -> list[Word]:
        if not self._set:
            return []
        with self._lock:
            asked, times = self._set.get(operation, ([], None))
            if times == 1:
                del self._set[operation]
            elif times:
                self._set[operation] = (asked, times - 1)
        return asked

    def clear(self) -> None:
        with self._lock:
            self._set.clear()


def _route(app: Flask, sandbox: Sandbox, route: Route) -> None:
    dialect = sandbox.dialect
    views: dict[Operation, Callable[..., Response]] = {
        "imagine": partial(sandbox.submit, "imagine", dialect.imagine),
        "change": partial(sandbox.submit, "change", dialect.change),
        "action": partial(sandbox.submit, "action", dialect.action),
        "fetch": sandbox.fetch,
        "list-by-condition": sandbox.list_by_condition,
        "list": sandbox.newest,
    }
    app.add_url_rule(
        route.rule, route.operation, views[route.operation],
        methods=[route.method], provide_automatic_options=False,
    )  # fmt: skip


def _draw(app: Flask, sandbox: Sandbox) -> None:
    rule = sandbox.dialect.picture_rule
    for place in (f"{rule}/<name>", f"{rule}/<fault>/<name>"):
        app.add_url_rule(place, "picture", sandbox.picture, provide_automatic_options=False)


def _drawn(picture: pictures.Picture, kind: pictures.Kind) -> Response:
    response = Response(pictures.draw(picture, kind), content_type=f"image/{kind}")
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response


def _control(app: Flask, sandbox: Sandbox) -> None:
    @app.get(f"{CONTROLS}/requests")
    def requests() -> Response:
        asked = request.args
        return jsonify(sandbox.journal.report(asked.get("path", ""), asked.get("text", "")))

    @app.delete(f"{CONTROLS}/requests")
    def forget_requests() -> Response:
        sandbox.journal.clear()
        return bare(204)

    @app.post(f"{CONTROLS}/forget")
    def forget() -> Response:
        sandbox.studio.forget()
        return bare(204)

    @app.get(f"{CONTROLS}/queue")
    def queue() -> Response:
        running, waiting = sandbox.studio.busy()
        return jsonify(running=running, waiting=waiting)

    @app.get(f"{CONTROLS}/faults")
    def tell_faults() -> Response:
        known: dict[str, Any] = {**faults.ANSWERS, **faults.LIVES}
        return jsonify({name: fault.meaning for name, fault in known.items()})

    @app.put(f"{CONTROLS}/faults/<operation>")
    def switch(operation: str) -> Response:
        asked = request.get_json()
        sandbox.switches.put(operation, asked["fault"], asked.get("times"))
        return bare(204)

    @app.delete(f"{CONTROLS}/faults")
    def switch_off() -> Response:
        sandbox.switches.clear()
        return bare(204)


def _unknown_fault(error: UnknownFaultError) -> Response:
    return bare(501, str(error))
