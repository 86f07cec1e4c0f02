"""Every error of the gateway.

MjgateError
├── ConfigError              a setting is wrong; the program does not start
├── CommandError             a command cannot do what was asked
├── StoreError               the database did not do its part
│   ├── RowRefused           it refuses this one row (a value it cannot hold)
│   ├── StoreFull            more is waiting to be written than may wait
│   └── StoreDown            it cannot be reached
│       └── StoreLocked      no key of ours opens its secrets
├── SendError                a request to an upstream has no answer
│   ├── NotSent              not a byte went out: it may be sent elsewhere
│   ├── Broken               a byte went out: what it did is unknown
│   └── Unusable             it was answered, but not with what was asked for
├── AddressRefused           an address of others must not be connected to
├── CopyError                a picture was not copied, and may be later
│   ├── CopyRefused          it never will be: its address, or its size
│   └── SourceSilent         nobody answers where it is
├── StorageError             the storage of pictures did not do its part
│   └── NotStored            it has no such file
├── Replay                   a key's first request was answered: the answer to give again
└── ApiError                 an answer in the contract's error shape
    ├── InvalidRequest       400 invalid_request
    ├── Unauthorized         401 unauthorized
    ├── BudgetSpent          402 budget_spent
    ├── Forbidden            403 forbidden
    ├── NotFound             404 not_found
    ├── MethodNotAllowed     405 method_not_allowed
    ├── InFlight             409 in_flight
    ├── TooLarge             413 too_large
    ├── NotJson              415 not_json
    ├── OutOfRange           416 invalid_request
    ├── KeyReused            422 key_reused
    ├── RateLimited          429 rate_limited
    ├── TooManyInFlight      429 too_many_in_flight
    ├── Fault                500 internal
    ├── UpstreamRefused      502 upstream_refused
    ├── UpstreamUnclear      502 outcome_unknown
    ├── Unavailable          503 unavailable
    └── UpstreamBroken       504 outcome_unknown
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


class MjgateError(Exception):
    """Base of all errors raised on purpose."""


class ConfigError(MjgateError):
    """Raised at start-up; the message names the setting, its value and the fix."""


class CommandError(MjgateError):
    """Raised by a command; the message is one line that says what to do."""


class StoreError(MjgateError):
    """Raised when the database did not do what was asked."""


class RowRefused(StoreError):
    """Raised when the database refuses one row of a batch; the others are written."""


class StoreFull(StoreError):
    """Raised when the queue before the database is full."""


class StoreDown(StoreError):
    """Raised when the database cannot be reached."""


class StoreLocked(StoreDown):
    """Raised when the secrets of the database were written with a key that is not ours."""


class SendError(MjgateError):
    """Raised when a request to an upstream got no answer."""


class NotSent(SendError):
    """Raised when the connection failed before a byte was sent."""


class Broken(SendError):
    """Raised when the connection broke or timed out after a byte was sent."""


class Unusable(SendError):
    """Raised when an upstream answered a question with something else."""


class AddressRefused(MjgateError, OSError):
    """Raised in place of a connection to an address that is not public; names no address."""

    def __init__(self) -> None:
        super().__init__("not a public address")


class CopyError(MjgateError):
    """Raised when a picture cannot be copied now; the message says why."""


class CopyRefused(CopyError):
    """Raised when a picture cannot be copied, now or later."""


class SourceSilent(CopyError):
    """Raised when there is no connection to where a picture is, or no answer."""


class StorageError(MjgateError):
    """Raised when the storage of pictures cannot be read or written."""


class NotStored(StorageError):
    """Raised when the storage has no file of a name."""


class Replay(MjgateError):
    """Raised when a submit was answered before: `body` is JSON, its status may be any."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"it was answered {status} before")
        self.status = status
        self.body = body


@dataclass(frozen=True, slots=True)
class Violation:
    """One place of a request that breaks the contract.

    `pointer` is a JSON Pointer into the body, or `#` and the name of a parameter.
    """

    pointer: str
    message: str


