from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.picture_action import PictureAction
from ..types import UNSET, Unset

T = TypeVar("T", bound="UpscaleOrVary")


@_attrs_define
class UpscaleOrVary:
    """UPSCALE(放大) or VARIATION(变换) of one picture of the sheet.

    Attributes:
        action (PictureAction):
        index (int): 序号(1~4)
        task_id (int | str): 任务ID. A string, or a whole number as some clients send it.
        notify_hook (None | str | Unset): 回调地址, 为空时使用全局notifyHook. An absolute http or https address without
            credentials, or blank.
        state (None | str | Unset): 自定义参数. Kept by the gateway and given back untouched.
    """

    action: PictureAction
    index: int
    task_id: int | str
    notify_hook: None | str | Unset = UNSET
    state: None | str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        action = PictureAction(self.action).value

        index = self.index

        task_id: int | str
        task_id = self.task_id

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
                "action": action,
                "index": index,
                "taskId": task_id,
            }
        )
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
        action = PictureAction(d.pop("action"))

        index = d.pop("index")

        def _parse_task_id(data: object) -> int | str:
            return cast(int | str, data)

        task_id = _parse_task_id(d.pop("taskId"))

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

        upscale_or_vary = cls(
            action=action,
            index=index,
            task_id=task_id,
            notify_hook=notify_hook,
            state=state,
        )

        upscale_or_vary.additional_properties = d
        return upscale_or_vary

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
