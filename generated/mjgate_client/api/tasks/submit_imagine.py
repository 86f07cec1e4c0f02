from typing import Any

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client, call, call_async
from ...models.error import Error
from ...models.imagine_request import ImagineRequest
from ...models.submit_result import SubmitResult
from ...types import UNSET, Response, Unset, read_json


def _get_kwargs(
    *,
    body: ImagineRequest,
    idempotency_key: str | Unset = UNSET,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    if not isinstance(idempotency_key, Unset):
        headers["Idempotency-Key"] = idempotency_key

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/mj/submit/imagine",
    }

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
    body: ImagineRequest,
    idempotency_key: str | Unset = UNSET,
) -> Response[Error | SubmitResult]:
    """Draw a picture from a prompt

     Draws four pictures from `prompt`, on one sheet. Priced as `mj_imagine`.

    With an `Idempotency-Key` it is safe to send again. For 24 hours at least the same key with
    the same JSON in its body gives the same answer with `Idempotency-Replayed: true`, and no
    second picture. While the first is still being answered it is 409 `in_flight`; the same
    key with another body, or for another operation, is 422 `key_reused`. A submit that
    certainly never reached an upstream, such as one refused with 402, 429 or 503, frees its
    key. Keys of different tokens are different keys.

    201 and 404 are part of the documented contract and never sent.

    Args:
        idempotency_key (str | Unset):
        body (ImagineRequest): Imagine提交参数

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
    body: ImagineRequest,
    idempotency_key: str | Unset = UNSET,
) -> Error | SubmitResult | None:
    """Draw a picture from a prompt

     Draws four pictures from `prompt`, on one sheet. Priced as `mj_imagine`.

    With an `Idempotency-Key` it is safe to send again. For 24 hours at least the same key with
    the same JSON in its body gives the same answer with `Idempotency-Replayed: true`, and no
    second picture. While the first is still being answered it is 409 `in_flight`; the same
    key with another body, or for another operation, is 422 `key_reused`. A submit that
    certainly never reached an upstream, such as one refused with 402, 429 or 503, frees its
    key. Keys of different tokens are different keys.

    201 and 404 are part of the documented contract and never sent.

    Args:
        idempotency_key (str | Unset):
        body (ImagineRequest): Imagine提交参数

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
    body: ImagineRequest,
    idempotency_key: str | Unset = UNSET,
) -> Response[Error | SubmitResult]:
    """Draw a picture from a prompt

     Draws four pictures from `prompt`, on one sheet. Priced as `mj_imagine`.

    With an `Idempotency-Key` it is safe to send again. For 24 hours at least the same key with
    the same JSON in its body gives the same answer with `Idempotency-Replayed: true`, and no
    second picture. While the first is still being answered it is 409 `in_flight`; the same
    key with another body, or for another operation, is 422 `key_reused`. A submit that
    certainly never reached an upstream, such as one refused with 402, 429 or 503, frees its
    key. Keys of different tokens are different keys.

    201 and 404 are part of the documented contract and never sent.

    Args:
        idempotency_key (str | Unset):
        body (ImagineRequest): Imagine提交参数

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
    body: ImagineRequest,
    idempotency_key: str | Unset = UNSET,
) -> Error | SubmitResult | None:
    """Draw a picture from a prompt

     Draws four pictures from `prompt`, on one sheet. Priced as `mj_imagine`.

    With an `Idempotency-Key` it is safe to send again. For 24 hours at least the same key with
    the same JSON in its body gives the same answer with `Idempotency-Replayed: true`, and no
    second picture. While the first is still being answered it is 409 `in_flight`; the same
    key with another body, or for another operation, is 422 `key_reused`. A submit that
    certainly never reached an upstream, such as one refused with 402, 429 or 503, frees its
    key. Keys of different tokens are different keys.

    201 and 404 are part of the documented contract and never sent.

    Args:
        idempotency_key (str | Unset):
        body (ImagineRequest): Imagine提交参数

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
