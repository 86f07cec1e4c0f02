from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.task_action import TaskAction
from ..models.task_status import TaskStatus
from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.image_url import ImageUrl
    from ..models.task_properties import TaskProperties


T = TypeVar("T", bound="Task")


@_attrs_define
class Task:
    """任务

    Attributes:
        action (str | TaskAction): Upstreams may add values.
        description (None | str): 任务描述
        fail_reason (None | str): 失败原因
        finish_time (int | None): 结束时间, milliseconds since 1970.
        id (str): 任务ID, 16 digits.
        image_url (None | str): 图片url. Before SUCCESS it may be a preview. From SUCCESS on it is an address of the
            gateway, which keeps the picture: it opens without a token until the time that stands in
            it, at least a week unless the operator says otherwise, and each fetch gives one that
            does. There is an `ETag`, and `Range` is honoured. While the picture is not copied yet
            it leads on, by a 302, to where the upstream has it. Where the gateway keeps no
            pictures, or no longer keeps this one, it is the address of the upstream.
        progress (None | str): 任务进度. Never goes backwards; 100% only at SUCCESS.
        prompt (None | str): 提示词
        prompt_en (None | str): 提示词-英文
        properties (TaskProperties): What the upstream adds. Documented for no client; some read `finalPrompt`.
        start_time (int | None): 开始执行时间, milliseconds since 1970.
        state (None | str): 自定义参数, exactly as it was submitted.
        status (str | TaskStatus): 任务状态. Upstreams may add values.
        submit_time (int): 提交时间, milliseconds since 1970.
        image_urls (list[ImageUrl] | Unset): Each picture of a task that has several, from upstreams that tell them
            apart; absent in
            any other task. Their addresses are as `imageUrl`, which may be one of them.
    """

    action: str | TaskAction
    description: None | str
    fail_reason: None | str
    finish_time: int | None
    id: str
    image_url: None | str
    progress: None | str
    prompt: None | str
    prompt_en: None | str
    properties: TaskProperties
    start_time: int | None
    state: None | str
    status: str | TaskStatus
    submit_time: int
    image_urls: list[ImageUrl] | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        action: str
        if isinstance(self.action, TaskAction):
            action = TaskAction(self.action).value
        else:
            action = self.action

        description: None | str
        description = self.description

        fail_reason: None | str
        fail_reason = self.fail_reason

        finish_time: int | None
        finish_time = self.finish_time

        id = self.id

        image_url: None | str
        image_url = self.image_url

        progress: None | str
        progress = self.progress

        prompt: None | str
        prompt = self.prompt

        prompt_en: None | str
        prompt_en = self.prompt_en

        properties = self.properties.to_dict()

        start_time: int | None
        start_time = self.start_time

        state: None | str
        state = self.state

        status: str
        if isinstance(self.status, TaskStatus):
            status = TaskStatus(self.status).value
        else:
            status = self.status

        submit_time = self.submit_time

        image_urls: list[dict[str, Any]] | Unset = UNSET
        if not isinstance(self.image_urls, Unset):
            image_urls = []
            for image_urls_item_data in self.image_urls:
                image_urls_item = image_urls_item_data.to_dict()
                image_urls.append(image_urls_item)

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "action": action,
                "description": description,
                "failReason": fail_reason,
                "finishTime": finish_time,
                "id": id,
                "imageUrl": image_url,
                "progress": progress,
                "prompt": prompt,
                "promptEn": prompt_en,
                "properties": properties,
                "startTime": start_time,
                "state": state,
                "status": status,
                "submitTime": submit_time,
            }
        )
        if image_urls is not UNSET:
            field_dict["imageUrls"] = image_urls

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.image_url import ImageUrl  # noqa: PLC0415
        from ..models.task_properties import TaskProperties  # noqa: PLC0415

        if not isinstance(src_dict, Mapping):
            raise TypeError(f"Expected an object, got {type(src_dict).__name__}.")
        d = dict(src_dict)

        def _parse_action(data: object) -> str | TaskAction:
            try:
                if not isinstance(data, str):
                    raise TypeError()
                action_type_0 = TaskAction(data)

                return action_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(str | TaskAction, data)

        action = _parse_action(d.pop("action"))

        def _parse_description(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        description = _parse_description(d.pop("description"))

        def _parse_fail_reason(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        fail_reason = _parse_fail_reason(d.pop("failReason"))

        def _parse_finish_time(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        finish_time = _parse_finish_time(d.pop("finishTime"))

        id = d.pop("id")

        def _parse_image_url(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        image_url = _parse_image_url(d.pop("imageUrl"))

        def _parse_progress(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        progress = _parse_progress(d.pop("progress"))

        def _parse_prompt(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        prompt = _parse_prompt(d.pop("prompt"))

        def _parse_prompt_en(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        prompt_en = _parse_prompt_en(d.pop("promptEn"))

        properties = TaskProperties.from_dict(d.pop("properties"))

        def _parse_start_time(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        start_time = _parse_start_time(d.pop("startTime"))

        def _parse_state(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        state = _parse_state(d.pop("state"))

        def _parse_status(data: object) -> str | TaskStatus:
            try:
                if not isinstance(data, str):
                    raise TypeError()
                status_type_0 = TaskStatus(data)

                return status_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(str | TaskStatus, data)

        status = _parse_status(d.pop("status"))

        submit_time = d.pop("submitTime")

        _image_urls = d.pop("imageUrls", UNSET)
        image_urls: list[ImageUrl] | Unset = UNSET
        if _image_urls is not UNSET:
            if not isinstance(_image_urls, list):
                raise TypeError(f"Expected a list, got {type(_image_urls).__name__}.")
            image_urls = []
            for image_urls_item_data in _image_urls:
                image_urls_item = ImageUrl.from_dict(image_urls_item_data)

                image_urls.append(image_urls_item)

        task = cls(
            action=action,
            description=description,
            fail_reason=fail_reason,
            finish_time=finish_time,
            id=id,
            image_url=image_url,
            progress=progress,
            prompt=prompt,
            prompt_en=prompt_en,
            properties=properties,
            start_time=start_time,
            state=state,
            status=status,
            submit_time=submit_time,
            image_urls=image_urls,
        )

        task.additional_properties = d
        return task

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
