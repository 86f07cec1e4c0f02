from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.error_slug import ErrorSlug
from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.violation import Violation


T = TypeVar("T", bound="ErrorProperties")


@_attrs_define
class ErrorProperties:
    """
    Attributes:
        error (ErrorSlug | str): For a program. Values may be added.
        errors (list[Violation]): Where it was wrong; empty where there is no place to name.
        task_id (None | str | Unset): With `outcome_unknown`, the task to fetch.
    """

    error: ErrorSlug | str
    errors: list[Violation]
    task_id: None | str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        error: str
        if isinstance(self.error, ErrorSlug):
            error = ErrorSlug(self.error).value
        else:
            error = self.error

        errors = []
        for errors_item_data in self.errors:
            errors_item = errors_item_data.to_dict()
            errors.append(errors_item)

        task_id: None | str | Unset
        if isinstance(self.task_id, Unset):
            task_id = UNSET
        else:
            task_id = self.task_id

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "error": error,
                "errors": errors,
            }
        )
        if task_id is not UNSET:
            field_dict["taskId"] = task_id

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.violation import Violation  # noqa: PLC0415

        if not isinstance(src_dict, Mapping):
            raise TypeError(f"Expected an object, got {type(src_dict).__name__}.")
        d = dict(src_dict)

        def _parse_error(data: object) -> ErrorSlug | str:
            try:
                if not isinstance(data, str):
                    raise TypeError()
                error_type_0 = ErrorSlug(data)

                return error_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(ErrorSlug | str, data)

        error = _parse_error(d.pop("error"))

        errors = []
        _errors = d.pop("errors")
        if not isinstance(_errors, list):
            raise TypeError(f"Expected a list, got {type(_errors).__name__}.")
        for errors_item_data in _errors:
            errors_item = Violation.from_dict(errors_item_data)

            errors.append(errors_item)

        def _parse_task_id(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        task_id = _parse_task_id(d.pop("taskId", UNSET))

        error_properties = cls(
            error=error,
            errors=errors,
            task_id=task_id,
        )

        error_properties.additional_properties = d
        return error_properties

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
