"""Calls the handler of an operation and checks its answer on the way out."""

from collections.abc import Mapping
from typing import Any

from starlette.types import Receive, Scope, Send

from mjgate.contract.call import Answer, Handler
from mjgate.contract.operation import Operation
from mjgate.contract.routing import OPERATION
from mjgate.contract.send import send_answer
from mjgate.contract.validation import CALL
from mjgate.log import logger
from mjgate.metrics import RESPONSE_FAULTS


class Dispatcher:
    """The application inside Connexion's middlewares."""

    def __init__(self, handlers: Mapping[str, Handler[Any]]) -> None:
        self._handlers = handlers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        operation: Operation = scope[OPERATION]
        # Taken out, since a call knows its scope: a cycle would wait for the collector.
        call = scope.pop(CALL)
        answer = await self._handlers[operation.id](scope["state"]["gate"], call)
        check_answer(operation, answer)
        await send_answer(send, answer)


def check_answer(operation: Operation, answer: Answer) -> None:
    """Logs and counts an answer that breaks the contract; it is sent all the same.

    What was accepted upstream must reach its client: our fault may not lose a task.
    """
    schema = operation.answers.get(answer.status)
    if schema is not None and schema.accepts(answer.body):
        return
    RESPONSE_FAULTS.labels(operation.id).inc()
    where = [v.pointer for v in schema.violations(answer.body)] if schema else ["its status"]
    logger().error("answer breaks the contract", operation=operation.id, where=where)
