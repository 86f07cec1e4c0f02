from typing import Any

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client, call, call_async
from ...models.error import Error
from ...models.usage import Usage
from ...types import UNSET, Response, Unset, read_json


def _get_kwargs(
    *,
    from_: str | Unset = UNSET,
    to: str | Unset = UNSET,
    cursor: int | Unset = UNSET,
    limit: int | Unset = 100,
) -> dict[str, Any]:

    params: dict[str, Any] = {}

    params["from"] = from_

    params["to"] = to

    params["cursor"] = cursor

    params["limit"] = limit

    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/v1/usage",
        "params": params,
    }

    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Error | Usage | None:
    if response.status_code == 200:
        response_200 = Usage.from_dict(read_json(response.content))

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
) -> Response[Error | Usage]:
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
    from_: str | Unset = UNSET,
    to: str | Unset = UNSET,
    cursor: int | Unset = UNSET,
    limit: int | Unset = 100,
) -> Response[Error | Usage]:
    """Fetch the usage of a token

     What this token has used from the day `from` to the day `to`, both in UTC and included: its
    ledger, line by line, and totals of each day and each model. Days without lines are left
    out.

    **Lines come newest first.** `cursor` of the answer continues right after its last line;
    give it back as it came, with the same days. It is null where there are no more. Lines that
    are added meanwhile are newer than all cursors: no page repeats or skips a line. Totals
    come with the first page; where a `cursor` was given, `days` and `models` are null.

    A submit holds its price (`hold`); a picture turns the hold into an expense (`charge`),
    any other end gives it back (`release`). The operator may correct what was spent
    (`adjust`), which belongs to no task and no model.

    Args:
        from_ (str | Unset): A day of the calendar, in UTC.
        to (str | Unset): A day of the calendar, in UTC.
        cursor (int | Unset):
        limit (int | Unset):  Default: 100.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Error | Usage]
    """

    kwargs = _get_kwargs(
        from_=from_,
        to=to,
        cursor=cursor,
        limit=limit,
    )

    response = call(client.get_httpx_client(), kwargs)

    return _build_response(client=client, response=response)


def sync(
    *,
    client: AuthenticatedClient,
    from_: str | Unset = UNSET,
    to: str | Unset = UNSET,
    cursor: int | Unset = UNSET,
    limit: int | Unset = 100,
) -> Error | Usage | None:
    """Fetch the usage of a token

     What this token has used from the day `from` to the day `to`, both in UTC and included: its
    ledger, line by line, and totals of each day and each model. Days without lines are left
    out.

    **Lines come newest first.** `cursor` of the answer continues right after its last line;
    give it back as it came, with the same days. It is null where there are no more. Lines that
    are added meanwhile are newer than all cursors: no page repeats or skips a line. Totals
    come with the first page; where a `cursor` was given, `days` and `models` are null.

    A submit holds its price (`hold`); a picture turns the hold into an expense (`charge`),
    any other end gives it back (`release`). The operator may correct what was spent
    (`adjust`), which belongs to no task and no model.

    Args:
        from_ (str | Unset): A day of the calendar, in UTC.
        to (str | Unset): A day of the calendar, in UTC.
        cursor (int | Unset):
        limit (int | Unset):  Default: 100.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Error | Usage
    """

    return sync_detailed(
        client=client,
        from_=from_,
        to=to,
        cursor=cursor,
        limit=limit,
    ).parsed


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    from_: str | Unset = UNSET,
    to: str | Unset = UNSET,
    cursor: int | Unset = UNSET,
    limit: int | Unset = 100,
) -> Response[Error | Usage]:
    """Fetch the usage of a token

     What this token has used from the day `from` to the day `to`, both in UTC and included: its
    ledger, line by line, and totals of each day and each model. Days without lines are left
    out.

    **Lines come newest first.** `cursor` of the answer continues right after its last line;
    give it back as it came, with the same days. It is null where there are no more. Lines that
    are added meanwhile are newer than all cursors: no page repeats or skips a line. Totals
    come with the first page; where a `cursor` was given, `days` and `models` are null.

    A submit holds its price (`hold`); a picture turns the hold into an expense (`charge`),
    any other end gives it back (`release`). The operator may correct what was spent
    (`adjust`), which belongs to no task and no model.

    Args:
        from_ (str | Unset): A day of the calendar, in UTC.
        to (str | Unset): A day of the calendar, in UTC.
        cursor (int | Unset):
        limit (int | Unset):  Default: 100.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Error | Usage]
    """

    kwargs = _get_kwargs(
        from_=from_,
        to=to,
        cursor=cursor,
        limit=limit,
    )

    response = await call_async(client.get_async_httpx_client(), kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    *,
    client: AuthenticatedClient,
    from_: str | Unset = UNSET,
    to: str | Unset = UNSET,
    cursor: int | Unset = UNSET,
    limit: int | Unset = 100,
) -> Error | Usage | None:
    """Fetch the usage of a token

     What this token has used from the day `from` to the day `to`, both in UTC and included: its
    ledger, line by line, and totals of each day and each model. Days without lines are left
    out.

    **Lines come newest first.** `cursor` of the answer continues right after its last line;
    give it back as it came, with the same days. It is null where there are no more. Lines that
    are added meanwhile are newer than all cursors: no page repeats or skips a line. Totals
    come with the first page; where a `cursor` was given, `days` and `models` are null.

    A submit holds its price (`hold`); a picture turns the hold into an expense (`charge`),
    any other end gives it back (`release`). The operator may correct what was spent
    (`adjust`), which belongs to no task and no model.

    Args:
        from_ (str | Unset): A day of the calendar, in UTC.
        to (str | Unset): A day of the calendar, in UTC.
        cursor (int | Unset):
        limit (int | Unset):  Default: 100.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Error | Usage
    """

    return (
        await asyncio_detailed(
            client=client,
            from_=from_,
            to=to,
            cursor=cursor,
            limit=limit,
        )
    ).parsed
