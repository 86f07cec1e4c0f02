from typing import Any

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client, call, call_async
from ...models.error import Error
from ...models.list_request import ListRequest
from ...models.task import Task
from ...types import Response, read_json


def _get_kwargs(
    *,
    body: ListRequest,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/mj/task/list-by-condition",
    }

    _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Error | list[Task] | None:
    if response.status_code == 200:
        response_200 = []
        _response_200 = read_json(response.content)
        if not isinstance(_response_200, list):
            raise TypeError(f"Expected a list, got {type(_response_200).__name__}.")
        for componentsschemas_task_list_item_data in _response_200:
            componentsschemas_task_list_item = Task.from_dict(componentsschemas_task_list_item_data)

            response_200.append(componentsschemas_task_list_item)

        return response_200

    if response.status_code == 400:
        response_400 = Error.from_dict(read_json(response.content))

        return response_400

    if response.status_code == 401:
        response_401 = Error.from_dict(read_json(response.content))

        return response_401

    if response.status_code == 403:
        response_403 = Error.from_dict(read_json(response.content))

        return response_403

    if response.status_code == 413:
        response_413 = Error.from_dict(read_json(response.content))

        return response_413

    if response.status_code == 415:
        response_415 = Error.from_dict(read_json(response.content))

        return response_415

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
) -> Response[Error | list[Task]]:
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
    *,
    client: AuthenticatedClient,
    body: ListRequest,
) -> Response[Error | list[Task]]:
    """List tasks by their ids

     The tasks among `ids` that this token submitted, in the order asked for. Unknown ids, and
    ids of other tokens, are left out.

    Args:
        body (ListRequest):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Error | list[Task]]
    """

    kwargs = _get_kwargs(
        body=body,
    )

    response = call(client.get_httpx_client(), kwargs)

    return _build_response(client=client, response=response)


def sync(
    *,
    client: AuthenticatedClient,
    body: ListRequest,
) -> Error | list[Task] | None:
    """List tasks by their ids

     The tasks among `ids` that this token submitted, in the order asked for. Unknown ids, and
    ids of other tokens, are left out.

    Args:
        body (ListRequest):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Error | list[Task]
    """

    return sync_detailed(
        client=client,
        body=body,
    ).parsed


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: ListRequest,
) -> Response[Error | list[Task]]:
    """List tasks by their ids

     The tasks among `ids` that this token submitted, in the order asked for. Unknown ids, and
    ids of other tokens, are left out.

    Args:
        body (ListRequest):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Error | list[Task]]
    """

    kwargs = _get_kwargs(
        body=body,
    )

    response = await call_async(client.get_async_httpx_client(), kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    *,
    client: AuthenticatedClient,
    body: ListRequest,
) -> Error | list[Task] | None:
    """List tasks by their ids

     The tasks among `ids` that this token submitted, in the order asked for. Unknown ids, and
    ids of other tokens, are left out.

    Args:
        body (ListRequest):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Error | list[Task]
    """

    return (
        await asyncio_detailed(
            client=client,
            body=body,
        )
    ).parsed
