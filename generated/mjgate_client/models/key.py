from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.budget_period import BudgetPeriod

T = TypeVar("T", bound="Key")


@_attrs_define
class Key:
    """A token's limits, and how much of them is used.

    Attributes:
        label (str): The name that the operator gave it.
        budget (None | str): Dollars as an exact decimal; null where there is no budget.
        spent (str): Dollars as an exact decimal, at most six decimals and no exponent, such as `0.1`. No float holds
            it.
        held (str): Dollars as an exact decimal, at most six decimals and no exponent, such as `0.1`. No float holds it.
        remaining (None | str): What may still be spent, in dollars as an exact decimal; null where there is no budget.
        period (BudgetPeriod | None | str): How often the budget starts anew, by the calendar in UTC, weeks on Monday.
            `spent` and `held` are those of the present period. Values may be added.
        reset_at (int | None): When it next does, milliseconds since 1970.
        in_flight (int): Pictures that are being made.
        most_in_flight (int | None): How many may be made at once.
        rate_per_minute (int | None): How many submits a minute it may make.
        models (list[str] | None): What it may use, by the names in the price table; `*` stands for anything.
        expires_at (int | None): When it ends, milliseconds since 1970.
        addresses (list[str] | None): The networks that it may be used from.
    """

    label: str
    budget: None | str
    spent: str
    held: str
    remaining: None | str
    period: BudgetPeriod | None | str
    reset_at: int | None
    in_flight: int
    most_in_flight: int | None
    rate_per_minute: int | None
    models: list[str] | None
    expires_at: int | None
    addresses: list[str] | None
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        label = self.label

        budget: None | str
        budget = self.budget

        spent = self.spent

        held = self.held

        remaining: None | str
        remaining = self.remaining

        period: None | str
        if isinstance(self.period, BudgetPeriod):
            period = BudgetPeriod(self.period).value
        else:
            period = self.period

        reset_at: int | None
        reset_at = self.reset_at

        in_flight = self.in_flight

        most_in_flight: int | None
        most_in_flight = self.most_in_flight

        rate_per_minute: int | None
        rate_per_minute = self.rate_per_minute

        models: list[str] | None
        if isinstance(self.models, list):
            models = self.models

        else:
            models = self.models

        expires_at: int | None
        expires_at = self.expires_at

        addresses: list[str] | None
        if isinstance(self.addresses, list):
            addresses = self.addresses

        else:
            addresses = self.addresses

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "label": label,
                "budget": budget,
                "spent": spent,
                "held": held,
                "remaining": remaining,
                "period": period,
                "resetAt": reset_at,
                "inFlight": in_flight,
                "mostInFlight": most_in_flight,
                "ratePerMinute": rate_per_minute,
                "models": models,
                "expiresAt": expires_at,
                "addresses": addresses,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        if not isinstance(src_dict, Mapping):
            raise TypeError(f"Expected an object, got {type(src_dict).__name__}.")
        d = dict(src_dict)
        label = d.pop("label")

        def _parse_budget(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        budget = _parse_budget(d.pop("budget"))

        spent = d.pop("spent")

        held = d.pop("held")

        def _parse_remaining(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        remaining = _parse_remaining(d.pop("remaining"))

        def _parse_period(data: object) -> BudgetPeriod | None | str:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                period_type_0 = BudgetPeriod(data)

                return period_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(BudgetPeriod | None | str, data)

        period = _parse_period(d.pop("period"))

        def _parse_reset_at(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        reset_at = _parse_reset_at(d.pop("resetAt"))

        in_flight = d.pop("inFlight")

        def _parse_most_in_flight(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        most_in_flight = _parse_most_in_flight(d.pop("mostInFlight"))

        def _parse_rate_per_minute(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        rate_per_minute = _parse_rate_per_minute(d.pop("ratePerMinute"))

        def _parse_models(data: object) -> list[str] | None:
            if data is None:
                return data
            if not isinstance(data, list):
                raise TypeError()
            models_type_0 = cast(list[str], data)

            return models_type_0

        models = _parse_models(d.pop("models"))

        def _parse_expires_at(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        expires_at = _parse_expires_at(d.pop("expiresAt"))

        def _parse_addresses(data: object) -> list[str] | None:
            if data is None:
                return data
            if not isinstance(data, list):
                raise TypeError()
            addresses_type_0 = cast(list[str], data)

            return addresses_type_0

        addresses = _parse_addresses(d.pop("addresses"))

        key = cls(
            label=label,
            budget=budget,
            spent=spent,
            held=held,
            remaining=remaining,
            period=period,
            reset_at=reset_at,
            in_flight=in_flight,
            most_in_flight=most_in_flight,
            rate_per_minute=rate_per_minute,
            models=models,
            expires_at=expires_at,
            addresses=addresses,
        )

        key.additional_properties = d
        return key

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
