"""Words that make the sandbox fail, drawn into good prompts; each is one it knows."""

from collections.abc import Mapping
from typing import Any

from mjgate.sandbox.faults import ANSWERS, LIVES

WORD = "sandbox:"
_MOST_PROMPT = 60_000

ENDING = (
    *("http400", "http404", "http418", "http422", "http429=3"),
    *("code3", "code4", "code5", "code9", "code21-noid", "code23", "code24", "code30"),
    *("code99", "quota", "queued", "numeric", "noproperties", "nul", "surrogate"),
    *("fail", "fail-early", "fail-late", "fail-nul", "fail-surrogate", "fail-blank", "cancel"),
    *("backwards", "waiting", "full", "nul-progress", "status", "undone"),
)
"""After these a task ends, or there is none. `blind` is not among them: what succeeds without a
picture is shown so, which no other server may do.
"""

OPEN = (
    *("empty", "garbage", "html", "array", "null", "nocode", "textcode", "noid", "blankid"),
    *("queued-noid", "nul-id", "surrogate-id", "long-id", "collide", "code21-unknown"),
    *("code21", "code21-modal", "modal", "relapsed", "stuck", "unstarted", "lost", "cut", "reset"),
)
"""After these a task may wait for its deadline."""

FAULTS: Mapping[str, tuple[str, ...]] = {"none": (), "ending": ENDING, "all": ENDING + OPEN}

NOISE = frozenset({"upstream id refused", "Invalid HTTP request received."})
"""What the log rightly has: of `collide` and ids that cannot be kept, and of the header with
U+0000 by which Schemathesis probes a server.
"""

assert {word.partition("=")[0] for word in ENDING + OPEN} <= ANSWERS.keys() | LIVES.keys()


def failing(body: Any, word: str) -> Any:
    """The body of an imagine with a word in its prompt."""
    if not word or len(body["prompt"]) > _MOST_PROMPT:
        return body
    return body | {"prompt": f"{body['prompt']} {WORD}{word}"}
