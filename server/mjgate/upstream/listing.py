"""What an upstream shows of the tasks it is asked for: many in a list, or one alone."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from mjgate.domain.channel import Channel
from mjgate.domain.task import Sight
from mjgate.errors import SendError, Unusable
from mjgate.upstream.transport import Answer, Transport, parse_json
from mjgate.upstream.upstreams import dialect_of

_UNABLE = frozenset({401, 403, 429, 502, 503, 504})
"""Statuses that say nothing of the question: nobody is answered now."""
_NOT_FOUND = "task_no_found"
_split = msgspec.json.Decoder(list[msgspec.Raw]).decode


@dataclass(slots=True)
class Shown:
    """What a list shows: tasks by upstream id, each with its mark, and those shown as before."""

    sights: dict[str, tuple[Sight, int]] = field(default_factory=dict)
    same: set[str] = field(default_factory=set)


async def list_tasks(
    transport: Transport,
    channel: Channel,
    ids: Sequence[str],
    marks: Mapping[int, str],
    timeout: float,
) -> Shown:
    """What the upstream shows of these ids; ids not asked for and garbage are left out.

    `marks` are of what was shown before, with the ids: such a task is not read again.

    Raises:
        SendError: there is no answer; Unusable and Broken may be due to what was asked.
    """
    dialect = dialect_of(channel)
    request = dialect.list_request(ids)
    answer = await transport.ask(channel, request.path, request.body, timeout)
    shown, asked = Shown(), set(ids)
    for item in _items(channel, answer):
        mark = hash(item)
        known = marks.get(mark)
        if known is not None:
            shown.same.add(known)
        elif (found := dialect.read(item)) and found[0] in asked:
            shown.sights[found[0]] = (found[1], mark)
    return shown


async def fetch_task(
    transport: Transport, channel: Channel, task_id: str, timeout: float
) -> Sight | None:
    """What the upstream shows of one task; None where it says that there is none.

    Raises:
        SendError: it says neither.
    """
    dialect = dialect_of(channel)
    answer = await transport.ask(channel, dialect.fetch_path(task_id), None, timeout)
    if _absent(answer):
        return None
    found = dialect.read(answer.content) if answer.status == 200 else None
    if found is None or found[0] != task_id:
        raise _unusable(channel, "task", answer)
    return found[1]


def _items(channel: Channel, answer: Answer) -> list[bytes]:
    """The JSON of each task of a list, whatever it is."""
    if answer.status == 200:
        try:
            return [*map(bytes, _split(answer.content))]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            tasks = parse_json(answer.content)
        if isinstance(tasks, list):
            return [json.dumps(task).encode() for task in tasks]
    raise _unusable(channel, "list", answer)


def _unusable(channel: Channel, what: str, answer: Answer) -> SendError:
    kind = SendError if answer.status in _UNABLE else Unusable
    return kind(f"{channel.name}: its {what} is none (HTTP {answer.status})")


def _absent(answer: Answer) -> bool:
    """204, 404, an empty 200, and `task_no_found` (`reference/`, of each dialect)."""
    if answer.status in (204, 404):
        return True
    if not 400 <= answer.status < 500:
        return answer.status == 200 and not answer.content.strip()
    said = parse_json(answer.content)
    text = said.get("description") if isinstance(said, dict) else None
    return isinstance(text, str) and text.strip() == _NOT_FOUND
