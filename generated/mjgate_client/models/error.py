from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

if TYPE_CHECKING:
    from ..models.error_properties import ErrorProperties


T = TypeVar("T", bound="Error")


@_attrs_define
class Error:
    """What went wrong. Nothing was charged, unless `properties.error` is `outcome_unknown`.

    Attributes:
        code (int): 4 for statuses 400 to 499, 3 for 404, 9 from 500 up.
        description (str): For a person.
        properties (ErrorProperties):
        result (None):  Default: None.
    """

    code: int
    description: str
    properties: ErrorProperties
    result: None = None
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        code = self.code

        description = self.description

        properties = self.properties.to_dict()

        result = self.result

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "code": code,
                "description": description,
                "properties": properties,
                "result": result,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.error_properties import ErrorProperties  # noqa: PLC0415

        if not isinstance(src_dict, Mapping):
            raise TypeError(f"Expected an object, got {type(src_dict).__name__}.")
        d = dict(src_dict)
        code = d.pop("code")

        description = d.pop("description")

        properties = ErrorProperties.from_dict(d.pop("properties"))

        result = d.pop("result")

        error = cls(
            code=code,
            description=description,
            properties=properties,
            result=result,
        )

        error.additional_properties = d
        return error

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
