from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

T = TypeVar("T", bound="ImagineRequest")


@_attrs_define
class ImagineRequest:
    """Imagine提交参数

    Attributes:
        prompt (str): 提示词. Not blank: white space of any alphabet alone is refused.
        base64 (None | str | Unset): 垫图base64, a data URL. Older than `base64Array`, which takes several.
        base_64_array (list[str] | None | Unset): 垫图base64, data URLs.
        notify_hook (None | str | Unset): 回调地址, 为空时使用全局notifyHook. An absolute http or https address without
            credentials, or blank.
        state (None | str | Unset): 自定义参数. Kept by the gateway and given back untouched.
    """

    prompt: str
    base64: None | str | Unset = UNSET
    base_64_array: list[str] | None | Unset = UNSET
    notify_hook: None | str | Unset = UNSET
    state: None | str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        prompt = self.prompt

        base64: None | str | Unset
        if isinstance(self.base64, Unset):
            base64 = UNSET
        else:
            base64 = self.base64

        base_64_array: list[str] | None | Unset
        if isinstance(self.base_64_array, Unset):
            base_64_array = UNSET
        elif isinstance(self.base_64_array, list):
            base_64_array = self.base_64_array

        else:
            base_64_array = self.base_64_array

        notify_hook: None | str | Unset
        if isinstance(self.notify_hook, Unset):
            notify_hook = UNSET
        else:
            notify_hook = self.notify_hook

        state: None | str | Unset
        if isinstance(self.state, Unset):
            state = UNSET
        else:
            state = self.state

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "prompt": prompt,
            }
        )
        if base64 is not UNSET:
            field_dict["base64"] = base64
        if base_64_array is not UNSET:
            field_dict["base64Array"] = base_64_array
        if notify_hook is not UNSET:
            field_dict["notifyHook"] = notify_hook
        if state is not UNSET:
            field_dict["state"] = state

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        if not isinstance(src_dict, Mapping):
            raise TypeError(f"Expected an object, got {type(src_dict).__name__}.")
        d = dict(src_dict)
        prompt = d.pop("prompt")

        def _parse_base64(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        base64 = _parse_base64(d.pop("base64", UNSET))

        def _parse_base_64_array(data: object) -> list[str] | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            if not isinstance(data, list):
                raise TypeError()
            base_64_array_type_0 = cast(list[str], data)

            return base_64_array_type_0

        base_64_array = _parse_base_64_array(d.pop("base64Array", UNSET))

        def _parse_notify_hook(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        notify_hook = _parse_notify_hook(d.pop("notifyHook", UNSET))

        def _parse_state(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        state = _parse_state(d.pop("state", UNSET))

        imagine_request = cls(
            prompt=prompt,
            base64=base64,
            base_64_array=base_64_array,
            notify_hook=notify_hook,
            state=state,
        )

        imagine_request.additional_properties = d
        return imagine_request

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
