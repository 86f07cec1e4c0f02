from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

T = TypeVar("T", bound="UsageOfDay")


@_attrs_define
class UsageOfDay:
    """
    Attributes:
        day (str): A day of the calendar, in UTC.
        submitted (int): Prices that were held.
        charged (int): Holds that a picture turned into an expense.
        released (int): Holds that were given back.
        spent (str): Dollars as an exact decimal, at most six decimals and no exponent, such as `0.1`. No float holds
            it.
    """

    day: str
    submitted: int
    charged: int
    released: int
    spent: str
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        day = self.day

        submitted = self.submitted

        charged = self.charged

        released = self.released

        spent = self.spent

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "day": day,
                "submitted": submitted,
                "charged": charged,
                "released": released,
                "spent": spent,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        if not isinstance(src_dict, Mapping):
            raise TypeError(f"Expected an object, got {type(src_dict).__name__}.")
        d = dict(src_dict)
        day = d.pop("day")

        submitted = d.pop("submitted")

        charged = d.pop("charged")

        released = d.pop("released")

        spent = d.pop("spent")

        usage_of_day = cls(
            day=day,
            submitted=submitted,
            charged=charged,
            released=released,
            spent=spent,
        )

        usage_of_day.additional_properties = d
        return usage_of_day

    @property
    def additional_keys(self) -> list[str]:
        return list(self.additional_properties.keys())

    def __getitem__(self, key: str) -> Any:
        return self.additional_properties[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.additional_properties[key] = value

    def __delitem__(self, key: str) -> None:
        del self.additional_properties[key]

    def __contains__(self, key: str) -> bool:
        return key in self.additional_properties
