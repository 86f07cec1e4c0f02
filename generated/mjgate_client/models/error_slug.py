from enum import StrEnum
from typing import Self


class ErrorSlug(StrEnum):
    BUDGET_SPENT = "budget_spent"
    FORBIDDEN = "forbidden"
    INTERNAL = "internal"
    INVALID_REQUEST = "invalid_request"
    IN_FLIGHT = "in_flight"
    KEY_REUSED = "key_reused"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    NOT_FOUND = "not_found"
    NOT_JSON = "not_json"
    OUTCOME_UNKNOWN = "outcome_unknown"
    RATE_LIMITED = "rate_limited"
    TOO_LARGE = "too_large"
    TOO_MANY_IN_FLIGHT = "too_many_in_flight"
    UNAUTHORIZED = "unauthorized"
    UNAVAILABLE = "unavailable"
    UPSTREAM_REFUSED = "upstream_refused"

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        """Keep a value, or a null, that is newer than this client"""
        if value is not None and not isinstance(value, str):
            return None
        member = str.__new__(cls, value or "")
        member._name_ = str(value)
        member._value_ = value  # type: ignore[assignment]
        return member

    def __str__(self) -> str:
        return str(self.value)
