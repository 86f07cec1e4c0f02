from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

if TYPE_CHECKING:
    from ..models.submit_properties import SubmitProperties


T = TypeVar("T", bound="SubmitResult")


@_attrs_define
class SubmitResult:
    """提交结果

    Attributes:
        code (int): 状态码: 1(提交成功), 21(已存在), 22(排队中), other(错误)
        description (str): 描述, as the upstream said it.
        properties (SubmitProperties): 扩展字段
        result (None | str): 任务ID. Null where no task was made.
    """

    code: int
    description: str
    properties: SubmitProperties
    result: None | str
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        code = self.code

        description = self.description

        properties = self.properties.to_dict()

        result: None | str
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
        from ..models.submit_properties import SubmitProperties  # noqa: PLC0415

        if not isinstance(src_dict, Mapping):
            raise TypeError(f"Expected an object, got {type(src_dict).__name__}.")
        d = dict(src_dict)
        code = d.pop("code")

        description = d.pop("description")

        properties = SubmitProperties.from_dict(d.pop("properties"))

        def _parse_result(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        result = _parse_result(d.pop("result"))

        submit_result = cls(
            code=code,
            description=description,
            properties=properties,
            result=result,
        )

        submit_result.additional_properties = d
        return submit_result

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
