from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

if TYPE_CHECKING:
    from ..models.usage_line import UsageLine
    from ..models.usage_of_day import UsageOfDay
    from ..models.usage_of_model import UsageOfModel


T = TypeVar("T", bound="Usage")


@_attrs_define
class Usage:
    """
    Attributes:
        from_ (str): A day of the calendar, in UTC.
        to (str): A day of the calendar, in UTC.
        days (list[UsageOfDay] | None): Totals of each day that has lines, newest first. Null after the first page.
        models (list[UsageOfModel] | None): Totals of each model, by name. Null after the first page.
        lines (list[UsageLine]): Newest first.
        cursor (int | None): Where the next page begins; null on the last one.
    """

    from_: str
    to: str
    days: list[UsageOfDay] | None
    models: list[UsageOfModel] | None
    lines: list[UsageLine]
    cursor: int | None
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from_ = self.from_

        to = self.to

        days: list[dict[str, Any]] | None
        if isinstance(self.days, list):
            days = []
            for days_type_0_item_data in self.days:
                days_type_0_item = days_type_0_item_data.to_dict()
                days.append(days_type_0_item)

        else:
            days = self.days

        models: list[dict[str, Any]] | None
        if isinstance(self.models, list):
            models = []
            for models_type_0_item_data in self.models:
                models_type_0_item = models_type_0_item_data.to_dict()
                models.append(models_type_0_item)

        else:
            models = self.models

        lines = []
        for lines_item_data in self.lines:
            lines_item = lines_item_data.to_dict()
            lines.append(lines_item)

        cursor: int | None
        cursor = self.cursor

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "from": from_,
                "to": to,
                "days": days,
                "models": models,
                "lines": lines,
                "cursor": cursor,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.usage_line import UsageLine  # noqa: PLC0415
        from ..models.usage_of_day import UsageOfDay  # noqa: PLC0415
        from ..models.usage_of_model import UsageOfModel  # noqa: PLC0415

        if not isinstance(src_dict, Mapping):
            raise TypeError(f"Expected an object, got {type(src_dict).__name__}.")
        d = dict(src_dict)
        from_ = d.pop("from")

        to = d.pop("to")

        def _parse_days(data: object) -> list[UsageOfDay] | None:
            if data is None:
                return data
            if not isinstance(data, list):
                raise TypeError()
            days_type_0 = []
            _days_type_0 = data
            if not isinstance(_days_type_0, list):
                raise TypeError(f"Expected a list, got {type(_days_type_0).__name__}.")
            for days_type_0_item_data in _days_type_0:
                days_type_0_item = UsageOfDay.from_dict(days_type_0_item_data)

                days_type_0.append(days_type_0_item)

            return days_type_0

        days = _parse_days(d.pop("days"))

        def _parse_models(data: object) -> list[UsageOfModel] | None:
            if data is None:
                return data
            if not isinstance(data, list):
                raise TypeError()
            models_type_0 = []
            _models_type_0 = data
            if not isinstance(_models_type_0, list):
                raise TypeError(f"Expected a list, got {type(_models_type_0).__name__}.")
            for models_type_0_item_data in _models_type_0:
                models_type_0_item = UsageOfModel.from_dict(models_type_0_item_data)

                models_type_0.append(models_type_0_item)

            return models_type_0

        models = _parse_models(d.pop("models"))

        lines = []
        _lines = d.pop("lines")
        if not isinstance(_lines, list):
            raise TypeError(f"Expected a list, got {type(_lines).__name__}.")
        for lines_item_data in _lines:
            lines_item = UsageLine.from_dict(lines_item_data)

            lines.append(lines_item)

        def _parse_cursor(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        cursor = _parse_cursor(d.pop("cursor"))

        usage = cls(
            from_=from_,
            to=to,
            days=days,
            models=models,
            lines=lines,
            cursor=cursor,
        )

        usage.additional_properties = d
        return usage

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
