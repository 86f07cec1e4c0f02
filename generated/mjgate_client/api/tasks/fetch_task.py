from typing import Any

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client, call, call_async
from ...models.error import Error
from ...models.task import Task
from ...types import UNSET, Response, Unset, read_json, segment


def _get_kwargs(
    id: str,
    *,
    if_none_match: str | Unset = UNSET,
    prefer: str | Unset = UNSET,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    if not isinstance(if_none_match, Unset):
        headers["If-None-Match"] = if_none_match

    if not isinstance(prefer, Unset):
        headers["Prefer"] = prefer

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": f"/mj/task/{segment(id)}/fetch",
    }

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Error | Task | None:
    if response.status_code == 200:
        response_200 = Task.from_dict(read_json(response.content))

        return response_200

    if response.status_code == 304:
        return None
    if response.status_code == 400:
        response_400 = Error.from_dict(read_json(response.content))

        return response_400

    if response.status_code == 401:
        response_401 = Error.from_dict(read_json(response.content))

        return response_401

    if response.status_code == 403:
        response_403 = Error.from_dict(read_json(response.content))

        return response_403

    if response.status_code == 404:
        response_404 = Error.from_dict(read_json(response.content))

        return response_404

    if response.status_code == 500:
        response_500 = Error.from_dict(read_json(response.content))

        return response_500

    if response.status_code == 503:
        response_503 = Error.from_dict(read_json(response.content))

        return response_503

    if client.raise_on_unexpected_status:
        raise errors.UnexpectedStatus(response.status_code, response.content)
    else:
        return None


def _build_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Response[Error | Task]:
    try:
        parsed = _parse_response(client=client, response=response)
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        if client.raise_on_unexpected_status:
            raise errors.UnexpectedStatus(response.status_code, response.content) from error
        parsed = None
    return Response(
        status_code=response.status_code,
        content=response.content,
        headers=response.headers,
        parsed=parsed,
    )


def sync_detailed(
    id: str,
    *,
    client: AuthenticatedClient,
    if_none_match: str | Unset = UNSET,
    prefer: str | Unset = UNSET,
) -> Response[Error | Task]:
    """Fetch a task

     The task as the gateway knows it; never an error for a fault of an upstream.

    `ETag` stands for the task as it is. Given back as `If-None-Match` it makes the answer 304,
    without a body, while the task is still the same.

    **Waiting.** With `If-None-Match` and `Prefer: wait=SECONDS`, at most 60, the answer comes
    with the next change of the task, or else as 304 when the time is over; at once where the
    task is another already. `Preference-Applied: wait` says that the gateway does this. Without
    it there was no waiting, be it that the task has ended and will not change, or that too many
    of one token wait already: if you ask again, then after a pause. `Prefer` without
    `If-None-Match`, or with `*` there, waits for nothing.

    Args:
        id (str):
        if_none_match (str | Unset):
        prefer (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Error | Task]
    """

    kwargs = _get_kwargs(
        id=id,
        if_none_match=if_none_match,
        prefer=prefer,
    )

    response = call(client.get_httpx_client(), kwargs)

    return _build_response(client=client, response=response)


def sync(
    id: str,
    *,
    client: AuthenticatedClient,
    if_none_match: str | Unset = UNSET,
    prefer: str | Unset = UNSET,
) -> Error | Task | None:
    """Fetch a task

     The task as the gateway knows it; never an error for a fault of an upstream.

    `ETag` stands for the task as it is. Given back as `If-None-Match` it makes the answer 304,
    without a body, while the task is still the same.

    **Waiting.** With `If-None-Match` and `Prefer: wait=SECONDS`, at most 60, the answer comes
    with the next change of the task, or else as 304 when the time is over; at once where the
    task is another already. `Preference-Applied: wait` says that the gateway does this. Without
    it there was no waiting, be it that the task has ended and will not change, or that too many
    of one token wait already: if you ask again, then after a pause. `Prefer` without
    `If-None-Match`, or with `*` there, waits for nothing.

    Args:
        id (str):
        if_none_match (str | Unset):
        prefer (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Error | Task
    """

    return sync_detailed(
        id=id,
        client=client,
        if_none_match=if_none_match,
        prefer=prefer,
    ).parsed


async def asyncio_detailed(
    id: str,
    *,
    client: AuthenticatedClient,
    if_none_match: str | Unset = UNSET,
    prefer: str | Unset = UNSET,
) -> Response[Error | Task]:
    """Fetch a task

     The task as the gateway knows it; never an error for a fault of an upstream.

    `ETag` stands for the task as it is. Given back as `If-None-Match` it makes the answer 304,
    without a body, while the task is still the same.

    **Waiting.** With `If-None-Match` and `Prefer: wait=SECONDS`, at most 60, the answer comes
    with the next change of the task, or else as 304 when the time is over; at once where the
    task is another already. `Preference-Applied: wait` says that the gateway does this. Without
    it there was no waiting, be it that the task has ended and will not change, or that too many
    of one token wait already: if you ask again, then after a pause. `Prefer` without
    `If-None-Match`, or with `*` there, waits for nothing.

    Args:
        id (str):
        if_none_match (str | Unset):
        prefer (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Error | Task]
    """

    kwargs = _get_kwargs(
        id=id,
        if_none_match=if_none_match,
        prefer=prefer,
    )

    response = await call_async(client.get_async_httpx_client(), kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    id: str,
    *,
    client: AuthenticatedClient,
    if_none_match: str | Unset = UNSET,
    prefer: str | Unset = UNSET,
) -> Error | Task | None:
    """Fetch a task

     The task as the gateway knows it; never an error for a fault of an upstream.

    `ETag` stands for the task as it is. Given back as `If-None-Match` it makes the answer 304,
    without a body, while the task is still the same.

    **Waiting.** With `If-None-Match` and `Prefer: wait=SECONDS`, at most 60, the answer comes
    with the next change of the task, or else as 304 when the time is over; at once where the
    task is another already. `Preference-Applied: wait` says that the gateway does this. Without
    it there was no waiting, be it that the task has ended and will not change, or that too many
    of one token wait already: if you ask again, then after a pause. `Prefer` without
    `If-None-Match`, or with `*` there, waits for nothing.

    Args:
        id (str):
        if_none_match (str | Unset):
        prefer (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Error | Task
    """

    return (
        await asyncio_detailed(
            id=id,
            client=client,
            if_none_match=if_none_match,
            prefer=prefer,
        )
    ).parsed
