from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

T = TypeVar("T", bound="UsageOfModel")


@_attrs_define
class UsageOfModel:
    """
    Attributes:
        model (None | str): The name in the price table; null for corrections by the operator.
        submitted (int): Prices that were held.
        charged (int): Holds that a picture turned into an expense.
        released (int): Holds that were given back.
        spent (str): Dollars as an exact decimal, at most six decimals and no exponent, such as `0.1`. No float holds
            it.
    """

    model: None | str
    submitted: int
    charged: int
    released: int
    spent: str
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        model: None | str
        model = self.model

        submitted = self.submitted

        charged = self.charged

        released = self.released

        spent = self.spent

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "model": model,
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

        def _parse_model(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        model = _parse_model(d.pop("model"))

        submitted = d.pop("submitted")

        charged = d.pop("charged")

        released = d.pop("released")

        spent = d.pop("spent")

        usage_of_model = cls(
            model=model,
            submitted=submitted,
            charged=charged,
            released=released,
            spent=spent,
        )

        usage_of_model.additional_properties = d
        return usage_of_model

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
