from enum import StrEnum
from typing import Self


class UsageKind(StrEnum):
    ADJUST = "adjust"
    CHARGE = "charge"
    HOLD = "hold"
    RELEASE = "release"

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
