"""Values of a body, as JSON has them. What is left out stays out; `None` is sent as null."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from .generated.types import Unset


def as_json(value: Any) -> Any:
    """A value with its models, times and mappings written as JSON has them."""
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if isinstance(value, datetime):
        # A time without a zone is one of this machine.
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, Mapping):
        return {name: as_json(one) for name, one in value.items() if not isinstance(one, Unset)}
    if isinstance(value, (list, tuple)):
        return [as_json(one) for one in value]
    return value


class Body:
    """The fields of a body, or of a row of one: a mapping or a model."""

    def __init__(self, fields: Any) -> None:
        self._fields = fields

    def to_dict(self) -> dict[str, Any]:
        """As JSON has them."""
        written: dict[str, Any] = as_json(self._fields)
        return written
