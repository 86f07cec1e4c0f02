from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

T = TypeVar("T", bound="ListRequest")


@_attrs_define
class ListRequest:
    """
    Attributes:
        ids (list[int | str] | None | Unset): Absent, null or empty gives an empty list.
    """

    ids: list[int | str] | None | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        ids: list[int | str] | None | Unset
        if isinstance(self.ids, Unset):
            ids = UNSET
        elif isinstance(self.ids, list):
            ids = []
            for ids_type_0_item_data in self.ids:
                ids_type_0_item: int | str
                ids_type_0_item = ids_type_0_item_data
                ids.append(ids_type_0_item)

        else:
            ids = self.ids

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({})
        if ids is not UNSET:
            field_dict["ids"] = ids

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        if not isinstance(src_dict, Mapping):
            raise TypeError(f"Expected an object, got {type(src_dict).__name__}.")
        d = dict(src_dict)

        def _parse_ids(data: object) -> list[int | str] | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            if not isinstance(data, list):
                raise TypeError()
            ids_type_0 = []
            _ids_type_0 = data
            if not isinstance(_ids_type_0, list):
                raise TypeError(f"Expected a list, got {type(_ids_type_0).__name__}.")
            for ids_type_0_item_data in _ids_type_0:

                def _parse_ids_type_0_item(data: object) -> int | str:
                    return cast(int | str, data)

                ids_type_0_item = _parse_ids_type_0_item(ids_type_0_item_data)

                ids_type_0.append(ids_type_0_item)

            return ids_type_0

        ids = _parse_ids(d.pop("ids", UNSET))

        list_request = cls(
            ids=ids,
        )

        list_request.additional_properties = d
        return list_request

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
