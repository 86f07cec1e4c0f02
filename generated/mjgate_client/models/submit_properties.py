from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

T = TypeVar("T", bound="SubmitProperties")


@_attrs_define
class SubmitProperties:
    """扩展字段

    Attributes:
        banned_word (None | str | Unset): With code 24, the word that was refused.
        number_of_queues (int | None | Unset): With code 22, how many tasks wait before this one.
        prompt_en (None | str | Unset): With code 24, the prompt in English.
    """

    banned_word: None | str | Unset = UNSET
    number_of_queues: int | None | Unset = UNSET
    prompt_en: None | str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        banned_word: None | str | Unset
        if isinstance(self.banned_word, Unset):
            banned_word = UNSET
        else:
            banned_word = self.banned_word

        number_of_queues: int | None | Unset
        if isinstance(self.number_of_queues, Unset):
            number_of_queues = UNSET
        else:
            number_of_queues = self.number_of_queues

        prompt_en: None | str | Unset
        if isinstance(self.prompt_en, Unset):
            prompt_en = UNSET
        else:
            prompt_en = self.prompt_en

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({})
        if banned_word is not UNSET:
            field_dict["bannedWord"] = banned_word
        if number_of_queues is not UNSET:
            field_dict["numberOfQueues"] = number_of_queues
        if prompt_en is not UNSET:
            field_dict["promptEn"] = prompt_en

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        if not isinstance(src_dict, Mapping):
            raise TypeError(f"Expected an object, got {type(src_dict).__name__}.")
        d = dict(src_dict)

        def _parse_banned_word(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        banned_word = _parse_banned_word(d.pop("bannedWord", UNSET))

        def _parse_number_of_queues(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        number_of_queues = _parse_number_of_queues(d.pop("numberOfQueues", UNSET))

        def _parse_prompt_en(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        prompt_en = _parse_prompt_en(d.pop("promptEn", UNSET))

        submit_properties = cls(
            banned_word=banned_word,
            number_of_queues=number_of_queues,
            prompt_en=prompt_en,
        )

        submit_properties.additional_properties = d
        return submit_properties

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
