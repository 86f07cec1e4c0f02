"""What every server has to refuse; nothing of it can draw a picture but where a token is bad."""

from mjgate.conformance.contract_view import IMAGINE, LIST, Operation
from mjgate.conformance.corners import address, good_body
from mjgate.conformance.stories.stage import Stage, status_of

_PATHS = ("/mj/nowhere", "/v1/nowhere", "/nowhere")
_LARGE = 2 * 1024 * 1024


def errors(stage: Stage) -> None:
    """Unknown paths and a body that may be too large: errors of the one shape, if any."""
    for path in _PATHS:
        stage.session.post(path, {})
    if stage.has(LIST):
        stage.session.post(LIST, {"ids": [], "more": "x" * _LARGE})


def bad_tokens(stage: Stage) -> None:
    """Each operation is asked with a wrong token, in each form, and with none."""
    for operation in stage.session.contract.operations:
        if stage.has(operation.path):
            for form in operation.forms:
                _ask(stage, operation, form, "bad")
            _ask(stage, operation, operation.forms[0], "none")


def _ask(stage: Stage, operation: Operation, form: str, sender: str) -> None:
    """Where nothing may be bought an imagine has no prompt: who asks for no token would draw."""
    session = stage.session
    bare = operation.path == IMAGINE and not session.may_submit()
    body = {} if bare else good_body(session, operation)
    more = {"sender": sender, "form": form}
    if operation.body is None:
        asked = session.get(address(session, operation), **more)
    else:
        asked = session.post(operation.path, body, **more)
    status = status_of(asked)
    what = "no token" if sender == "none" else f"a wrong token as {form}"
    good = status == 401 or (bare and status == 400)
    stage.check("bad_token_refused", good, f"{what} got {status}", asked)