class ApiError(MjgateError):
    """An answer from 400 up; `code` follows the upstreams' vocabulary (`seed`, design 3)."""

    status: ClassVar[int]
    slug: ClassVar[str]
    code: ClassVar[int] = 4

    def __init__(
        self,
        description: str,
        violations: Sequence[Violation] = (),
        headers: Mapping[str, str] | None = None,
        properties: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(description)
        self.description = description
        self.violations = tuple(violations)
        self.headers = dict(headers or {})
        self.properties = dict(properties or {})

    def body(self) -> dict[str, Any]:
        """The error shape of the contract: code, description, properties, result."""
        errors = [{"pointer": v.pointer, "message": v.message} for v in self.violations]
        return {
            "code": self.code,
            "description": self.description,
            "properties": {"error": self.slug, "errors": errors, **self.properties},
            "result": None,
        }


class InvalidRequest(ApiError):
    """Raised when a request is malformed or breaks a rule of the contract."""

    status, slug = 400, "invalid_request"


class Unauthorized(ApiError):
    """Raised when the token is missing, wrong or revoked."""

    status, slug = 401, "unauthorized"


class BudgetSpent(ApiError):
    """Raised when a token's budget does not cover a price."""

    status, slug = 402, "budget_spent"


class Forbidden(ApiError):
    """Raised when a token may not do what it asks for."""

    status, slug = 403, "forbidden"


class NotFound(ApiError):
    """Raised for an unknown path, or a task that this token does not have."""

    status, slug, code = 404, "not_found", 3


class MethodNotAllowed(ApiError):
    """Raised for a known path with a method it does not have."""

    status, slug = 405, "method_not_allowed"


class InFlight(ApiError):
    """Raised for a key whose first request has no outcome yet; carries Retry-After."""

    status, slug = 409, "in_flight"

    def __init__(self, description: str, retry_after_s: int = 1) -> None:
        super().__init__(description, headers={"Retry-After": str(retry_after_s)})


class TooLarge(ApiError):
    """Raised when a body is larger than the configured limit."""

    status, slug = 413, "too_large"


class NotJson(ApiError):
    """Raised when a body is not sent as application/json."""

    status, slug = 415, "not_json"


class OutOfRange(ApiError):
    """Raised when nothing of a picture lies in the range that is asked for."""

    status, slug = 416, "invalid_request"


class KeyReused(ApiError):
    """Raised for a key that another request came with."""

    status, slug = 422, "key_reused"


class RateLimited(ApiError):
    """Raised for a submit beyond a token's rate; carries Retry-After."""

    status, slug = 429, "rate_limited"

    def __init__(self, description: str, retry_after_s: int) -> None:
        super().__init__(description, headers={"Retry-After": str(retry_after_s)})


class TooManyInFlight(ApiError):
    """Raised while as many tasks of a token run as may; carries Retry-After."""

    status, slug = 429, "too_many_in_flight"

    def __init__(self, description: str, retry_after_s: int) -> None:
        super().__init__(description, headers={"Retry-After": str(retry_after_s)})


class Fault(ApiError):
    """Raised for what should not happen; says nothing of the cause."""

    status, slug, code = 500, "internal", 9


class UpstreamRefused(ApiError):
    """Raised when an upstream certainly did not take a submit."""

    status, slug, code = 502, "upstream_refused", 9


class UpstreamUnclear(ApiError):
    """Raised when an upstream answered, but not what it did."""

    status, slug, code = 502, "outcome_unknown", 9


class Unavailable(ApiError):
    """Raised when nothing can take a submit now; carries Retry-After."""

    status, slug, code = 503, "unavailable", 9

    def __init__(self, description: str, retry_after_s: int = 1) -> None:
        super().__init__(description, headers={"Retry-After": str(retry_after_s)})


class UpstreamBroken(ApiError):
    """Raised when the connection to an upstream broke after the request went out."""

    status, slug, code = 504, "outcome_unknown", 9
