from typing import Any

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client, call, call_async
from ...models.error import Error
from ...models.reroll import Reroll
from ...models.submit_result import SubmitResult
from ...models.upscale_or_vary import UpscaleOrVary
from ...types import UNSET, Response, Unset, read_json


def _get_kwargs(
    *,
    body: Reroll | UpscaleOrVary,
    idempotency_key: str | Unset = UNSET,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    if not isinstance(idempotency_key, Unset):
        headers["Idempotency-Key"] = idempotency_key

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/mj/submit/change",
    }

    if isinstance(body, UpscaleOrVary):
        _kwargs["json"] = body.to_dict()
    else:
        _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Error | SubmitResult | None:
    if response.status_code == 200:
        response_200 = SubmitResult.from_dict(read_json(response.content))

        return response_200

    if response.status_code == 201:
        response_201 = SubmitResult.from_dict(read_json(response.content))

        return response_201

    if response.status_code == 400:
        response_400 = Error.from_dict(read_json(response.content))

        return response_400

    if response.status_code == 401:
        response_401 = Error.from_dict(read_json(response.content))

        return response_401

    if response.status_code == 402:
        response_402 = Error.from_dict(read_json(response.content))

        return response_402

    if response.status_code == 403:
        response_403 = Error.from_dict(read_json(response.content))

        return response_403

    if response.status_code == 404:
        response_404 = Error.from_dict(read_json(response.content))

        return response_404

    if response.status_code == 409:
        response_409 = Error.from_dict(read_json(response.content))

        return response_409

    if response.status_code == 413:
        response_413 = Error.from_dict(read_json(response.content))

        return response_413

    if response.status_code == 415:
        response_415 = Error.from_dict(read_json(response.content))

        return response_415

    if response.status_code == 422:
        response_422 = Error.from_dict(read_json(response.content))

        return response_422

    if response.status_code == 429:
        response_429 = Error.from_dict(read_json(response.content))

        return response_429

    if response.status_code == 500:
        response_500 = Error.from_dict(read_json(response.content))

        return response_500

    if response.status_code == 502:
        response_502 = Error.from_dict(read_json(response.content))

        return response_502

    if response.status_code == 503:
        response_503 = Error.from_dict(read_json(response.content))

        return response_503

    if response.status_code == 504:
        response_504 = Error.from_dict(read_json(response.content))

        return response_504

    if client.raise_on_unexpected_status:
        raise errors.UnexpectedStatus(response.status_code, response.content)
    else:
        return None


def _build_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Response[Error | SubmitResult]:
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
    body: Reroll | UpscaleOrVary,
    idempotency_key: str | Unset = UNSET,
) -> Response[Error | SubmitResult]:
    """Upscale, vary or redraw a picture

     Makes a new task from a finished one: `UPSCALE` or `VARIATION` of picture `index`, or a
    `REROLL` of the whole sheet. It goes to the upstream that drew the first one. Priced as
    `mj_upscale`, `mj_variation` or `mj_reroll`. `Idempotency-Key` is that of `submit_imagine`.

    201 is part of the documented contract and never sent.

    Args:
        idempotency_key (str | Unset):
        body (Reroll | UpscaleOrVary): 变化任务提交参数. `index` is required for UPSCALE and VARIATION.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Error | SubmitResult]
    """

    kwargs = _get_kwargs(
        body=body,
        idempotency_key=idempotency_key,
    )

    response = call(client.get_httpx_client(), kwargs)

    return _build_response(client=client, response=response)


def sync(
    *,
    client: AuthenticatedClient,
    body: Reroll | UpscaleOrVary,
    idempotency_key: str | Unset = UNSET,
) -> Error | SubmitResult | None:
    """Upscale, vary or redraw a picture

     Makes a new task from a finished one: `UPSCALE` or `VARIATION` of picture `index`, or a
    `REROLL` of the whole sheet. It goes to the upstream that drew the first one. Priced as
    `mj_upscale`, `mj_variation` or `mj_reroll`. `Idempotency-Key` is that of `submit_imagine`.

    201 is part of the documented contract and never sent.

    Args:
        idempotency_key (str | Unset):
        body (Reroll | UpscaleOrVary): 变化任务提交参数. `index` is required for UPSCALE and VARIATION.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Error | SubmitResult
    """

    return sync_detailed(
        client=client,
        body=body,
        idempotency_key=idempotency_key,
    ).parsed


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: Reroll | UpscaleOrVary,
    idempotency_key: str | Unset = UNSET,
) -> Response[Error | SubmitResult]:
    """Upscale, vary or redraw a picture

     Makes a new task from a finished one: `UPSCALE` or `VARIATION` of picture `index`, or a
    `REROLL` of the whole sheet. It goes to the upstream that drew the first one. Priced as
    `mj_upscale`, `mj_variation` or `mj_reroll`. `Idempotency-Key` is that of `submit_imagine`.

    201 is part of the documented contract and never sent.

    Args:
        idempotency_key (str | Unset):
        body (Reroll | UpscaleOrVary): 变化任务提交参数. `index` is required for UPSCALE and VARIATION.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Error | SubmitResult]
    """

    kwargs = _get_kwargs(
        body=body,
        idempotency_key=idempotency_key,
    )

    response = await call_async(client.get_async_httpx_client(), kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    *,
    client: AuthenticatedClient,
    body: Reroll | UpscaleOrVary,
    idempotency_key: str | Unset = UNSET,
) -> Error | SubmitResult | None:
    """Upscale, vary or redraw a picture

     Makes a new task from a finished one: `UPSCALE` or `VARIATION` of picture `index`, or a
    `REROLL` of the whole sheet. It goes to the upstream that drew the first one. Priced as
    `mj_upscale`, `mj_variation` or `mj_reroll`. `Idempotency-Key` is that of `submit_imagine`.

    201 is part of the documented contract and never sent.

    Args:
        idempotency_key (str | Unset):
        body (Reroll | UpscaleOrVary): 变化任务提交参数. `index` is required for UPSCALE and VARIATION.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Error | SubmitResult
    """

    return (
        await asyncio_detailed(
            client=client,
            body=body,
            idempotency_key=idempotency_key,
        )
    ).parsed
