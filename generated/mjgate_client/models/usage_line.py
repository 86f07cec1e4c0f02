from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.usage_kind import UsageKind

T = TypeVar("T", bound="UsageLine")


@_attrs_define
class UsageLine:
    """An entry of the ledger; `held` and `spent` are by how much it changed them.

    Attributes:
        kind (str | UsageKind): Values may be added.
        task_id (None | str): Null for a correction by the operator.
        model (None | str): The name in the price table.
        held (str): Dollars as an exact decimal, at most six decimals and no exponent, such as `0.1`. No float holds it.
        spent (str): Dollars as an exact decimal, at most six decimals and no exponent, such as `0.1`. No float holds
            it.
        period (None | str): The first day of the budget period it counts in; null where the budget has no period.
        time (int): Milliseconds since 1970.
    """

    kind: str | UsageKind
    task_id: None | str
    model: None | str
    held: str
    spent: str
    period: None | str
    time: int
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        kind: str
        if isinstance(self.kind, UsageKind):
            kind = UsageKind(self.kind).value
        else:
            kind = self.kind

        task_id: None | str
        task_id = self.task_id

        model: None | str
        model = self.model

        held = self.held

        spent = self.spent

        period: None | str
        period = self.period

        time = self.time

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "kind": kind,
                "taskId": task_id,
                "model": model,
                "held": held,
                "spent": spent,
                "period": period,
                "time": time,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        if not isinstance(src_dict, Mapping):
            raise TypeError(f"Expected an object, got {type(src_dict).__name__}.")
        d = dict(src_dict)

        def _parse_kind(data: object) -> str | UsageKind:
            try:
                if not isinstance(data, str):
                    raise TypeError()
                kind_type_0 = UsageKind(data)

                return kind_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(str | UsageKind, data)

        kind = _parse_kind(d.pop("kind"))

        def _parse_task_id(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        task_id = _parse_task_id(d.pop("taskId"))

        def _parse_model(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        model = _parse_model(d.pop("model"))

        held = d.pop("held")

        spent = d.pop("spent")

        def _parse_period(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        period = _parse_period(d.pop("period"))

        time = d.pop("time")

        usage_line = cls(
            kind=kind,
            task_id=task_id,
            model=model,
            held=held,
            spent=spent,
            period=period,
            time=time,
        )

        usage_line.additional_properties = d
        return usage_line

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
