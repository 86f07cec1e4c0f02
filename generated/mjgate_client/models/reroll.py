from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.sheet_action import SheetAction
from ..types import UNSET, Unset

T = TypeVar("T", bound="Reroll")


@_attrs_define
class Reroll:
    """REROLL(重新生成) of the whole sheet. An `index` is ignored.

    Attributes:
        action (SheetAction):
        task_id (int | str): 任务ID. A string, or a whole number as some clients send it.
        index (int | None | Unset): Ignored; some clients send one.
        notify_hook (None | str | Unset): 回调地址, 为空时使用全局notifyHook. An absolute http or https address without
            credentials, or blank.
        state (None | str | Unset): 自定义参数. Kept by the gateway and given back untouched.
    """

    action: SheetAction
    task_id: int | str
    index: int | None | Unset = UNSET
    notify_hook: None | str | Unset = UNSET
    state: None | str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        action = SheetAction(self.action).value

        task_id: int | str
        task_id = self.task_id

        index: int | None | Unset
        if isinstance(self.index, Unset):
            index = UNSET
        else:
            index = self.index

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
                "taskId": task_id,
            }
        )
        if index is not UNSET:
            field_dict["index"] = index
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
        action = SheetAction(d.pop("action"))

        def _parse_task_id(data: object) -> int | str:
            return cast(int | str, data)

        task_id = _parse_task_id(d.pop("taskId"))

        def _parse_index(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        index = _parse_index(d.pop("index", UNSET))

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

        reroll = cls(
            action=action,
            task_id=task_id,
            index=index,
            notify_hook=notify_hook,
            state=state,
        )

        reroll.additional_properties = d
        return reroll

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
